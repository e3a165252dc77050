"""Timers. The core keeps and orders them; Python keeps the handles by id.

A timer travels with the submissions of the next turn, so that one which is cancelled before costs the core
nothing. Times are time.monotonic() seconds outside and ns inside, always rounded up: no timer fires early.
"""

from __future__ import annotations

from contextvars import Context, copy_context
from operator import attrgetter
from typing import Any, Callable

from csploop._ffi import ffi
from csploop._ffi.errors import check
from csploop._loop.clock import monotonic, wall_clock_ns
from csploop._loop.handles import EmptyTimerHandle, TimerHandle
from csploop._loop.replaced_time import ReplacedTime
from csploop._loop.state import LoopState
from csploop._loop.words import OP_TIMER_ADD, OP_TIMER_CANCEL, SUBMISSION_BYTES, SUBMIT_OP, SUBMIT_TIMER

__all__ = ["TimersMixin"]

NEVER = 2**63 - 1
LARGEST_ID_BLOCK = 4096


def to_deadline(when: float) -> int:
    """Seconds as ns, rounded up and kept within int64. NaN is a ValueError, what is no number a TypeError."""
    scaled = when * 1e9
    if -9.2e18 < scaled < 9.2e18:
        return int(scaled) + 1
    if scaled != scaled:
        raise ValueError("a timer's time must not be NaN")
    return NEVER if scaled > 0 else -NEVER


class TimersMixin(LoopState):
    def __init__(self, *, poller: str | None = None, write: str = "gather") -> None:
        super().__init__(poller=poller, write=write)
        if not self._has_own_clock and type(self).time is not TimersMixin.time:
            self._follow_time()

    def _replace_time(self, value: Callable[[], float]) -> None:
        self._time = value
        if value is not monotonic:
            self._follow_time()
        elif self._replaced_time is not None:
            self._replaced_time.leave()
            self._replaced_time = None

    def _restore_time(self) -> None:
        if self._replaced_time is None:
            raise AttributeError("time")
        self._replace_time(monotonic)

    def _follow_time(self) -> None:
        if self._replaced_time is None:
            self._replaced_time = ReplacedTime(self, to_deadline)
            self._replaced_time.enter()

    # The core's clock is this one, too. A method in asyncio; here the call saves a frame. Whoever sets it
    # (tests that fake time) has the timers follow, as in asyncio.
    time: Any = property(attrgetter("_time"), _replace_time, _restore_time)

    def call_later(  # type: ignore[override]  # asyncio's stub has generic arguments, which 3.9 cannot say
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        if delay is None:
            raise TypeError("delay must not be None")
        return self._call_at(monotonic() + delay, callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        if when is None:
            raise TypeError("when cannot be None")
        return self._call_at(when, callback, args, context)

    def _call_at(
        self, when: float, callback: Callable[..., object], args: Any, context: Context | None
    ) -> TimerHandle:
        scaled = when * 1e9
        # bench: timers. The usual case of to_deadline, without the call.
        deadline = int(scaled) + 1 if -9.2e18 < scaled < 9.2e18 else to_deadline(when)
        if self._slow:
            handle = self._call_at_checked(when, callback, args, context)
        else:
            # bench: timers. In place here and in SimulatedLoop._add_timer: a call more costs 60 ns of 640.
            handle = EmptyTimerHandle()
            handle._callback = callback
            handle._args = args
            handle._loop = self
            handle._context = copy_context() if context is None else context
            handle._cancelled = False
            handle._repr = None
            handle._source_traceback = None
            handle._when = when
        handle._deadline = deadline
        handle._id = 0
        handle._scheduled = True
        self._new_timers.append(handle)
        return handle

    def _call_at_checked(
        self, when: float, callback: Callable[..., object], args: Any, context: Context | None
    ) -> TimerHandle:
        self._check_closed()
        if self._debug:
            self._check_thread()
            self._check_callback(callback, "call_at")
        if self._outside is not None:
            self._outside.scheduled()
        handle = TimerHandle(when, callback, args, self, context)
        if handle._source_traceback:
            del handle._source_traceback[-3:]  # the frames of this file are not where the user made it
        return handle

    def _call_at_wall(
        self, wall_ns: int, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        """Calls it when the wall clock reaches wall_ns (since 1970, UTC), whatever is done to that clock.

        The loop's thread. OSError where the system has no descriptor for its alarm.
        """
        wall_ns = max(min(wall_ns, NEVER), -NEVER)
        when = self.time() + (wall_ns - wall_clock_ns()) / 1e9
        if self._slow:
            handle = self._call_at_checked(when, callback, args, context)
        else:
            handle = TimerHandle(when, callback, args, self, context)
        out = ffi.new("csploop_id *")
        check(self._lib.csploop_call_at_wall(self._core, out, wall_ns, ffi.NULL, ffi.NULL))
        handle._deadline = wall_ns
        handle._id = out[0]
        handle._scheduled = True
        self._timers[handle._id] = handle
        return handle

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """A timer that the core knows was cancelled."""
        if self._timers.pop(handle._id, None) is not None:
            self._dead_timers.append(handle._id)
        handle._id = 0
        handle._scheduled = False

    def _add_timers(self, offset: int) -> None:
        """Packs the new timers from `offset` on."""
        timers = self._timers
        ids = self._spare_ids
        view = self._submissions_view
        end = self._submissions_end
        pack = SUBMIT_TIMER.pack_into
        try:
            for handle in self._new_timers:
                if handle._cancelled or handle._id:
                    continue  # the latter: packed before an exception left the gathering
                if offset == end:
                    self._pack(offset, [])
                    offset = 0
                    self._push()
                if not ids:
                    ids = self._reserve_ids()
                timer = ids[-1]
                pack(view, offset, timer, handle._deadline, OP_TIMER_ADD)
                offset += SUBMISSION_BYTES
                del ids[-1]
                timers[timer] = handle
                handle._id = timer
            self._new_timers = []
        finally:
            self._packed = offset, 0, []

    def _cancel_timers(self, offset: int) -> None:
        """Packs the cancellations from `offset` on. It is no error to pack one twice."""
        view = self._submissions_view
        end = self._submissions_end
        pack = SUBMIT_OP.pack_into
        try:
            for timer in self._dead_timers:
                if offset == end:
                    self._pack(offset, [])
                    offset = 0
                    self._push()
                pack(view, offset, timer, OP_TIMER_CANCEL, 0)
                offset += SUBMISSION_BYTES
            self._dead_timers = []
        finally:
            self._packed = offset, 0, []

    def _reserve_ids(self) -> list[int]:
        """One call for many ids; the more timers a loop makes, the more at once."""
        count = self._id_block
        block = ffi.new("csploop_id[]", count)
        check(self._lib.csploop_ids_reserve(self._core, block, count))
        self._id_block = min(count * 4, LARGEST_ID_BLOCK)
        self._spare_ids = list(block)
        self._spare_ids.reverse()
        return self._spare_ids
