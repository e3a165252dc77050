"""Tasks and futures whose hash is a serial number of their loop, not their address.

A set of tasks, such as asyncio.wait and asyncio.all_tasks work with, is then ordered the same in every run of
the same program. The number is given at the first use, which costs those nothing that are in no set.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from csploop._loop.state import LoopState

__all__ = ["SerialFuture", "SerialMixin", "SerialTask", "serial_task"]

Future = asyncio.Future
caller = sys._getframe
SLEEP = asyncio.sleep.__code__


class _Serial:
    """Put before asyncio's class, whose object has room for the number."""

    __slots__ = ()

    if TYPE_CHECKING:
        _serial: int

    def __hash__(self) -> int:
        try:
            return self._serial
        except AttributeError:
            self._serial = self.get_loop()._next_serial()  # type: ignore[attr-defined, misc]
            return self._serial


class SerialFuture(_Serial, asyncio.Future):  # type: ignore[type-arg]  # not generic before 3.9.2 on PyPy
    __slots__ = ("_serial",)


class SerialTask(_Serial, asyncio.Task):  # type: ignore[type-arg]
    __slots__ = ("_serial",)

    def set_name(self, value: object) -> None:
        # Some asyncios pass on that no name was given, and would take away the one that the factory made.
        if value is not None:
            super().set_name(value)


def serial_task(loop: Any, coro: Any, **kwargs: Any) -> SerialTask:
    """The task factory. Names are numbered for each loop, so that they too are the same in every run."""
    if kwargs.get("name") is None:
        kwargs["name"] = loop._next_task_name()
    return SerialTask(coro, loop=loop, **kwargs)


class SerialMixin(LoopState):
    """What a loop makes that is the same in every run."""

    def __init__(self, *, poller: str | None = None, write: str = "gather") -> None:
        self._serial = 0
        self._task_number = 0
        super().__init__(poller=poller, write=write)
        super().set_task_factory(serial_task)

    def create_future(self) -> asyncio.Future[Any]:
        # bench: simulated_year. asyncio's tasks have a shorter way for asyncio's very own futures: a sleep
        # costs a seventh less. The one in asyncio.sleep is awaited there and nowhere else, and in no set.
        if caller(1).f_code is SLEEP:
            return Future(loop=self)
        return SerialFuture(loop=self)

    def set_task_factory(self, factory: Any) -> None:
        super().set_task_factory(serial_task if factory is None else factory)

    def get_task_factory(self) -> Any:
        factory = super().get_task_factory()
        return None if factory is serial_task else factory

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial

    def _next_task_name(self) -> str:
        self._task_number += 1
        return f"Task-{self._task_number}"
