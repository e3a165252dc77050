"""SimulatedRun: the loop lives in engine time.

The pump's alarm ticks at the loop's next deadline and moves the loop's clock to it; then all that is to be
done at that time is done, in one tick, and what holds time is waited for inside the tick, so that the engine
cannot go on meanwhile. In simulation csp drops pushes: what nodes schedule between two ticks moves the alarm
to now.

Owner: the engine's thread.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Callable

from csploop._loop.driver import Driver
from csploop._loop.simulated import NEVER_US, SimulatedLoop, no_interrupt
from csploop.csp._driven import DrivenRun
from csploop.csp._times import AT_ONCE, MICROSECOND, to_microseconds

__all__ = ["SettlingDriver", "SimulatedRun"]

NOW = -1


class SettlingDriver(Driver):
    """Holds a simulated loop for a host that moves its time."""

    loop: SimulatedLoop

    def settle(self, now_us: int) -> int:
        """Moves time, does all there is to do, and returns the next deadline (NEVER_US or more for none)."""
        loop = self.loop
        self._rearmed = True  # nothing that is scheduled in here has to be told to the host
        loop._outside = None
        loop._slow = loop._debug or loop._forked
        loop._dirty = loop._gathered
        try:
            return loop.settle(now_us)
        finally:
            if loop._gathered or loop._ops:
                loop._flush()
            self._rearmed = False
            loop._dirty = loop._eager
            loop._outside = self
            loop._slow = True


class SimulatedRun(DrivenRun):
    """A run in simulation. `with run:` around csp's own run, between start and end (microseconds)."""

    realtime = False
    loop: SimulatedLoop

    def __init__(
        self, start_us: int, end_us: int, io_timeout: float, loop: SimulatedLoop | None = None
    ) -> None:
        owned = loop is None
        super().__init__(loop or SimulatedLoop(start_us=start_us, io_timeout=io_timeout), owned=owned)
        self._end_us = min(end_us, NEVER_US - 1)
        self._driver: SettlingDriver = SettlingDriver(
            self.loop, rearm=self._rearm, on_stop=self._loop_stopped
        )
        self._schedule: Callable[[timedelta, int], Any] | None = None
        self._cancel: Callable[[Any], object] | None = None
        self._alarm: Any = None
        self._spare: Any = None
        self._alarm_us = NEVER_US
        # For tests and benchmarks.
        self.ticks = 0

    def _open_engine(self) -> None:
        self.loop._resume_batch()
        self.loop.check_interrupt = self._check_interrupt

    def _check_interrupt(self) -> None:
        if self._interrupts.interrupted:
            raise KeyboardInterrupt

    def _close_engine(self) -> None:
        self.loop.check_interrupt = no_interrupt
        self.loop.host_time = None
        self._engine_stopped()

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
        self.loop.host_time = lambda: to_microseconds(self.now())
        self._set_alarm(NOW)

    def _engine_stopped(self) -> None:
        super()._engine_stopped()
        if self._last_now is not None:
            self.loop.move_to(to_microseconds(self._last_now))
        self._schedule = self._cancel = self._alarm = self._spare = None

    def _tick(self, at: int) -> None:
        """bench: simulated_year.py. Once for each engine time at which the loop has something to do."""
        self._alarm = None
        if self._spare is not None:
            self._cancel(self._spare)  # type: ignore[misc]
            self._spare = None
        self.ticks += 1
        if at == NOW:
            at = to_microseconds(self.now())
        deadline = self._driver.settle(at)
        if self._interrupts.interrupted:
            raise KeyboardInterrupt
        if self._errands or self._stop_wanted or self._failure is not None:
            self._do_errands()
        if self._alarm is None:
            if deadline > self._end_us:
                if deadline >= NEVER_US:
                    return
                # An alarm behind the end makes the engine go on to the end; far away, its time would not fit.
                deadline = self._end_us + 1
            self._alarm_us = deadline
            self._alarm = self._schedule(MICROSECOND * (deadline - at), deadline)  # type: ignore[misc]

    # What makes it tick.

    def _rearm(self) -> None:
        """Something was scheduled between two ticks: tick in a following cycle, at the same time."""
        self._set_alarm(NOW)

    def _wake_engine(self) -> None:
        if self._on_engine_thread():
            self._set_alarm(NOW)
        else:
            self._wake_loop()

    def _kick(self) -> None:
        if self._alarm is not None and self._alarm_us == NOW:
            self._cancel_both()
            self._set_alarm(NOW)

    def _cancel_both(self) -> None:
        """Those that have been spent are not minded."""
        assert self._cancel is not None
        for alarm in (self._alarm, self._spare):
            if alarm is not None:
                self._cancel(alarm)
        self._alarm = self._spare = None

    def _set_alarm(self, at: int) -> None:
        if self._schedule is None or self._cancel is None:
            return  # before the start, which ticks; or after the stop
        if self._alarm is not None:
            if self._alarm_us == at:
                return
            self._cancel_both()
        self._alarm_us = at
        self._alarm = self._schedule(AT_ONCE, at)
        # While csp starts a dynamic sub-graph it spends alarms for now in this very cycle, in which the pump
        # has had its turn: it then misses the tick. This one it gets, if _kick does not come before.
        self._spare = self._schedule(MICROSECOND, at)
