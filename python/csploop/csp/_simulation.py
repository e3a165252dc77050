"""SimulatedRun: the loop lives in engine time.

The pump's alarm ticks at the loop's next deadline and moves the loop's clock to it; then all that is to be
done at that time is done, in one tick, and what holds time is waited for inside the tick, so that the engine
cannot go on meanwhile. In simulation csp drops pushes: what nodes schedule between two ticks moves the alarm
to now.

Owner: the engine's thread.
"""

from __future__ import annotations

import sys
from asyncio import events
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Callable

from csploop._loop.driver import Driver
from csploop._loop.simulated import IO_TIMEOUT, NEVER_US, SimulatedLoop
from csploop.csp._guest import Guest
from csploop.csp._run import Run, set_current_run
from csploop.csp._times import to_microseconds

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["SettlingDriver", "SimulatedRun"]

AT_ONCE = timedelta()
NOW = -1


class SettlingDriver(Driver):
    """Holds a simulated loop for a host that moves its time."""

    loop: SimulatedLoop

    def settle(self, now_us: int) -> int:
        """Moves time, does all there is to do, and returns the next deadline (NEVER_US for none)."""
        loop = self.loop
        self._rearmed = True  # nothing that is scheduled in here has to be told to the host
        loop._outside = None
        loop._slow = loop._debug or loop._forked
        loop._dirty = loop._gathered
        try:
            loop.move_to(now_us)
            loop.settle()
            return loop.next_deadline_us()
        finally:
            if loop._gathered or loop._ops:
                loop._flush()
            self._rearmed = False
            loop._dirty = loop._eager
            loop._outside = self
            loop._slow = True


class SimulatedRun(Run):
    """A run in simulation. `with run:` around csp's own run, between start and end (microseconds)."""

    realtime = False
    loop: SimulatedLoop

    def __init__(self, start_us: int, end_us: int, io_timeout: float = IO_TIMEOUT) -> None:
        super().__init__(SimulatedLoop(start_us=start_us, io_timeout=io_timeout))
        self._end_us = end_us
        self._driver = SettlingDriver(self.loop, rearm=self._rearm, on_stop=self._loop_stopped)
        self._guest = Guest()
        self._outer_run: Run | None = None
        self._outer_hooks: Any = None
        self._schedule: Callable[[timedelta, int], Any] | None = None
        self._cancel: Callable[[Any], object] | None = None
        self._alarm: Any = None
        self._alarm_us = NEVER_US
        # For tests and benchmarks.
        self.ticks = 0

    def __enter__(self) -> SimulatedRun:
        loop = self.loop
        self._guest.enter()
        try:
            self._driver.open()
            loop._resume_batch()
            self._outer_hooks = sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(
                firstiter=loop._asyncgen_firstiter_hook, finalizer=loop._asyncgen_finalizer_hook
            )
            events._set_running_loop(loop)
        except BaseException:
            self._guest.leave()
            loop.close()
            raise
        self._outer_run = set_current_run(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._engine_stopped()
        events._set_running_loop(None)
        sys.set_asyncgen_hooks(*self._outer_hooks)
        try:
            self._driver.close()
            try:
                self._finish()
                self._raise_interrupt(value)
            finally:
                self.loop.close()
        finally:
            set_current_run(self._outer_run)
            self._guest.leave()
        self._raise_failure(value)

    # What the pump's node calls.

    def _engine_started(  # type: ignore[override]
        self,
        now: Callable[[], datetime],
        stop: Callable[[], None],
        schedule: Callable[[timedelta, int], Any],
        cancel: Callable[[Any], object],
    ) -> None:
        super()._engine_started(now, stop)
        self._schedule = schedule
        self._cancel = cancel
        self.loop.move_to(to_microseconds(now()))
        self._set_alarm(NOW)

    def _engine_stopped(self) -> None:
        super()._engine_stopped()
        self._schedule = self._cancel = self._alarm = None

    def _tick(self, at: int) -> None:
        """bench: simulated_year.py. Once for each engine time at which the loop has something to do."""
        self._alarm = None
        self.ticks += 1
        if at == NOW:
            at = to_microseconds(self.now())
        deadline = self._driver.settle(at)
        if self._errands or self._stop_wanted or self._failure is not None:
            self._do_errands()
        if self._alarm is None and deadline <= self._end_us:
            self._alarm_us = deadline
            self._alarm = self._schedule(timedelta(microseconds=deadline - at), deadline)  # type: ignore[misc]

    # What makes it tick.

    def _rearm(self) -> None:
        """Something was scheduled between two ticks: tick in a following cycle, at the same time."""
        self._set_alarm(NOW)

    def _wake_engine(self) -> None:
        if self._on_engine_thread():
            self._set_alarm(NOW)
        else:
            self.loop.call_soon_threadsafe(_nothing)

    def _set_alarm(self, at: int) -> None:
        if self._schedule is None or self._cancel is None:
            return  # before the start, which ticks; or after the stop
        if self._alarm is not None:
            if self._alarm_us == at:
                return
            self._cancel(self._alarm)
        self._alarm_us = at
        self._alarm = self._schedule(AT_ONCE, at)


def _nothing() -> None:
    pass
