"""Fork and exit: what was written goes out before, and a child leaves its parent's loops alone.

A child that was forked inside a run returns into it, from a callback or a coroutine. Then it has to get out:
its SystemExit, its result or its exception ends the run, and what cleans up behind a run runs, too. So
callbacks that are ready do run there, and timers that the child makes, without the core, which is the
parent's. I/O is refused, and waiting for what cannot come.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import threading
import time
from collections import deque
from operator import attrgetter

from csploop._ffi import lib
from csploop._ffi.errors import ForkedError
from csploop._loop.clock import monotonic
from csploop._loop.state import LoopState, open_loops

__all__ = ["LeavingMixin", "watch_process"]

# How often a child looks whether a thread that it has started scheduled something, in seconds.
LOOK_EVERY = 1e-3


class LeavingMixin(LoopState):
    def _turns_in_child(self) -> None:
        """Runs what is ready until `_stopping` is set. ForkedError where nothing is or can become so."""
        ready = self._ready
        self._unfinished = None  # of the parent's I/O
        while True:
            self._take_due_in_child()
            while not ready and not self._stopping:
                self._wait_in_child()
            self._run_ready(len(ready))
            if self._stopping:
                break

    def _is_forks_own(self, exc: BaseException) -> bool:
        """Whether the exception says no more than that a task has forked.

        From Python 3.14 on the child's thread has forgotten the running loop, so that the task's step cannot
        end. What left the coroutine has become the exception's context, and goes on its way here.
        """
        known = asyncio._get_running_loop() is self
        if known or type(exc) is not RuntimeError or "not the running loop" not in str(exc):
            return False
        asyncio._set_running_loop(self)
        left = exc.__context__
        if isinstance(left, (SystemExit, KeyboardInterrupt)):
            exc.__context__ = None
            raise left
        return True

    def _take_due_in_child(self) -> None:
        """Makes those of the child's own timers ready that are due: no core is there to do it."""
        if self._new_timers:
            now = monotonic()
            timers = sorted((each for each in self._new_timers if not each._cancelled), key=_when)
            self._new_timers = [each for each in timers if each._when > now]
            for handle in timers[: len(timers) - len(self._new_timers)]:
                handle._scheduled = False
                self._ready.append(handle)

    def _wait_in_child(self) -> None:
        others = threading.active_count() > 1
        if not self._new_timers and not others:
            raise ForkedError(lib.CSPLOOP_ECHILD)
        until = self._new_timers[0]._when - monotonic() if self._new_timers else LOOK_EVERY
        time.sleep(max(min(until, LOOK_EVERY) if others else until, 0.0))
        self._take_due_in_child()


_when = attrgetter("_when")


def _before_fork() -> None:
    """The child has a copy of what is unsent; it must not be sent twice."""
    loop = asyncio._get_running_loop()
    if isinstance(loop, LoopState) and loop._dirty and not loop._forked:
        loop._flush()


def _in_child() -> None:
    for loop in open_loops():
        loop._forked = loop._slow = True
        loop._watching = threading.RLock()  # another thread may have been inside
        loop._leaving = loop._thread_id == threading.get_ident() and loop._driver is None
        loop._dirty.clear()
        if loop._leaving:
            loop._new_timers.clear()
            # A batch may be on its way to the parent's protocols just now.
            deque(loop._unfinished or (), maxlen=0)
            loop._put_back.clear()
        gate = loop._signal_gate
        if gate is not None and loop._thread_id is not None:
            # The other end of the pair is the parent's, too: a byte there would wake the wrong process.
            # ValueError: the fork came from another thread than the main one, which has no such descriptor.
            with contextlib.suppress(ValueError):
                signal.set_wakeup_fd(gate.previous)


def _at_exit() -> None:
    """One last try for what the kernel would not take; closed loops have had theirs."""
    for loop in open_loops():
        if loop._thread_id is None and loop._batch is not None and not loop._forked and not loop._closed:
            with loop._watching:  # a thread of the program may begin to run it just now
                if loop._lib.csploop_attach(loop._core) == 0:
                    loop._lib.csploop_submit(loop._core, loop._batch)
                    loop._lib.csploop_detach(loop._core)


_first = threading.Lock()


def watch_process() -> None:
    """Registers the hooks, once in a process, when its first loop is made; that keeps the lock for good."""
    if not _first.acquire(blocking=False):
        return
    atexit.register(_at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before_fork, after_in_child=_in_child)
