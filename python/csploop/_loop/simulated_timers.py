"""Simulated time and its timers: a heap of deadlines, and for each what is due then, in order.

Time is whole microseconds since the epoch, UTC, as a csp engine's. Deadlines are integers rounded up to them,
so that no sleep is too short to end. Timers of one deadline lie together: they cost the heap one entry, and
they leave it at once. Integers are also what a heap compares fastest.

A cancelled timer stays where it is, with its `_id` 0, until its time comes or such husks are the most. A
deadline may be in the heap with nothing at it, or twice.

Owner: the loop's thread. Ctrl-C, whose exception comes after a call, finds each timer in one place at least.
"""

from __future__ import annotations

from collections import deque
from contextvars import Context, copy_context
from heapq import heapify, heappop, heappush
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Callable

from csploop._loop.handles import EmptyTimerHandle, TimerHandle
from csploop._loop.state import LoopState

__all__ = ["NEVER_US", "SimulatedTimersMixin"]

# Later than any time that counts: 2262, the end of nanoseconds in 64 bits.
NEVER_US = 2**63 // 1000
# Two units in the last place of a float: what time() + delay has lost. Less than 1 us up to FINE us.
FLOAT_LOSS = 4.5e-16
FINE = 8e14
FEW_HUSKS = 64


def round_up(seconds: float) -> int:
    """Whole microseconds, not less than `seconds`, but for what the float itself cannot tell."""
    scaled = seconds * 1e6
    if not -NEVER_US < scaled < NEVER_US:
        if scaled != scaled:
            raise ValueError("a timer's time must not be NaN")
        return NEVER_US if scaled > 0 else -NEVER_US
    if -FINE < scaled < FINE:
        return ceil(scaled - abs(scaled) * FLOAT_LOSS)
    whole = floor(scaled)
    # Today's times are given to a quarter of a microsecond.
    return whole + 1 if scaled - whole > min(abs(scaled) * FLOAT_LOSS, 0.4) else whole


class SimulatedTimersMixin(LoopState):
    _has_own_clock = True
    _now_us: int
    # Turns since time has moved.
    _turns_here: int
    # Microseconds on the clock of a host, while one moves the loop's time.
    host_time: Callable[[], int] | None

    if TYPE_CHECKING:

        def _call_at_checked(
            self, when: float, callback: Callable[..., object], args: Any, context: Context | None
        ) -> TimerHandle: ...

    def __init__(self, *, poller: str | None = None, write: str = "gather") -> None:
        self._deadlines: list[int] = []
        # A handle, or a list of several.
        self._timers_at: dict[int, Any] = {}
        # Those whose time has come.
        self._due: deque[TimerHandle] = deque()
        # Whether timers may have been added whose time had come already.
        self._overdue = False
        self._husks = 0
        self._husk_limit = FEW_HUSKS
        super().__init__(poller=poller, write=write)

    def time(self) -> float:
        """Seconds since the epoch, simulated."""
        if self._outside is not None:
            self._follow_host()
        return self._now_us / 1e6

    def _follow_host(self) -> None:
        """Between two steps the host's time may have gone on; its own code is what asks then."""
        if self.host_time is not None:
            self.move_to(self.host_time())

    def move_to(self, now_us: int) -> None:
        """Moves time. It does not go back."""
        if now_us > self._now_us:
            self._now_us = now_us
            self._turns_here = 0

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        if delay is None:
            raise TypeError("delay must not be None")
        if self._outside is not None:
            self._follow_host()
        scaled = delay * 1e6
        if 0.0 < scaled < FINE:  # bench: simulated_year. The usual case of round_up, without the call
            deadline = ceil(scaled - scaled * FLOAT_LOSS) + self._now_us
        elif scaled <= 0:
            deadline = self._now_us
            self._overdue = True
        else:
            deadline = self._now_us + round_up(delay)
        return self._add_timer(deadline, deadline / 1e6, callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        if when is None:
            raise TypeError("when cannot be None")
        deadline = round_up(when)
        if deadline <= self._now_us:
            self._overdue = True
        return self._add_timer(deadline, when, callback, args, context)

    def _add_timer(
        self, deadline: int, when: float, callback: Callable[..., object], args: Any, context: Context | None
    ) -> TimerHandle:
        if self._slow:
            handle = self._call_at_checked(when, callback, args, context)
        else:
            handle = EmptyTimerHandle()
            handle._callback = callback
            handle._args = args
            handle._loop = self
            handle._context = copy_context() if context is None else context
            handle._cancelled = False
            handle._repr = None
            handle._source_traceback = None
            handle._when = when
        handle._id = 1  # so that cancel() tells
        handle._scheduled = True
        timers_at = self._timers_at
        if deadline in timers_at:
            there = timers_at[deadline]
            if type(there) is list:
                there.append(handle)
            else:
                timers_at[deadline] = [there, handle]
        else:
            timers_at[deadline] = handle
            heappush(self._deadlines, deadline)
        return handle

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        handle._id = 0
        handle._scheduled = False
        self._husks += 1
        if self._husks > self._husk_limit:
            self._sweep()

    def _sweep(self) -> None:
        """Takes the cancelled ones away. Next when they are as many as now stay: what it costs, they pay."""
        timers_at = self._timers_at
        live = 0
        for at, there in list(timers_at.items()):
            if type(there) is list:
                there[:] = [handle for handle in there if handle._id]
                live += len(there)
                if not there:
                    del timers_at[at]
            elif there._id:
                live += 1
            else:
                del timers_at[at]
        self._deadlines[:] = timers_at
        heapify(self._deadlines)
        self._husks = 0
        self._husk_limit = max(live, FEW_HUSKS)

    def next_deadline_us(self) -> int:
        """Of the earliest timer; NEVER_US without one."""
        deadlines = self._deadlines
        timers_at = self._timers_at
        while deadlines:
            at = deadlines[0]
            if at in timers_at:
                there = timers_at[at]
                if type(there) is list:
                    if self._has_live(there):
                        break
                elif there._id:
                    break
                else:
                    self._husks -= 1
                del timers_at[at]
            heappop(deadlines)
        else:
            return NEVER_US
        return at if at < NEVER_US else NEVER_US

    def _has_live(self, handles: list[TimerHandle]) -> bool:
        """Whether one of them is to be called; those before it leave the list."""
        husks = 0
        for handle in handles:
            if handle._id:
                break
            husks += 1
        del handles[:husks]
        self._husks -= husks
        return bool(handles)

    def _take_due(self, now_us: int) -> None:
        """Those whose time has come go to `_due`, in (deadline, insertion)."""
        deadlines = self._deadlines
        timers_at = self._timers_at
        due = self._due
        while deadlines and deadlines[0] <= now_us:
            at = deadlines[0]
            if at in timers_at:
                there = timers_at[at]
                for handle in there if type(there) is list else (there,):
                    if handle._id:
                        handle._id = 0
                        due.append(handle)
                    elif handle._cancelled:
                        self._husks -= 1
                del timers_at[at]
            heappop(deadlines)

    def _drop_timers(self) -> None:
        self._deadlines.clear()
        self._timers_at.clear()
        self._due.clear()
