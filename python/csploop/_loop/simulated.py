"""SimulatedLoop: a loop whose time is simulated, and moves when nothing holds it.

The loop moves time by itself, from timer to timer, when it runs by itself; a host that moves it (a csp
engine) calls `settle`, which does all that is to be done at one time.

Timers (simulated_timers.py) are kept in Python and not in the core: at one time there may be one of them or
ten thousand, and as long as the program does no I/O no turn crosses into C at all (bench/csp/
simulated_year.py). The core's clock is set before each turn that does.

Owner: the loop's thread.
"""

from __future__ import annotations

from asyncio import futures
from collections import deque
from heapq import heappop
from itertools import repeat
from typing import Any, Callable

from csploop._compat import has_begun
from csploop._ffi.errors import check
from csploop._loop.clock import monotonic
from csploop._loop.handles import EmptyTimerHandle
from csploop._loop.holds import HoldsMixin
from csploop._loop.serial import SerialMixin
from csploop._loop.simulated_timers import NEVER_US, SimulatedTimersMixin

__all__ = ["NEVER_US", "SimulatedLoop", "no_interrupt"]

TURNS_AT_ONE_TIME = 100_000
LOOK_EVERY = 1_000  # turns
IO_TIMEOUT = 60.0

take_first = deque.popleft
# What asyncio.sleep has its timer call: (future, result).
end_sleep: Any = futures._set_result_unless_cancelled  # type: ignore[attr-defined]


def no_interrupt() -> None:
    """A host that takes note of Ctrl-C without an exception puts a function here that raises in good time."""


