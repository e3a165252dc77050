"""open_loop and run: an asyncio loop for the length of a block of Trio code."""

from __future__ import annotations

from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Callable, TypeVar

import trio

from csploop._compat import BaseExceptionGroup
from csploop.trio._calls import split_cancelled
from csploop.trio._clocked import ClockedTrioEventLoop
from csploop.trio._current import RunningLoop, current_loop
from csploop.trio._inside import is_system_clock
from csploop.trio._loop import TrioEventLoop
from csploop.trio._words import explained

__all__ = ["OpenLoop", "open_loop", "run"]

T = TypeVar("T")

# The plain kinds of groups, of which the second is made of the first where all errors are Exceptions.
GROUPS = (BaseExceptionGroup, type(BaseExceptionGroup("", [Exception()])))


class OpenLoop:
    """What `open_loop` returns.

    A class and not a generator, so that a traceback through it is short and the block's own exception leaves
    it as the object that it is.
    """

    def __init__(self, queue_len: int | None) -> None:
        self._queue_len = queue_len
        self._entered = False

    async def __aenter__(self) -> TrioEventLoop:
        if self._entered:
            raise RuntimeError("a loop cannot be restarted: call open_loop() again for another one")
        self._entered = True
        self._loop = loop = _new_loop(self._queue_len)
        RunningLoop.acquire()
        self._token = current_loop.set(loop)
        self._manager = trio.open_nursery()
        outer = await self._manager.__aenter__()
        try:
            await loop._start_in(outer)
        except BaseException as exc:
            # KeyboardInterrupt, or an error of ours.
            await self.__aexit__(type(exc), exc, exc.__traceback__)
            raise
        return loop

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        loop = self._loop
        loop._left.set()
        # The nursery needs to see cancellations, which may be its own. An error would come back in a group.
        inside = error if error is not None and split_cancelled(error)[0] is not None else None
        escaped: BaseException | None = None
        swallowed = False
        try:
            swallowed = bool(
                await self._manager.__aexit__(
                    None if inside is None else type(inside), inside, None if inside is None else traceback
                )
            )
        except BaseException as exc:
            escaped = _without_shell(exc)
        finally:
            loop.close()
            current_loop.reset(self._token)
            RunningLoop.release()
        outside = error if inside is None else (None if swallowed else escaped)
        if outside is not None:
            explained(outside)
        errors = loop._errors
        if inside is None and escaped is not None:
            if outside is None and not errors and split_cancelled(escaped)[1] is None:
                raise escaped  # only a cancellation, which came after the block
            errors.append(escaped)
        if errors:
            everything = [outside, *errors] if outside is not None else errors
            raise BaseExceptionGroup("errors of a csploop.trio loop", _flat(everything)) from None
        if outside is None or outside is error:
            return swallowed and outside is None
        raise outside


def _new_loop(queue_len: int | None) -> TrioEventLoop:
    clock = trio.lowlevel.current_clock()
    return TrioEventLoop(queue_len) if is_system_clock(clock) else ClockedTrioEventLoop(queue_len, clock)


def _without_shell(error: BaseException) -> BaseException:
    """The one error that our own nursery has wrapped."""
    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        only: BaseException = error.exceptions[0]
        return only
    return error


def _flat(errors: list[BaseException]) -> list[BaseException]:
    """Each error once, and those of groups instead of the groups; a group of the user's own class stays.

    What leaves a callback, such as KeyboardInterrupt out of a task, may have come to the block, too, as the
    outcome of the task.
    """
    found: list[BaseException] = []
    error: Any
    for error in errors:
        parts = _flat(list(error.exceptions)) if type(error) in GROUPS else [error]
        found.extend(part for part in parts if not any(part is each for each in found))
    return found


def open_loop(queue_len: int | None = None) -> OpenLoop:
    """`async with open_loop() as loop:` gives the block of Trio code an asyncio loop, a `TrioEventLoop`.

    queue_len: how many callbacks may be ready at a time; one more raises trio.WouldBlock. None for no limit.

    Leaving the block runs the callbacks that are scheduled, cancels the asyncio and Trio tasks that were
    started on the loop, waits for them, and closes the loop. An exception of the block leaves it unchanged;
    errors of background tasks and callbacks end the block with an exception group.
    """
    return OpenLoop(queue_len)


def run(
    proc: Callable[..., Awaitable[T]], *args: Any, queue_len: int | None = None, **trio_run_options: Any
) -> T:
    """`trio.run` with `open_loop` around `proc(*args)`, which is Trio code. Options are those of trio.run."""

    async def main() -> T:
        async with open_loop(queue_len):
            result = await proc(*args)
        return result  # noqa: RET504  # outside the block, which might swallow an exception

    return trio.run(main, **trio_run_options)
