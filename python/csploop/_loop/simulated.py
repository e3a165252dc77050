"""SimulatedLoop: a loop whose time is simulated, and moves when nothing holds it.

Time is whole microseconds since the epoch, UTC, as a csp engine's. Deadlines are integers rounded up to them,
so that no sleep is too short to end. The loop moves time by itself, from timer to timer, when it runs by
itself; a host that moves it (a csp engine) calls `settle`, which does all that is to be done at one time.

Timers are a heap here and not in the core: at one time there may be one of them or ten thousand, and as long
as the program does no I/O no turn crosses into C at all (bench/csp/simulated_year.py). The core's clock is
set before each turn that does.

Owner: the loop's thread.
"""

from __future__ import annotations

import time
from collections import deque
from contextvars import Context, copy_context
from heapq import heapify, heappop, heappush
from typing import Any, Callable

from csploop._ffi.errors import check
from csploop._loop.handles import TimerHandle
from csploop._loop.holds import HoldsMixin
from csploop._loop.serial import SerialFuture, serial_task

__all__ = ["NEVER_US", "SimulatedLoop", "no_interrupt"]

new_timer_handle = TimerHandle.__new__

# Later than any time that counts: 2262, the end of nanoseconds in 64 bits.
NEVER_US = 2**63 // 1000
TURNS_AT_ONE_TIME = 100_000
IO_TIMEOUT = 60.0


