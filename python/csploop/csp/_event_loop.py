"""CspEventLoop: a loop that lends its thread to csp graphs. See event_loop.py.

`run_graph` cannot call csp from inside a task: an engine only turns a loop that is not in the midst of a
turn. So it stops the loop's own turning; `run_forever` sees what is wanted, runs the graph with the loop as
its guest, and turns on by itself when the graph has ended.

Owner: the loop's thread.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Callable

from csp.impl.wiring.runtime import MAX_END_TIME

from csploop._loop.base import Loop
from csploop._loop.simulated import IO_TIMEOUT, SimulatedLoop
from csploop.csp._realtime import RealtimeRun
from csploop.csp._running import run_within
from csploop.csp._simulation import SimulatedRun
from csploop.csp._times import EPOCH, MICROSECOND, from_microseconds, to_microseconds

__all__ = ["CspEventLoop", "new_event_loop"]

YEARS_100 = timedelta(days=36525)


class Wanted:
    """A graph that run_graph wants to run, and how it went."""

    def __init__(self, present: RealtimeRun | SimulatedRun, call: Callable[[], Any]) -> None:
        self.present = present
        self.call = call
        self.result: Any = None
        self.exc: BaseException | None = None
        self.ended: asyncio.Future[None] = present.loop.create_future()


class CspEventLoop(Loop):
    """An asyncio loop with csp's time. realtime=False makes a simulated one.

    time() of a simulated loop is UTC seconds since the epoch. It starts at the beginning of the simulated
    range, goes from timer to timer while nothing real is waited for, and the loop stops at the end of it.
    """

    _wanted: Wanted | None = None
    _present: RealtimeRun | SimulatedRun | None = None
    _stop_wanted: bool = False

    def __new__(cls, realtime: bool = True, **options: Any) -> CspEventLoop:
        if cls is CspEventLoop and not realtime:
            return object.__new__(SimulatedCspEventLoop)
        return object.__new__(cls)

    def __init__(self, realtime: bool = True, *, poller: str | None = None, write: str = "gather") -> None:
        super().__init__(poller=poller, write=write)

    @property
    def is_realtime(self) -> bool:
        return True

    def set_simulation_time_range(
        self, start: datetime | None = None, end: datetime | timedelta | None = None
    ) -> None:
        """Sets the first and the last simulated time; naive ones are UTC. Before the loop has ever run.

        start: the epoch by default. end: 100 years later by default. ValueError when the end is not after the
        start; RuntimeError in realtime, and when time has begun.
        """
        raise RuntimeError("only a simulated loop has a time range: CspEventLoop(realtime=False)")

    async def run_graph(
        self,
        g: Any,
        *args: Any,
        starttime: datetime | None = None,
        endtime: datetime | timedelta = MAX_END_TIME,
        queue_wait_time: timedelta | None = None,
        output_numpy: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Runs a csp graph on this thread and returns what csp.run returns; coroutines go on meanwhile.

        starttime: by default now, in simulation the loop's. One graph at a time. Cancelling ends the graph.
        """
        if asyncio.get_running_loop() is not self:
            raise RuntimeError("run_graph() belongs to the coroutines of its loop")
        if self._present is not None:
            raise RuntimeError("a graph is running in this loop already; a graph can hold several others")
        present, starttime, endtime = await self._make_run(starttime, endtime)
        settings: dict[str, Any] = {
            "starttime": starttime,
            "endtime": endtime,
            "queue_wait_time": queue_wait_time,
            "realtime": self.is_realtime,
            "output_numpy": output_numpy,
        }
        wanted = Wanted(present, lambda: run_within(present, g, *args, **settings, **kwargs))
        self._present = present
        self._wanted = wanted
        super().stop()
        try:
            try:
                await wanted.ended
            except asyncio.CancelledError:
                self._wanted = None
                present.stop_engine()
                while not wanted.ended.done() and present._live:
                    await asyncio.sleep(0)
                raise
            finally:
                await present._wind_up(everything=False)
                present._ended = True
        finally:
            self._present = None
        present._raise_failure(wanted.exc)
        if wanted.exc is not None:
            raise wanted.exc
        return wanted.result

    def run_forever(self) -> None:
        self._stop_wanted = False
        while True:
            if self._wanted is None:
                super().run_forever()
            wanted = self._wanted
            if self._stop_wanted or wanted is None:
                return
            self._wanted = None
            self._run_wanted(wanted)
            if self._stopped():
                return

    def _stopped(self) -> bool:
        return self._stop_wanted

    def stop(self) -> None:
        self._stop_wanted = True
        super().stop()

    def _run_wanted(self, wanted: Wanted) -> None:
        try:
            wanted.result = wanted.call()
        except Exception as exc:
            wanted.exc = exc
        except BaseException as exc:
            wanted.exc = RuntimeError(f"the graph was ended by {exc!r}")
            raise
        finally:
            if not wanted.ended.done():
                wanted.ended.set_result(None)

    async def _make_run(
        self, start: datetime | None, end: datetime | timedelta
    ) -> tuple[RealtimeRun | SimulatedRun, datetime | None, datetime | timedelta]:
        return RealtimeRun(self), start, end


class SimulatedCspEventLoop(CspEventLoop, SimulatedLoop):
    """What CspEventLoop(realtime=False) makes."""

    def __init__(
        self,
        realtime: bool = False,
        *,
        io_timeout: float = IO_TIMEOUT,
        poller: str | None = None,
        write: str = "gather",
    ) -> None:
        end = to_microseconds(EPOCH + YEARS_100)
        SimulatedLoop.__init__(self, end_us=end, io_timeout=io_timeout, poller=poller, write=write)
        self._begun = False

    @property
    def is_realtime(self) -> bool:
        return False

    def set_simulation_time_range(
        self, start: datetime | None = None, end: datetime | timedelta | None = None
    ) -> None:
        self._check_closed()
        if self._begun:
            raise RuntimeError("the loop has run: its time has begun")
        start_us = to_microseconds(EPOCH if start is None else start)
        if end is None:
            end = YEARS_100
        end_us = start_us + end // MICROSECOND if isinstance(end, timedelta) else to_microseconds(end)
        if end_us <= start_us:
            raise ValueError(f"the end of a simulation must be after its start, not {end!r} after {start!r}")
        self._now_us = start_us
        self._set_end(end_us)

    def run_forever(self) -> None:
        self._begun = True
        super().run_forever()

    async def _make_run(
        self, start: datetime | None, end: datetime | timedelta
    ) -> tuple[RealtimeRun | SimulatedRun, datetime | None, datetime | timedelta]:
        start_us = self._now_us if start is None else to_microseconds(start)
        if start_us < self._now_us:
            raise ValueError("a graph cannot start before the loop's simulated time")
        end_us = start_us + end // MICROSECOND if isinstance(end, timedelta) else to_microseconds(end)
        end_us = min(end_us, self._end_us)
        if start_us > self._now_us:
            await asyncio.sleep((start_us - self._now_us) / 1e6)
        present = SimulatedRun(start_us, end_us, self._io_timeout, self)
        return present, from_microseconds(start_us), from_microseconds(end_us)


def new_event_loop(realtime: bool = True) -> CspEventLoop:
    """A new CspEventLoop."""
    return CspEventLoop(realtime)
