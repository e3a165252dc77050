"""Timers of a loop whose `time` somebody replaced, as tests do that fake time; or that a subclass overrides.

asyncio asks `loop.time()` in every turn which timers are due. So while it is not the core's clock, the timers
wait here, and each gathering of a turn asks. Loops that keep their clock do not come here: what differs is
put in place on the one loop, and its list of new timers says that there is always something to gather.

Owner: the loop, from the replacement to its end. All of it belongs on the loop's thread.
"""

from __future__ import annotations

import itertools
from contextvars import Context
from heapq import heappop, heappush
from typing import Any, Callable

from csploop._loop.clock import monotonic
from csploop._loop.handles import TimerHandle

__all__ = ["ReplacedTime"]


class AlwaysSome(list):  # type: ignore[type-arg]  # list is not generic at run time before 3.9.2 on PyPy
    """A list of new timers that is never taken for empty."""

    def __bool__(self) -> bool:
        return True


def _nothing() -> None:
    """What an alarm does: a turn comes, and that is all."""


class ReplacedTime:
    def __init__(self, loop: Any, to_deadline: Callable[[float], int]) -> None:
        self._loop = loop
        self._to_deadline = to_deadline
        self._heap: list[tuple[float, int, TimerHandle]] = []
        self._numbers = itertools.count()
        # What wakes the core when the earliest timer may be due, if time goes on as it does for the core.
        self._alarm: TimerHandle | None = None
        self._pack_timers: Callable[[int], None] = loop._add_timers

    def enter(self) -> None:
        """Takes the loop's timers, but for those of the wall clock."""
        loop = self._loop
        for id, handle in sorted(loop._timers.items()):
            if handle._deadline == self._to_deadline(handle._when):
                del loop._timers[id]
                loop._dead_timers.append(id)
                handle._id = 0
                self._push(handle)
        for handle in loop._new_timers:
            if not handle._cancelled:
                self._push(handle)
        loop._new_timers = AlwaysSome()
        loop.call_later = self._call_later
        loop._call_at = self._call_at
        loop._add_timers = self._add_timers

    def leave(self) -> None:
        """Gives the timers back to the core."""
        loop = self._loop
        del loop.call_later, loop._call_at, loop._add_timers
        if self._alarm is not None:
            self._alarm.cancel()
        loop._new_timers = [handle for _, _, handle in sorted(self._heap) if not handle._cancelled]
        self._heap.clear()

    def clear(self) -> None:
        self._heap.clear()

    def _push(self, handle: TimerHandle) -> None:
        heappush(self._heap, (handle._when, next(self._numbers), handle))

    def _call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        if delay is None:
            raise TypeError("delay must not be None")
        return self._call_at(self._loop.time() + delay, callback, args, context)

    def _call_at(
        self, when: float, callback: Callable[..., object], args: Any, context: Context | None
    ) -> TimerHandle:
        deadline = self._to_deadline(when)
        handle: TimerHandle = self._loop._call_at_checked(when, callback, args, context)
        handle._deadline = deadline
        handle._id = 0
        handle._scheduled = True
        self._push(handle)
        return handle

    def _add_timers(self, offset: int) -> None:
        """In the gathering: what is due now becomes ready; the earliest other gets an alarm."""
        loop = self._loop
        heap = self._heap
        now = loop.time()
        due_before = now + loop._clock_resolution
        while heap and (heap[0][2]._cancelled or heap[0][0] < due_before):
            handle = heappop(heap)[2]
            if not handle._cancelled:
                handle._scheduled = False
                loop._ready.append(handle)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        alarms = []
        if heap and not loop._ready:
            self._alarm = alarm = TimerHandle(0.0, _nothing, (), loop)
            alarm._deadline = self._to_deadline(monotonic() + max(heap[0][0] - now, 0.0))
            alarm._id = 0
            alarms.append(alarm)
        loop._new_timers = alarms
        try:
            self._pack_timers(offset)
        finally:
            loop._new_timers = AlwaysSome()