def round_up(seconds: float) -> int:
    """Whole microseconds, not less than `seconds`, but for what the float itself cannot tell."""
    scaled = seconds * 1e6
    if not -NEVER_US < scaled < NEVER_US:
        if scaled != scaled:
            raise ValueError("a timer's time must not be NaN")
        return NEVER_US if scaled > 0 else -NEVER_US
    whole = int(scaled // 1)
    # Two units in the last place: what time() + delay has lost. Today's times are given to a quarter of a us.
    return whole + 1 if scaled - whole > min(abs(scaled) * 4.5e-16, 0.4) else whole


def no_interrupt() -> None:
    """A host that takes note of Ctrl-C without an exception puts a function here that raises in good time."""


class SimulatedLoop(HoldsMixin):
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
        # Microseconds on the clock of a host, while one moves the loop's time.
        self.host_time: Callable[[], int] | None = None
        self._now_us = start_us
        self._end_us = end_us
        self._core_us = max(start_us, 0)
        self._io_timeout = io_timeout
        self._heap: list[tuple[int, int, TimerHandle]] = []
        self._due: deque[TimerHandle] = deque()
        self._timer_serial = 0
        self._husks = 0
        self._turns_here = 0
        self._serial = 0
        self._task_number = 0
        super().__init__(poller=poller, write=write)
        super().set_task_factory(serial_task)

    def _configure(self, options: Any) -> None:
        super()._configure(options)
        options.clock = self._lib.CSPLOOP_CLOCK_SIMULATED
        options.start_ns = self._core_us * 1000

    # Time and timers.

    _has_own_clock = True

    def time(self) -> float:
        """Seconds since the epoch, simulated."""
        if self._outside is not None:
            self._follow_host()
        return self._now_us / 1e6

    def _follow_host(self) -> None:
        """Between two steps the host's time may have gone on; its own code is what asks then."""
        if self.host_time is not None:
            self.move_to(self.host_time())

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        if delay is None:
            raise TypeError("delay must not be None")
        if self._outside is not None:
            self._follow_host()
        scaled = delay * 1e6
        if 0 < scaled < 8e14:  # bench: simulated_year. The usual case of round_up, without the call
            deadline = int(scaled)
            if scaled - deadline > scaled * 4.5e-16:
                deadline += 1
            deadline += self._now_us
        elif scaled <= 0:
            deadline = self._now_us
        else:
            deadline = self._now_us + round_up(delay)
        return self._add_timer(deadline, deadline / 1e6, callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        if when is None:
            raise TypeError("when cannot be None")
        return self._add_timer(round_up(when), when, callback, args, context)

    def _add_timer(
        self, deadline: int, when: float, callback: Callable[..., object], args: Any, context: Context | None
    ) -> TimerHandle:
        if self._slow:
            handle = self._call_at_checked(when, callback, args, context)
        else:
            handle = new_timer_handle(TimerHandle)
            handle._callback = callback
            handle._args = args
            handle._loop = self
            handle._context = copy_context() if context is None else context
            handle._cancelled = False
            handle._repr = None
            handle._source_traceback = None
            handle._when = when
        handle._deadline = deadline
        handle._id = 1  # so that cancel() tells
        handle._scheduled = True
        self._timer_serial = serial = self._timer_serial + 1
        heappush(self._heap, (deadline, serial, handle))
        return handle

    def close(self) -> None:
        super().close()
        if self._closed:
            self._heap.clear()
            self._due.clear()
            self._jobs.clear()
            self._holds.clear()

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        handle._id = 0
        handle._scheduled = False
        self._husks += 1
        if self._husks > 64 and self._husks * 2 > len(self._heap):
            self._heap[:] = [entry for entry in self._heap if entry[2]._id]
            heapify(self._heap)
            self._husks = 0

    def next_deadline_us(self) -> int:
        """Of the earliest timer; NEVER_US without one."""
        heap = self._heap
        while heap and not heap[0][2]._id:
            self._husks -= 1
            heappop(heap)
        return heap[0][0] if heap and heap[0][0] < NEVER_US else NEVER_US

    def move_to(self, now_us: int) -> None:
        """Moves time. It does not go back."""
        if now_us > self._now_us:
            self._now_us = now_us
            self._turns_here = 0

    # The same in every run.

    def create_future(self) -> SerialFuture:
        return SerialFuture(loop=self)

    def set_task_factory(self, factory: Any) -> None:
        super().set_task_factory(serial_task if factory is None else factory)

    def get_task_factory(self) -> Any:
        factory = super().get_task_factory()
        return None if factory is serial_task else factory

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial

    def _next_task_name(self) -> str:
        self._task_number += 1
        return f"Task-{self._task_number}"

    # Turning.

    def _turns(self) -> None:
        """By itself: time goes from timer to timer, until `_stopping`."""
        self._resume_batch()
        while True:
            self.settle()
            if self._stopping:
                return
            deadline = self.next_deadline_us()
            if deadline <= self._end_us and deadline != NEVER_US:
                self.move_to(deadline)
            elif deadline != NEVER_US:
                self.move_to(self._end_us)
                self._stopping = True  # the end of time ends the run
                self.settle()
                return
            else:
                self._cross(-1)

    def settle(self) -> None:
        """Does all there is to do at this time, and waits for what holds time. Ends early if stopping."""
        ready = self._ready
        heap = self._heap
        due = self._due
        owners = self._owners
        # How many of those that have records want no turn of the core: the signals' gate, which only wakes.
        quiet = 0 if self._signal_gate is None else 1
        idle_since = 0.0
        while True:
            now = self._now_us
            while ready or due or (heap and heap[0][0] <= now):
                self._one_turn(now, quiet)
                idle_since = 0.0
                if self._stopping:
                    return
            if self._stopping:
                # A stopping turn still polls.
                if len(owners) > quiet or self._ops or self._dirty:
                    self._cross(0)
                return
            if self._jobs and self._deliver_job():
                continue
            if (len(owners) > quiet or self._ops or self._dirty) and self._cross(0):
                continue
            # The set behind the weak one: asking that costs as much as all the rest (bench: simulated_year).
            if not (self._holds or self._streams or self._children.data):  # type: ignore[attr-defined]
                return
            names, since = self._held_by()
            if not names:
                return
            idle_since = idle_since or time.monotonic()
            self._wait_for(names, since or idle_since)

    def _one_turn(self, now: int, quiet: int) -> None:
        """What was ready before, then I/O, then the timers that were due before."""
        ready = self._ready
        heap = self._heap
        due = self._due
        todo = len(ready)
        # In an order in which Ctrl-C, whose exception comes after a call, loses nothing and doubles nothing.
        while heap and heap[0][0] <= now:
            handle = heap[0][2]
            if handle._id:
                handle._id = 0
                due.append(handle)
            else:
                self._husks -= 1
            heappop(heap)
        self._turns_here = turns = self._turns_here + 1
        if turns > TURNS_AT_ONE_TIME or not turns & 1023:
            self._look_around()
        count = 0
        if len(self._owners) > quiet or self._ops or self._dirty:
            self._gather()
            count = self._turn_core(0)
        if self._debug:
            self._run_ready_checked(todo)
        else:
            for _ in range(todo):
                ready_handle = ready[0]
                del ready[0]
                if ready_handle._cancelled:
                    continue
                try:
                    ready_handle._context.run(ready_handle._callback, *ready_handle._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as exc:
                    self._callback_failed(ready_handle, exc)
        if count:
            self._dispatch_rest()
        while due:
            handle = due[0]
            del due[0]
            handle._scheduled = False
            if handle._cancelled:
                continue
            try:
                handle._context.run(handle._callback, *handle._args)  # type: ignore[arg-type]
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exc:
                self._callback_failed(handle, exc)

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
        self._sent_at = time.monotonic()
        if count:
            self._unfinished = self._take(count)
            self._batch.n_records = 0
        return count

    def _wait_for(self, names: list[str], since: float) -> None:
        self.check_interrupt()
        left = self._io_timeout - (time.monotonic() - since)
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
            if since and time.monotonic() - since > self._io_timeout:
                self._wait_for(names, since)
        elif self._turns_here > TURNS_AT_ONE_TIME:
            self._turns_here = 0
            raise RuntimeError(
                f"{TURNS_AT_ONE_TIME} turns of the loop without simulated time moving: something schedules "
                "itself again and again, such as `while True: await asyncio.sleep(0)`"
            )
