"""SyncTrioEventLoop: a loop that runs by itself, with Trio as its guest.

For programs that call run_until_complete more than once and still want Trio. The Trio run begins with the
first Trio task, sleeps while the loop does not run, and ends when the loop is closed. No thread is involved.

Owner: the thread that runs the loop. While it does not run, the thread knows nothing of its Trio run, so
there may be several such loops, and other Trio runs in between.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Callable

import trio
from sniffio import thread_local

from csploop.trio._guest import Guest
from csploop.trio._inside import swap_run
from csploop.trio._loop import BaseTrioEventLoop

__all__ = ["SyncTrioEventLoop"]


class SyncTrioEventLoop(BaseTrioEventLoop):
    """A loop with run_until_complete and run_forever whose asyncio code can call Trio code."""

    def __init__(
        self, queue_len: int | None = None, *, poller: str | None = None, write: str = "gather"
    ) -> None:
        super().__init__(queue_len, poller=poller, write=write)
        self._guest: Guest | None = None
        # What the thread knows of our Trio run, while the loop does not run.
        self._aside: dict[str, Any] = {}

    def run_forever(self) -> None:
        self._check_closed()
        self._check_running()
        library = thread_local.name
        others = swap_run(self._aside)
        thread_local.name = "asyncio"
        self._stopped = trio.Event()
        try:
            super().run_forever()
        finally:
            self._stopped.set()
            thread_local.name = library
            self._aside = swap_run(others)

    def _start(
        self, runner: Callable[..., Awaitable[None]], owner: object, proc: Callable[..., Any], args: Any
    ) -> None:
        self._check_closed()
        if self.is_running():
            self._start_inside(runner, owner, proc, args)
            return
        others = swap_run(self._aside)
        try:
            self._start_inside(runner, owner, proc, args)
        finally:
            self._aside = swap_run(others)

    def _start_inside(
        self, runner: Callable[..., Awaitable[None]], owner: object, proc: Callable[..., Any], args: Any
    ) -> None:
        if self._guest is None:
            guest = Guest(self, lasting=self)
            guest.start({})
            self._guest = guest
        self._guest._start(runner, owner, proc, args)

    def _failed(self, error: BaseException) -> None:
        if self._guest is not None:
            self._guest._failed(error)

    def close(self) -> None:
        """Ends the Trio run, cancelling what is left in it, and closes the loop."""
        guest = self._guest
        if guest is None or self._closed or self.is_running():
            super().close()
            return
        self._guest = None
        self.call_soon(guest.finish)
        try:
            try:
                self.run_until_complete(guest.ended)
            except (KeyboardInterrupt, SystemExit):
                # Tasks hear only now of what has ended the run before, and it leaves them, too.
                self.run_until_complete(guest.ended)
                raise
        finally:
            super().close()

    def __enter__(self) -> SyncTrioEventLoop:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
