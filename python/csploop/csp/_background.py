"""BackgroundRun: coroutines run on the shared loop, whose thread is not the engine's. asyncio_on_thread=True.

The loop is not the run's: sessions, connections and locks that are kept on it serve one graph after the
other, and several at a time. So the run ends what it has begun and nothing else, and its context tells whose
a coroutine is. Only where the engine has the thread of such a loop, because a coroutine there runs a graph,
there is a loop for that run alone.

Values come to the engine through the run's errands and a push that makes the pump tick. Realtime only: in
simulation csp drops what other threads push. In the main thread the loop also watches for signals, so that
Ctrl-C wakes the engine.

Owner: the engine's thread; the loop's methods belong to the loop's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from asyncio import events
from asyncio.log import logger
from collections.abc import Coroutine
from contextvars import Token, copy_context
from datetime import datetime
from typing import TYPE_CHECKING, Any, Callable

from csploop._loop.base import Loop
from csploop.csp._loop_thread import LoopEnded, is_loop_thread
from csploop.csp._run import Run, run_of_context, set_current_run
from csploop.csp._shared_loop import BackgroundLoop, shared_background
from csploop.csp._times import utc_now

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["BackgroundRun"]

GONE = "the shared loop was shut down while a graph used it"


class BackgroundRun(Run):
    """`with run:` around csp's own run."""

    on_thread = True

    def __init__(self) -> None:
        # On the shared loop's thread, and on the thread of a run inside a run there.
        self._owned = is_loop_thread()
        self._background = BackgroundLoop("csploop-csp-loop") if self._owned else shared_background()
        super().__init__(self._background.loop)
        self._outer_run: Run | None = None
        self._outer_context: Token[Run | None] | None = None
        # Nothing may be put into a loop that has begun to end: it might not come to it any more.
        self._loop_lock = threading.RLock()
        self._loop_gone = False
        self._pump_lock = threading.Lock()
        self._push_tick: Callable[[bool], None] | None = None
        self._pushed = False
        self._relay: SignalRelay | None = None
        # For tests and benchmarks.
        self.ticks = 0

    def __enter__(self) -> BackgroundRun:
        with contextlib.ExitStack() as undo:
            if self._owned:
                undo.callback(self._background.stop)
            if threading.current_thread() is threading.main_thread():
                self._relay = SignalRelay(self._background, self._wake_engine)
                undo.callback(self._relay.close)
            if not self._background.add_user(self._loop_ends):
                raise RuntimeError(GONE)
            undo.pop_all()
        self._nested = events._get_running_loop() is not None
        self._outer_run = set_current_run(self)
        # What this thread has the loop call is the run's from here on.
        self._outer_context = run_of_context.set(self)
        self._interrupts.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._engine_stopped()
        self._input_stopped()
        try:
            try:
                self._background.ask(lambda: self._wind_up(everything=False))
            except LoopEnded:
                self._background.join(None)  # it may still be ending its tasks, ours among them
                self._wind_up_alone()
            self._raise_interrupt(value)
        finally:
            self._ended = True
            self._interrupts.leave()
            if self._relay is not None:
                self._relay.close()
            self._background.remove_user(self._loop_ends)
            if self._owned:
                self._background.stop()
            assert self._outer_context is not None
            run_of_context.reset(self._outer_context)
            set_current_run(self._outer_run)
        self._raise_failure(value)

    def _loop_ends(self) -> None:
        """On the loop's thread, which cancels all tasks next."""
        with self._loop_lock:
            self._loop_gone = True
        for task in self._tasks:
            # SystemExit, say, which has left the loop and so ended it before the run heard of it.
            if task.done() and not task.cancelled():
                exc = task.exception()
                if exc is not None:
                    self.fail(exc)
        self.fail(RuntimeError(GONE))

    def _wind_up_alone(self) -> None:
        """The tasks have ended with the loop. What else is to be done at the end has a loop made for it."""
        with contextlib.closing(Loop()) as loop:
            loop.run_until_complete(self._call_stop_callbacks())

    def now(self) -> datetime:
        if self._on_engine_thread():
            return super().now()
        # The engine's own now is not for other threads; in realtime it follows the wall clock.
        return utc_now()

    def create_task(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None) -> asyncio.Task[Any]:
        if self._background.is_current:
            return super().create_task(coro, name=name)
        make = super().create_task
        try:
            task: asyncio.Task[Any] = self._background.ask(lambda: make(coro, name=name))
        except LoopEnded:
            coro.close()
            raise RuntimeError(GONE) from None
        return task

    def in_loop(self, callback: Callable[..., object], *args: Any) -> None:
        context = None
        if not self._on_engine_thread():
            context = copy_context()
            context.run(run_of_context.set, self)
        with self._loop_lock:
            if self._loop_gone:
                raise RuntimeError(GONE)
            self.loop.call_soon_threadsafe(callback, *args, context=context)

    # What csp calls.

    def _input_started(self, push_tick: Callable[[bool], None]) -> None:
        with self._pump_lock:
            self._push_tick = push_tick

    def _input_stopped(self) -> None:
        with self._pump_lock:
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
        with self._pump_lock:
            if not self._pushed and self._push_tick is not None:
                self._pushed = True
                self._push_tick(True)


class SignalRelay:
    """While it is open, signals wake the engine, though its thread does not look at the loop's descriptor."""

    def __init__(self, background: BackgroundLoop, wake: Callable[[], object]) -> None:
        self.seen: set[int] = set()
        self._background = background
        self._wake = wake
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)
        self._previous = signal.set_wakeup_fd(self._outer.fileno(), warn_on_full_buffer=False)
        with contextlib.suppress(RuntimeError):  # it ends, and the run will hear of it
            background.call(background.loop.add_reader, self._inner, self._read)

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
        with contextlib.suppress(LoopEnded):
            self._background.ask(lambda: self._background.loop.remove_reader(self._inner))
        self._inner.close()
        self._outer.close()
