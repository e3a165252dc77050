"""BackgroundRun: the loop has a thread of its own, beside the engine's. asyncio_on_thread=True.

Values come to the engine through the run's errands and a push that makes the pump tick. Realtime only: in
simulation csp drops what other threads push. In the main thread the loop also watches for signals, so that
Ctrl-C wakes the engine.

Owner: the engine's thread; the loop's methods belong to the loop's thread.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from asyncio import events
from asyncio.log import logger
from collections.abc import Coroutine
from concurrent.futures import Future
from datetime import datetime
from typing import TYPE_CHECKING, Any, Callable

from csploop._loop.base import Loop
from csploop.csp._run import Run, set_current_run
from csploop.csp._times import utc_now

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["BackgroundRun"]


class BackgroundRun(Run):
    """`with run:` around csp's own run."""

    on_thread = True

    def __init__(self) -> None:
        super().__init__(Loop())
        self._outer_run: Run | None = None
        self._lock = threading.Lock()
        self._push_tick: Callable[[bool], None] | None = None
        self._pushed = False
        self._relay: SignalRelay | None = None
        self._loop_thread = threading.Thread(target=self._run_loop, name="csploop-csp-loop", daemon=True)
        # For tests and benchmarks.
        self.ticks = 0

    def __enter__(self) -> BackgroundRun:
        self._nested = events._get_running_loop() is not None
        self._outer_run = set_current_run(self)
        self._loop_thread.start()
        if threading.current_thread() is threading.main_thread():
            self._relay = SignalRelay(self.loop, self._wake_engine)
        self._interrupts.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._engine_stopped()
        self._input_stopped()
        loop = self.loop
        try:
            asyncio.run_coroutine_threadsafe(self._wind_up(everything=True), loop).result()
            self._raise_interrupt(value)
        finally:
            self._ended = True
            self._interrupts.leave()
            if self._relay is not None:
                self._relay.close()
            loop.call_soon_threadsafe(loop.stop)
            self._loop_thread.join()
            loop.close()
            set_current_run(self._outer_run)
        self._raise_failure(value)

    def now(self) -> datetime:
        if self._on_engine_thread():
            return super().now()
        # The engine's own now is not for other threads; in realtime it follows the wall clock.
        return utc_now()

    def create_task(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None) -> asyncio.Task[Any]:
        if threading.current_thread() is self._loop_thread:
            return super().create_task(coro, name=name)
        made: Future[asyncio.Task[Any]] = Future()
        make = super().create_task

        def create() -> None:
            try:
                made.set_result(make(coro, name=name))
            except BaseException as exc:
                made.set_exception(exc)

        self.loop.call_soon_threadsafe(create)
        return made.result()

    def _run_loop(self) -> None:
        set_current_run(self)
        self.loop.run_forever()

    # What csp calls.

    def _input_started(self, push_tick: Callable[[bool], None]) -> None:
        with self._lock:
            self._push_tick = push_tick

    def _input_stopped(self) -> None:
        with self._lock:
            self._push_tick = None

    def _engine_started(self, now: Callable[[], datetime], stop: Callable[[], None], *alarms: object) -> None:
        super()._engine_started(now, stop)
        if self._errands or self._stop_wanted or self._failure is not None:
            self._wake_engine()

    def _alarm_fired(self) -> None:
        raise AssertionError("the pump of a loop with its own thread has no alarm")

    def _tick(self) -> None:
        self._pushed = False  # before the errands are taken: what comes now pushes again
        self.ticks += 1
        self._do_errands()
        if self._relay is not None:
            self._note_signals(self._relay.seen)

    def _wake_engine(self) -> None:
        with self._lock:
            if not self._pushed and self._push_tick is not None:
                self._pushed = True
                self._push_tick(True)


class SignalRelay:
    """While it is open, signals wake the engine, though its thread does not look at the loop's descriptor."""

    def __init__(self, loop: Loop, wake: Callable[[], object]) -> None:
        self.seen: set[int] = set()
        self._loop = loop
        self._wake = wake
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)
        self._previous = signal.set_wakeup_fd(self._outer.fileno(), warn_on_full_buffer=False)
        loop.call_soon_threadsafe(loop.add_reader, self._inner, self._read)

    def _read(self) -> None:
        data = self._inner.recv(4096)
        self.seen.update(data)
        if self._previous >= 0:
            try:
                os.write(self._previous, data)
            except OSError as exc:
                logger.debug("the previous signal wakeup descriptor does not take more: %r", exc)
        self._wake()

    def close(self) -> None:
        current = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(self._previous if current == self._outer.fileno() else current)
        removed: Future[bool] = Future()
        self._loop.call_soon_threadsafe(lambda: removed.set_result(self._loop.remove_reader(self._inner)))
        removed.result()
        self._inner.close()
        self._outer.close()
