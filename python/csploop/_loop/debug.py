"""Debug mode: who called from where, what took long. Nothing here runs when it is off."""

from __future__ import annotations

import asyncio
import threading
from asyncio import base_events
from asyncio.log import logger
from collections.abc import Iterator
from contextvars import Context
from operator import length_hint
from typing import Any, Callable

from csploop._compat import format_callback, has_begun
from csploop._ffi.errors import ForkedError
from csploop._loop.clock import monotonic
from csploop._loop.handles import Handle
from csploop._loop.state import LoopState
from csploop._loop.threadsafe_handle import SafeHandle, queued
from csploop._loop.words import READ, TIMER

__all__ = ["DebugMixin"]


class DebugMixin(LoopState):
    def set_debug(self, enabled: bool) -> None:
        super().set_debug(enabled)
        self._look_closer()

    def _look_closer(self) -> None:
        """Whether scheduling has to."""
        self._slow = self._debug or self._closed or self._forked or self._outside is not None

    def _check_closed(self) -> None:
        super()._check_closed()
        if self._forked:
            raise ForkedError(self._lib.CSPLOOP_ECHILD)

    def _call_soon_checked(
        self, callback: Callable[..., object], args: Any, context: Context | None, method: str
    ) -> asyncio.Handle:
        """call_soon and call_soon_threadsafe in debug mode, between a host's steps, closed or forked."""
        self._check_closed()
        if self._debug:
            if method == "call_soon":
                self._check_thread()
            self._check_callback(callback, method)
        safe = method == "call_soon_threadsafe"
        handle: asyncio.Handle = (SafeHandle if safe else Handle)(callback, args, self, context)
        traceback: Any = getattr(handle, "_source_traceback")  # noqa: B009
        if traceback:
            # The frames of this file are not where the user made it, nor a constructor's of Python.
            del traceback[-3 if safe else -2 :]
        self._ready.append(queued(handle) if isinstance(handle, SafeHandle) else handle)
        if self._outside is not None and (
            method == "call_soon" or threading.get_ident() == self._thread_id
        ):  # other threads wake the loop instead
            self._outside.scheduled()
        return handle

    def _callback_failed(self, handle: Any, exc: BaseException) -> None:
        """Reports the exception of a callback, in asyncio's words."""
        safe = getattr(handle._callback, "__self__", None)
        if isinstance(safe, SafeHandle):
            handle = safe  # what the user knows of
        callback = format_callback(handle._callback, handle._args, self._debug)
        context = {
            "message": f"Exception in callback {callback}",
            "exception": exc,
            "handle": handle,
        }
        if handle._source_traceback:
            context["source_traceback"] = handle._source_traceback
        self.call_exception_handler(context)

    def _run_handle(self, handle: Any, queue: Any = None, key: int = 0) -> None:
        """Runs one handle, whatever the mode, and takes queue[key] away when it really begins."""
        if handle._cancelled:
            if queue is not None:
                del queue[key]
            return
        if not self._debug:
            if queue is not None:
                del queue[key]
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt) as exc:
                if queue is not None and not has_begun(handle._callback, exc.__traceback__):
                    _give_back(handle, queue, key)
                raise
            except BaseException as exc:
                self._callback_failed(handle, exc)
            handle = None  # as in turn.py, where a kept traceback must not keep it
            return
        self._current_handle = handle
        started = monotonic()
        try:
            if queue is not None:
                del queue[key]
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt) as exc:
                if queue is not None and not has_begun(handle._callback, exc.__traceback__):
                    _give_back(handle, queue, key)
                raise
            except BaseException as exc:
                self._callback_failed(handle, exc)
            took = monotonic() - started
            if took >= self.slow_callback_duration:
                describe: Callable[[Any], str] = getattr(base_events, "_format_handle", str)
                self._report_slow(describe(handle), took)
        finally:
            handle = self._current_handle = None

    def _report_slow(self, what: object, took: float) -> None:
        logger.warning("Executing %s took %.3f seconds", what, took)

    def _run_ready_checked(self, todo: int) -> None:
        ready = self._ready
        for _ in range(todo):
            self._run_handle(ready[0], ready)
            if self._dirty:
                self._relieve()

    def _dispatch_checked(self, items: Iterator[Any]) -> None:
        for item in items:
            alone = None
            try:
                alone = iter((item,))
                self._dispatch_one(item, alone)
            except (SystemExit, KeyboardInterrupt):
                if item[0] in self._timers or (item[1] != TIMER and (alone is None or length_hint(alone))):
                    self._put_back.append(item)  # it did not come to it
                raise

    def _dispatch_one(self, item: Any, alone: Iterator[Any]) -> None:
        id, kind, _ = item
        if kind == TIMER:
            timer = self._timers.get(id)
            if timer is not None:
                timer._scheduled = False
                self._run_handle(timer, self._timers, id)
            return
        owner = self._owners.get(id)
        started = monotonic()
        self._dispatch(alone)
        took = monotonic() - started
        if took >= self.slow_callback_duration:
            self._report_slow(f"{'read' if kind == READ else 'event'} of {owner!r}", took)


def _give_back(handle: Any, queue: Any, key: int) -> None:
    """To the table of timers, or to the head of the ready queue."""
    if isinstance(queue, dict):
        queue[key] = handle
    else:
        queue.appendleft(handle)
