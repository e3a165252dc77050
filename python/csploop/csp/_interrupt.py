"""Ctrl-C during a run: a flag instead of an exception in the midst of anything.

An exception that comes out of nowhere can tear a callback from the loop's queue, whose task then waits for
ever. So, where Python's own handler is in place, one of ours stands in for it: the first Ctrl-C sets a flag
and the run ends with KeyboardInterrupt at a place that suits; a second one raises it at once.

csp has a handler of its own, in C, below Python's: it makes every engine end. signal.signal() would take its
place for good, so what the system calls is put back each time.

Owner: the main thread; in others none of this happens.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Interrupts"]

# More than any system's struct sigaction, which is only kept and given back.
SIGACTION_BYTES = 512


class Interrupts:
    """One run's. `interrupted` says whether Ctrl-C came."""

    def __init__(self) -> None:
        self.interrupted = False
        self._action: Any = None
        self._previous: Any = None

    def enter(self) -> None:
        if os.name != "posix" or threading.current_thread() is not threading.main_thread():
            return
        previous = signal.getsignal(signal.SIGINT)
        if previous is not signal.default_int_handler and _outer(previous) is None:
            return
        self._previous = previous
        self._action = ctypes.create_string_buffer(SIGACTION_BYTES)
        _sigaction(None, self._action)
        signal.signal(signal.SIGINT, self._handle)
        _sigaction(self._action, None)

    def leave(self) -> None:
        action, self._action = self._action, None
        if action is not None and signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, self._previous)
            _sigaction(action, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        outer = _outer(self._previous)
        if outer is not None:
            outer.interrupted = True


def _outer(handler: Any) -> Interrupts | None:
    """The one of the run around this one, if that is whose handler it is."""
    owner = getattr(handler, "__self__", None)
    return owner if isinstance(owner, Interrupts) else None


def _sigaction(new: Any, old: Any) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.sigaction(int(signal.SIGINT), new, old) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
