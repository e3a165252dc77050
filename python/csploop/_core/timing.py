"""A core's clock and timers. Times are ns on that clock, unless the name says wall."""

from __future__ import annotations

from csploop._core.turning import Turning
from csploop._ffi import ffi, lib
from csploop._ffi.errors import check

__all__ = ["Timing"]


class Timing(Turning):
    def now(self) -> int:
        return check(lib.csploop_now(self.handle))

    def set_clock(self, now_ns: int) -> None:
        """Moves a simulated clock."""
        check(lib.csploop_clock_set(self.handle, now_ns))

    def call_soon(self, token: int = 0) -> int:
        return self._id(lib.csploop_call_soon, token)

    def call_later(self, delay_ns: int, token: int = 0) -> int:
        return self._id(lib.csploop_call_later, token, delay_ns)

    def call_at(self, when_ns: int, token: int = 0) -> int:
        return self._id(lib.csploop_call_at, token, when_ns)

    def call_at_wall(self, wall_ns: int, token: int = 0) -> int:
        return self._id(lib.csploop_call_at_wall, token, wall_ns)

    def cancel(self, id: int) -> None:
        check(lib.csploop_cancel(self.handle, id))

    def reserve_ids(self, count: int) -> list[int]:
        """Ids for timers that travel with submissions."""
        out = ffi.new("csploop_id[]", max(count, 0))
        check(lib.csploop_ids_reserve(self.handle, out, count))
        return list(out)
