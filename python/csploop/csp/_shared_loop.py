"""Loops on threads of their own, above all the shared one: where coroutines go that are not to share the
engine's thread, and those for which no run of csp has a loop.

The shared one is made at first use and lives until
`shutdown_shared_loop()` or the end of the process; a forked child makes its own. All functions may be called
from any thread.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from asyncio import events
from typing import Any, Callable

from csploop.csp._loop_thread import LoopThread
from csploop.csp._run import current_run

__all__ = [
    "BackgroundLoop",
    "get_async_loop",
    "get_running_loop_or_none",
    "get_shared_loop",
    "shutdown_shared_loop",
]


class BackgroundLoop(LoopThread):
    """A LoopThread that runs from the constructor to `stop()`, in the process that made it."""

    def __init__(self, name: str) -> None:
        super().__init__(name, self._tell_users)
        self._pid = os.getpid()
        # Who is to hear of its end, on its thread. None when they have heard of it.
        self._users: list[Callable[[], object]] | None = []
        self.start()

    @property
    def usable(self) -> bool:
        """Whether it runs, in this process."""
        return self._pid == os.getpid() and self.is_alive and self._users is not None

    def add_user(self, on_end: Callable[[], object]) -> bool:
        """Has it called, on the loop's thread, when the loop stops. False when that is past."""
        with self._lock:
            if self._users is None:
                return False
            self._users.append(on_end)
            return True

    def remove_user(self, on_end: Callable[[], object]) -> None:
        with self._lock:
            if self._users is not None:
                self._users.remove(on_end)

    def _tell_users(self) -> None:
        with self._lock:
            users, self._users = self._users, None
        for on_end in users or ():
            on_end()

    def stop(self) -> None:
        """Cancels what runs on the loop, waits until all of it has ended, and closes the loop.

        RuntimeError on the loop's own thread.
        """
        if self._pid != os.getpid():
            return
        self.check_thread()
        self.ask_to_stop()
        self.join(None)

    def check_thread(self) -> None:
        if self.is_current:
            raise RuntimeError("this loop's own thread cannot wait for the loop to end")


_lock = threading.Lock()
_shared: BackgroundLoop | None = None


def _renew_lock() -> None:
    """In a forked child: another thread may have held it, and will not let it go here."""
    global _lock, _shared
    _lock = threading.Lock()
    _shared = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def shared_background() -> BackgroundLoop:
    """The shared loop's thread."""
    global _shared
    with _lock:
        if _shared is None or not _shared.usable:
            if _shared is None:
                atexit.register(shutdown_shared_loop)
            _shared = BackgroundLoop("csploop-shared-loop")
        return _shared


def get_shared_loop() -> asyncio.AbstractEventLoop:
    """The loop on a background thread that all share who have no other, and all runs with asyncio_on_thread;
    made and started at first use."""
    return shared_background().loop


def shutdown_shared_loop() -> None:
    """Cancels what runs on the shared loop, waits for it to end and closes the loop. The next use makes a new
    one. A graph that uses it ends with a RuntimeError. Does nothing where there is none; RuntimeError on the
    loop's own thread."""
    global _shared
    with _lock:
        shared = _shared
        if shared is None:
            return
        shared.check_thread()
        _shared = None
    atexit.unregister(shutdown_shared_loop)
    # Not under the lock: what is cancelled may ask for a shared loop once more, and gets a new one.
    shared.stop()


def get_running_loop_or_none() -> asyncio.AbstractEventLoop | None:
    """The loop that runs on this thread, or None. In a node of a same-thread run that is the run's loop."""
    return events._get_running_loop()


def get_async_loop() -> asyncio.AbstractEventLoop:
    """The loop for a coroutine started here: the run's, else the one that runs here, else the shared one."""
    run = current_run()
    if run is not None:
        return run.loop
    return get_running_loop_or_none() or get_shared_loop()


def runs_on_this_thread(loop: Any) -> bool:
    """Whether waiting here for that loop would be waiting for ever: it runs on this very thread."""
    if events._get_running_loop() is loop:
        return True
    # A loop in the midst of a task that called csp.run() is not the running one meanwhile.
    return bool(loop.is_running() and getattr(loop, "_thread_id", None) == threading.get_ident())
