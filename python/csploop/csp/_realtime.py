"""RealtimeRun: the engine waits for both, the pump turns the loop.

After each tick of the pump, one of these makes it tick again: a push at once when the loop has work ready;
an alarm at the loop's next deadline; a push from the thread that watches the loop's descriptor (`_wake.py`).
A push and not an alarm when there is work, because csp runs due alarms before pushes, and a loop that is
never idle would starve all others who push. There is at most one alarm; it is moved, never added to.

csp's alarms follow the wall clock, the loop's timers the monotonic one. On Linux the loop's descriptor tells
when the wall clock is set, as long as a timer of the wall clock waits, however far away: the alarm is then
moved to where the deadline is now.

Where a step has emitted values, getting ready for sleep is put off to a tick of its own, behind theirs: that
is half of the way from a coroutine to a tick (bench/csp/ticks.py).

Owner: the engine's thread.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Any, Callable

from csploop._loop.base import Loop
from csploop._loop.clock import monotonic_ns, wall_clock_ns
from csploop._loop.driver import Driver
from csploop._loop.handles import TimerHandle
from csploop.csp._driven import DrivenRun
from csploop.csp._times import MICROSECOND, to_microseconds
from csploop.csp._wake import Watch, watch

__all__ = ["RealtimeRun"]

# As far as an alarm may be away; csp's times end in 2261.
FAR_NS = 10**9 * 86400 * 365
# Elsewhere a waiting timer of the wall clock would wake the loop each second.
TELLS_OF_CLOCK_CHANGES = sys.platform == "linux"
# The wall clock and the monotonic one drift apart; more than this is a step.
STEP_NS = 1_000_000


class RealtimeRun(DrivenRun):
    """A run in realtime whose loop shares the engine's thread. `with run:` around csp's own run."""

    def __init__(self, loop: Loop | None = None) -> None:
        super().__init__(Loop() if loop is None else loop, owned=loop is None)
        self._driver = Driver(self.loop, rearm=self._push, on_stop=self._loop_stopped)
        self._watch: Watch | None = None
        self._push_tick: Callable[[bool], None] | None = None
        self._pushed = False
        # Whether the next tick has to step the loop; wakes of the watching thread are counted apart.
        self._due = True
        self._wakes_seen = 0
        self._schedule: Callable[[timedelta], Any] | None = None
        self._reschedule: Callable[[Any, timedelta], Any] | None = None
        self._cancel: Callable[[Any], object] | None = None
        self._alarm: Any = None
        self._alarm_at = 0  # wall clock, ns
        self._deadline = 0  # monotonic clock, ns
        self._clock_bell: TimerHandle | None = None
        # For tests and benchmarks: how often the pump ticked, and why.
        self.ticks = 0
        self.alarms = 0
        self.wakes = 0

    def _close_engine(self) -> None:
        self._engine_stopped()
        self._input_stopped()

    # What csp calls.

    def _input_started(self, push_tick: Callable[[bool], None]) -> None:
        self._push_tick = push_tick

    def _input_stopped(self) -> None:
        self._push_tick = None
        self._close_watch()

    def _engine_started(  # type: ignore[override]
        self,
        now: Callable[[], datetime],
        stop: Callable[[], None],
        schedule: Callable[[timedelta], Any],
        reschedule: Callable[[Any, timedelta], Any],
        cancel: Callable[[Any], object],
    ) -> None:
        super()._engine_started(now, stop)
        self._schedule = schedule
        self._reschedule = reschedule
        self._cancel = cancel
        if TELLS_OF_CLOCK_CHANGES:
            self._hang_clock_bell()
        self._push()

    def _hang_clock_bell(self) -> None:
        self._clock_bell = self.loop._call_at_wall(wall_clock_ns() + FAR_NS, self._hang_clock_bell)

    def _engine_stopped(self) -> None:
        super()._engine_stopped()
        self._schedule = self._reschedule = self._cancel = None
        self._alarm = None
        bell, self._clock_bell = self._clock_bell, None
        if bell is not None:
            bell.cancel()
        self._close_watch()

    def _alarm_fired(self) -> None:
        self._alarm = None
        self._due = True
        self.alarms += 1

    def _tick(self) -> None:
        self._pushed = False
        self.ticks += 1
        wakes = self.wakes
        if not self._due and wakes == self._wakes_seen:
            self._arm()
            return
        self._due = False
        self._wakes_seen = wakes
        self._driver.step()
        if self._errands or self._stop_wanted or self._failure is not None:
            self._do_errands()
        gate = self.loop._signal_gate
        if gate is not None and (gate.seen or self._interrupts.interrupted):
            self._note_signals(gate.seen)
        if self._flying and not self._pushed:
            # csp does first what is due, which the values are, and only then looks at pushes.
            if self.loop._ready:
                self._due = True
            self._push_soon()
        else:
            self._arm()

    # What makes it tick.

    def _push(self) -> None:
        """From the engine's thread: to step the loop."""
        self._due = True
        self._push_soon()

    def _push_soon(self) -> None:
        if not self._pushed and self._push_tick is not None:
            self._pushed = True
            self._push_tick(True)

    def _wake_engine(self) -> None:
        if self._on_engine_thread():
            self._push()
        else:
            self._wake_loop()

    def _woken(self) -> None:
        """From the thread that watches the descriptor."""
        self.wakes += 1
        push_tick = self._push_tick
        if push_tick is not None:
            push_tick(True)

    def _arm(self) -> None:
        deadline = self._driver.next_deadline()
        if deadline == 0:
            self._push()
            return
        if deadline is not None:
            self._arm_alarm(deadline)
        elif self._alarm is not None:
            self._cancel_alarm()
        if self._watch is None:
            self._watch = watch(self._driver.fileno(), self._woken)
        self._watch.arm()

    def _arm_alarm(self, deadline: int) -> None:
        """The deadline is on the monotonic clock, csp's alarms are on the wall clock."""
        wall = wall_clock_ns()
        at = wall + min(deadline - monotonic_ns(), FAR_NS)
        if self._alarm is not None and deadline == self._deadline and abs(at - self._alarm_at) < STEP_NS:
            return
        assert self._schedule is not None and self._reschedule is not None
        # csp counts from its now(), the beginning of this cycle, in whole microseconds. Never early.
        delay = MICROSECOND * max(at // 1000 + 1 - to_microseconds(self.now()), 0)
        if self._alarm is None:
            self._alarm = self._schedule(delay)
        else:
            self._alarm = self._reschedule(self._alarm, delay)
        self._alarm_at = at
        self._deadline = deadline

    def _cancel_alarm(self) -> None:
        assert self._cancel is not None
        self._cancel(self._alarm)
        self._alarm = None

    def _close_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
