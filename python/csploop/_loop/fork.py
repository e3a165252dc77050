"""Fork and exit: what was written goes out before, and a child leaves its parent's loops alone."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import threading

from csploop._loop.state import LoopState, open_loops

__all__ = ["watch_process"]


def _before_fork() -> None:
    """The child has a copy of what is unsent; it must not be sent twice."""
    loop = asyncio._get_running_loop()
    if isinstance(loop, LoopState) and loop._dirty and not loop._forked:
        loop._flush()


def _in_child() -> None:
    for loop in open_loops():
        loop._forked = loop._slow = True
        loop._watching = threading.RLock()  # another thread may have been inside
        loop._dirty.clear()
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
