"""What other threads may do: append to the ready queue and, if the loop sleeps, wake it.

No lost wake-up: the loop's thread sets `_sleeping` and then looks at the queue once more before it blocks; a
producer appends and then looks at `_sleeping`. Under the GIL one of the two sees the other. Without a GIL
producers always ring, and the core coalesces.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import Any, Callable

from csploop._compat import HAS_GIL
from csploop._loop.state import LoopState
from csploop._loop.threadsafe_handle import make_safe, queued

__all__ = ["ThreadsMixin"]


class ThreadsMixin(LoopState):
    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle: asyncio.Handle
        if self._slow:
            handle = self._call_soon_checked(callback, args, context, "call_soon_threadsafe")
        else:
            safe = make_safe(self, callback, args, copy_context() if context is None else context)
            self._ready.append(queued(safe))
            handle = safe
        if self._sleeping or not HAS_GIL:
            self._wake()
        return handle

    def _wake(self) -> None:
        # A loop that closes meanwhile answers with an error code, and then there is nobody left to wake.
        self._lib.csploop_wake(self._core)

    def _ring(self) -> None:
        """For another thread, when it has left something for the loop: ends the loop's sleep."""
        if self._sleeping or not HAS_GIL:
            self._wake()

    def _write_to_self(self) -> None:
        """What asyncio's base class calls to wake its loop."""
        self._wake()
