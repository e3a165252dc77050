"""A loop inside Trio whose time is that of the Trio run's own clock, such as trio.testing.MockClock.

The core's clock is simulated then, and moved to the run's time before each turn. Times are whole ns in the
core, rounded to the nearest, so that a sleep of 1.5 s ends when the run's clock says 1.5 more.

Owner: as TrioEventLoop.
"""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any, Callable

from csploop._ffi.errors import check
from csploop._loop.timers import to_deadline
from csploop.trio._loop import TrioEventLoop

if TYPE_CHECKING:
    import trio

    from csploop._loop.handles import TimerHandle

__all__ = ["ClockedTrioEventLoop"]


def to_ns(seconds: float) -> int:
    scaled = seconds * 1e9
    return round(scaled) if -9.2e18 < scaled < 9.2e18 else to_deadline(seconds)


class ClockedTrioEventLoop(TrioEventLoop):
    """clock: the Trio run's."""

    _has_own_clock = True

    def __init__(self, queue_len: int | None, clock: trio.abc.Clock) -> None:
        self._clock = clock
        self._core_ns = self._clock_ns()
        super().__init__(queue_len)

    def _configure(self, options: Any) -> None:
        super()._configure(options)
        options.clock = self._lib.CSPLOOP_CLOCK_SIMULATED
        options.start_ns = self._core_ns

    def _clock_ns(self) -> int:
        now = max(to_ns(self._clock.current_time()), 0)
        # What a time of months has lost as a float: Trio's deadline for a timer must not be before the timer.
        return now + (now >> 51)

    def _clock_follower(self) -> Callable[[], object]:
        return self._follow_clock

    def _follow_clock(self) -> None:
        now = self._clock_ns()
        if now > self._core_ns:
            self._core_ns = now
            check(self._lib.csploop_clock_set(self._core, now))

    def time(self) -> float:
        """Seconds on the Trio run's clock."""
        return self._clock.current_time()

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        if delay is None:
            raise TypeError("delay must not be None")
        return self._call_at(self.time() + delay, callback, args, context)

    def _call_at(
        self, when: float, callback: Callable[..., object], args: Any, context: Context | None
    ) -> TimerHandle:
        handle = super()._call_at(when, callback, args, context)
        handle._deadline = to_ns(when)
        return handle