class SimulatedLoop(SerialMixin, SimulatedTimersMixin, HoldsMixin):
    """start_us, end_us: the first and the last time, microseconds since the epoch.

    io_timeout: how long (real seconds) one operation may hold time before that is an error.
    """

    def __init__(
        self,
        *,
        start_us: int = 0,
        end_us: int = NEVER_US,
        io_timeout: float = IO_TIMEOUT,
        poller: str | None = None,
        write: str = "gather",
    ) -> None:
        self.check_interrupt: Callable[[], object] = no_interrupt
        self.host_time = None
        self._now_us = start_us
        self._set_end(end_us)
        self._core_us = max(start_us, 0)
        self._io_timeout = io_timeout
        self._turns_here = 0
        super().__init__(poller=poller, write=write)
        # What is taken by iteration is not lost when a signal's exception comes after a call, as in turn.py.
        ready_first = map(take_first, repeat(self._ready))
        due_first = map(take_first, repeat(self._due))
        # What a settling works with, in one piece, because there is one for each sleep.
        self._tools = (self._ready, ready_first, self._due, due_first, self._deadlines, self._timers_at)

    def _configure(self, options: Any) -> None:
        super()._configure(options)
        options.clock = self._lib.CSPLOOP_CLOCK_SIMULATED
        options.start_ns = self._core_us * 1000

    def _set_end(self, end_us: int) -> None:
        self._end_us = min(end_us, NEVER_US - 1)

    def close(self) -> None:
        super().close()
        if self._closed:
            self._drop_timers()
            self._jobs.clear()
            self._holds.clear()

    # Turning.

    def _turns(self) -> None:
        """By itself: time goes from timer to timer, until `_stopping`."""
        self._resume_batch()
        deadline = self._now_us
        while True:
            deadline = self.settle(deadline)
            if self._stopping:
                return
            if deadline > self._end_us:
                if deadline < NEVER_US:
                    self._stopping = True  # the end of time ends the run
                    self.settle(self._end_us)
                    return
                self._cross(-1)
                deadline = self._now_us

    def settle(self, now_us: int) -> int:
        """Moves time, does all there is to do then, and waits for what holds time. Ends early if stopping.

        Returns the next deadline, NEVER_US or more for none. In a turn come first what was ready before, then
        I/O, then the timers that were due before.

        bench: simulated_year. All of a turn is in here, because a call is a part of what a sleep costs.
        """
        if now_us > self._now_us:
            self._now_us = now_us
            self._turns_here = 0
        now = self._now_us
        turns = self._turns_here
        ready, ready_first, due, due_first, deadlines, timers_at = self._tools
        owners = self._owners
        dirty = self._dirty
        # How many of those that have records want no turn of the core: the signals' gate, which only wakes.
        quiet = 0 if self._signal_gate is None else 1
        idle_since = 0.0
        idle_turns = -1
        handle: Any
        if deadlines and deadlines[0] <= now:
            handle = timers_at.get(now)
            if type(handle) is EmptyTimerHandle and handle._id and deadlines[0] == now:
                # The usual case of _take_due, without the call.
                handle._id = 0
                due.append(handle)
                del timers_at[now]
                heappop(deadlines)
            else:
                self._take_due(now)
        while True:
            todo = len(ready)
            if self._overdue:
                self._overdue = False
                self._take_due(now)
            elif not todo and not due:
                busy = self._ops or dirty or len(owners) > quiet
                if self._stopping:
                    if busy:
                        self._cross(0)  # a stopping turn still polls
                    break
                if (self._jobs and self._deliver_job()) or (busy and self._cross(0)):
                    continue
                # The set behind the weak one: asking that costs as much as all the rest.
                if not (self._holds or self._streams or self._children.data):  # type: ignore[attr-defined]
                    break
                names, since = self._held_by()
                if not names:
                    break
                if idle_turns != turns:
                    idle_turns = turns
                    idle_since = monotonic()
                self._wait_for(names, since or idle_since)
                continue
            turns += 1
            if not turns % LOOK_EVERY:
                self._turns_here = turns
                self._look_around()
                turns = self._turns_here
            if self._ops or dirty or len(owners) > quiet:
                self._gather()
                count = self._turn_core(0)
            else:
                count = 0
            if self._debug:
                self._run_ready_checked(todo)
            elif todo:
                for handle in ready_first:
                    if not handle._cancelled:
                        args = handle._args
                        try:
                            if len(args) == 1:  # as wake-ups have; a star makes a list and a tuple of it
                                handle._context.run(handle._callback, args[0])
                            else:
                                handle._context.run(handle._callback, *args)
                        except (SystemExit, KeyboardInterrupt) as exc:
                            if not has_begun(handle._callback, exc.__traceback__):
                                ready.appendleft(handle)
                            raise
                        except BaseException as exc:
                            self._callback_failed(handle, exc)
                    todo -= 1
                    if not todo:
                        break
            if count:
                self._dispatch_rest()
            if due:
                for handle in due_first:
                    handle._scheduled = False
                    if not handle._cancelled:
                        callback = handle._callback
                        args = handle._args
                        try:
                            if callback is end_sleep:
                                # What it does, in whatever context, without two calls.
                                if not args[0].cancelled():
                                    args[0].set_result(args[1])
                            else:
                                handle._context.run(callback, *args)
                        except (SystemExit, KeyboardInterrupt) as exc:
                            if not has_begun(callback, exc.__traceback__):
                                due.appendleft(handle)
                            raise
                        except BaseException as exc:
                            self._callback_failed(handle, exc)
                    if not due:
                        break
            if self._stopping:
                break
        self._turns_here = turns
        # A traceback that somebody keeps leads to this frame, and must not keep what was called.
        handle = callback = args = None
        return deadlines[0] if deadlines and not self._husks else self.next_deadline_us()

    def _cross(self, timeout_ns: int) -> int:
        """One turn of the core, and what comes of it. Sleeps if nothing is ready and timeout_ns is not 0."""
        self._gather()
        if timeout_ns:
            self._sleeping = True
            if self._ready or (self._jobs and self._jobs[0].inner.done()):
                timeout_ns = 0
        try:
            count = self._turn_core(timeout_ns)
        finally:
            self._sleeping = False
        if count:
            self._dispatch_rest()
        return count

    def _turn_core(self, timeout_ns: int) -> int:
        if self._core_us < self._now_us:
            self._core_us = self._now_us
            check(self._lib.csploop_clock_set(self._core, self._now_us * 1000))
        count: int = self._lib.csploop_turn(self._core, self._batch, timeout_ns)
        check(count)
        self._sent_at = monotonic()
        if count:
            self._unfinished = self._take(count)
            self._batch.n_records = 0
        return count

    def _wait_for(self, names: list[str], since: float) -> None:
        self.check_interrupt()
        left = self._io_timeout - (monotonic() - since)
        if left <= 0:
            raise TimeoutError(
                f"simulated time has been held for more than {self._io_timeout} s by {', '.join(names)}"
            )
        self._cross(max(int(left * 1e9), 1))

    def _look_around(self) -> None:
        """Now and then while callbacks are always ready: what would else happen only when they are not."""
        self.check_interrupt()
        self._deliver_job()
        names, since = self._held_by()
        if names:
            if since and monotonic() - since > self._io_timeout:
                self._wait_for(names, since)
        elif self._turns_here >= TURNS_AT_ONE_TIME:
            self._turns_here = 0
            raise RuntimeError(
                f"{TURNS_AT_ONE_TIME} turns of the loop without simulated time moving: something schedules "
                "itself again and again, such as `while True: await asyncio.sleep(0)`"
            )
