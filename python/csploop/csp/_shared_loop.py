"""Loops on threads of their own, above all the shared one: where coroutines go when no run of csp has a loop.

BackgroundLoop owns its thread and its loop. The shared one is made at first use and lives until
`shutdown_shared_loop()` or the end of the process; a forked child makes its own. All functions may be called
from any thread.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from asyncio import events
from typing import Any

from csploop._loop.base import Loop
from csploop.csp._run import current_run

__all__ = [
    "BackgroundLoop",
    "get_async_loop",
    "get_running_loop_or_none",
    "get_shared_loop",
    "shutdown_shared_loop",
]


class BackgroundLoop:
    """A csploop loop that runs on a daemon thread from the constructor to `stop()`."""

    def __init__(self, name: str) -> None:
        self.loop = Loop()
        self._pid = os.getpid()
        running = threading.Event()
        self.loop.call_soon(running.set)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        running.wait()

    @property
    def usable(self) -> bool:
        """Whether it runs, in this process."""
        return self._pid == os.getpid() and self._thread.is_alive() and not self.loop.is_closed()

    def stop(self) -> None:
        """Cancels what runs on the loop, waits until all of it has ended, and closes the loop.

        RuntimeError on the loop's own thread.
        """
        if self._pid != os.getpid():
            return
        self.check_thread()
        with contextlib.suppress(RuntimeError):  # closed: it has been stopped before
            self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def check_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError("this loop's own thread cannot wait for the loop to end")

    def _run(self) -> None:
        loop = self.loop
        try:
            loop.run_forever()
            loop.run_until_complete(_cancel_all())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


async def _cancel_all() -> None:
    me = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not me]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            context = {"message": "unhandled exception at the end of a loop", "exception": task.exception()}
            asyncio.get_running_loop().call_exception_handler({**context, "task": task})


_lock = threading.Lock()
_shared: BackgroundLoop | None = None


def _renew_lock() -> None:
    """In a forked child: another thread may have held it, and will not let it go here."""
    global _lock, _shared
    _lock = threading.Lock()
    _shared = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def get_shared_loop() -> asyncio.AbstractEventLoop:
    """The loop on a background thread that all share who have no other; made and started at first use."""
    global _shared
    with _lock:
        if _shared is None or not _shared.usable:
            if _shared is None:
                atexit.register(shutdown_shared_loop)
            _shared = BackgroundLoop("csploop-shared-loop")
        return _shared.loop


def shutdown_shared_loop() -> None:
    """Cancels what runs on the shared loop, waits for it to end and closes the loop. The next use makes a new
    one. Does nothing where there is none; RuntimeError on the loop's own thread."""
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
