"""asyncio's handles, with what the core needs to know about a timer.

The loop makes empty ones and fills the slots itself, because a constructor call costs as much as the rest of
`call_soon` (bench: call_soon), and so does `__new__` by half. In debug mode the ordinary constructor runs,
which records where the handle was made.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from contextvars import Context

__all__ = ["EmptyHandle", "EmptyTimerHandle", "Handle", "TimerHandle"]


class Handle(asyncio.Handle):
    """A callback that is ready to run."""

    __slots__ = ()

    if TYPE_CHECKING:
        _callback: Callable[..., object] | None
        _args: Any
        _context: Context
        _loop: Any
        _repr: str | None
        _source_traceback: Any


class TimerHandle(asyncio.TimerHandle):
    """A callback that waits for its time: `_deadline` in ns, `_id` its name in the core, if it is there."""

    __slots__ = ("_deadline", "_id")

    if TYPE_CHECKING:
        _callback: Callable[..., object] | None
        _args: Any
        _context: Context
        _loop: Any
        _repr: str | None
        _source_traceback: Any
        _when: float
        _scheduled: bool
        _deadline: int
        _id: int

    def cancel(self) -> None:
        if self._cancelled:
            return
        loop = self._loop
        self._cancelled = True
        if self._id:
            loop._timer_handle_cancelled(self)
        if loop._debug:
            self._repr = repr(self)  # the callback is dropped next, and reports want to name it
        self._callback = None
        self._args = None


class EmptyHandle(Handle):
    """A handle of which only the type is set."""

    __slots__ = ()
    __init__ = object.__init__


class EmptyTimerHandle(TimerHandle):
    """As EmptyHandle."""

    __slots__ = ()
    __init__ = object.__init__


# What they are called in reports.
EmptyHandle.__name__ = Handle.__name__
EmptyTimerHandle.__name__ = TimerHandle.__name__
