"""Tasks and futures whose hash is a serial number of their loop, not their address.

A set of tasks, such as asyncio.wait and asyncio.all_tasks work with, is then ordered the same in every run of
the same program. The number is given at the first use, which costs those nothing that are in no set.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

__all__ = ["SerialFuture", "SerialTask", "serial_task"]


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
