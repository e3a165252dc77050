"""Runner for Pythons before 3.11, which have none. It goes when they do."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, Callable, TypeVar

from csploop._loop.base import new_event_loop
from csploop._loop.ending import await_ends

__all__ = ["Runner"]

T = TypeVar("T")


class Runner:
    """Owns a loop from its first use to close(); as asyncio.Runner of later versions.

    The first Ctrl-C cancels the main task, so that it can clean up; the second one raises where it hits.
    """

    def __init__(
        self,
        *,
        debug: bool | None = None,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        self._debug = debug
        self._factory = loop_factory or new_event_loop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: contextvars.Context | None = None
        self._closed = False
        self._interrupts = 0
        self._task: asyncio.Task[Any] | None = None

    def __enter__(self) -> Runner:
        self.get_loop()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        if self._closed:
            raise RuntimeError("Runner is closed")
        if self._loop is None:
            self._loop = self._factory()
            if self._debug is not None:
                self._loop.set_debug(self._debug)
            self._context = contextvars.copy_context()
        return self._loop

    def run(self, coro: Coroutine[Any, Any, T], *, context: contextvars.Context | None = None) -> T:
        if not asyncio.iscoroutine(coro):
            raise ValueError(f"a coroutine was expected, got {coro!r}")
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("Runner.run() cannot be called from a running event loop")
        loop = self.get_loop()
        # Tasks of these versions copy the context they are made in.
        where = context or self._context
        assert where is not None
        self._task = task = where.run(loop.create_task, coro)
        self._interrupts = 0
        restore = self._take_sigint()
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            if self._interrupts:
                raise KeyboardInterrupt from None
            raise
        finally:
            restore()
            self._task = None

    def close(self) -> None:
        if self._loop is None or self._closed:
            return
        loop = self._loop
        try:
            _cancel_all_tasks(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()
            self._loop = None
            self._closed = True

    def _take_sigint(self) -> Callable[[], None]:
        ours = self._on_sigint
        in_main = threading.current_thread() is threading.main_thread()
        if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return lambda: None
        signal.signal(signal.SIGINT, ours)

        def restore() -> None:
            if signal.getsignal(signal.SIGINT) == ours:
                signal.signal(signal.SIGINT, signal.default_int_handler)

        return restore

    def _on_sigint(self, signum: int, frame: FrameType | None) -> None:
        self._interrupts += 1
        task, loop = self._task, self._loop
        if self._interrupts == 1 and task is not None and loop is not None and not task.done():
            task.cancel()
            loop.call_soon_threadsafe(lambda: None)  # ends the loop's sleep
            return
        raise KeyboardInterrupt


def _cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    loop.run_until_complete(await_ends(tasks, "unhandled exception during csploop.run() shutdown"))
