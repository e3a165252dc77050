"""The handle of call_soon_threadsafe: other threads may cancel it, and ask whether it is cancelled.

Who does so while the callback runs waits until it has ended; what is cancelled before does not begin. asyncio
has this since Python 3.14, csploop on every Python. What lies in the ready queue is not the handle itself but
an ordinary one that runs it: so the loop's way of running handles knows nothing of locks.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any, Callable

from csploop._compat import ThreadSafeHandle, has_begun
from csploop._loop.handles import EmptyHandle

if TYPE_CHECKING:
    from contextvars import Context

__all__ = ["SafeHandle", "make_safe", "queued"]


class SafeHandle(ThreadSafeHandle):  # type: ignore[misc]  # which class that is depends on the Python
    """What the user gets. It does not know its place in the queue, which would be a cycle."""

    __slots__ = ()

    if TYPE_CHECKING:
        _callback: Any
        _args: Any
        _cancelled: bool
        _loop: Any
        _lock: Any

    def _run(self) -> None:
        """In its context. What a signal's exception kept from beginning is first in the queue again."""
        begun = False
        callback: Any = None
        try:
            with self._lock:
                if not self._cancelled:
                    callback, args = self._callback, self._args
                    begun = True
                    callback(*args)
        except (SystemExit, KeyboardInterrupt) as exc:
            if not begun or not has_begun(callback, exc.__traceback__):
                self._loop._ready.appendleft(queued(self))
            raise


class EmptySafeHandle(SafeHandle):
    """As EmptyHandle."""

    __slots__ = ()
    __init__ = object.__init__


EmptySafeHandle.__name__ = SafeHandle.__name__ = ThreadSafeHandle.__name__


class QueuedHandle(EmptyHandle):
    """What the loop runs. Nobody else knows it, so most of it is the same for all."""

    __slots__ = ()
    _args = ()
    _cancelled = False
    _repr = None

    @property
    def _source_traceback(self) -> Any:
        return self._callback.__self__._source_traceback  # type: ignore[union-attr]

    def __repr__(self) -> str:
        return repr(self._callback.__self__)  # type: ignore[union-attr]  # a SafeHandle's method


def make_safe(loop: Any, callback: Callable[..., object], args: Any, context: Context) -> Any:
    """Without the constructors, which cost as much as all the rest."""
    handle: Any = EmptySafeHandle()
    handle._callback = callback
    handle._args = args
    handle._loop = loop
    handle._context = context
    handle._cancelled = False
    handle._repr = None
    handle._source_traceback = None
    handle._lock = RLock()
    return handle


def queued(handle: Any) -> Any:
    """What goes into the ready queue for it."""
    item: Any = QueuedHandle()
    item._callback = handle._run
    item._context = handle._context
    return item
