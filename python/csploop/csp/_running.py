"""run and run_on_thread: csp's own, with a loop."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

from csp.impl.wiring.context import Context
from csp.impl.wiring.edge import Edge
from csp.impl.wiring.runtime import MAX_END_TIME, _normalize_run_times, _WrappedContext
from csp.impl.wiring.runtime import run as csp_run
from csp.impl.wiring.threaded_runtime import ThreadRunner as CspThreadRunner

from csploop._loop.simulated import IO_TIMEOUT
from csploop.csp._pump import PumpedContext, add_pump
from csploop.csp._realtime import RealtimeRun
from csploop.csp._run import Run
from csploop.csp._simulation import SimulatedRun
from csploop.csp._times import to_microseconds

__all__ = ["ThreadRunner", "run", "run_on_thread"]

# The engine is woken for all there is to do. Left to itself it would look every 100 ms.
LONG = timedelta(hours=1)


def run(
    g: Any,
    *args: Any,
    starttime: datetime | None = None,
    endtime: datetime | timedelta = MAX_END_TIME,
    queue_wait_time: timedelta | None = None,
    realtime: bool = False,
    output_numpy: bool = False,
    asyncio_on_thread: bool = False,
    io_timeout: float = IO_TIMEOUT,
    **kwargs: Any,
) -> Any:
    """csp.run with an asyncio loop for the graph's nodes and adapters; parameters and result are csp.run's.

    asyncio_on_thread: the loop has a thread of its own instead of sharing the engine's.
    io_timeout: in simulation, how long (real seconds) one operation may hold engine time; then TimeoutError.
    """
    times = {"starttime": starttime, "endtime": endtime, "realtime": realtime, "output_numpy": output_numpy}
    if isinstance(g, _WrappedContext):
        # csp's own inner call, where its name has been given to this function.
        return csp_run(g, *args, queue_wait_time=queue_wait_time, **times, **kwargs)
    first, last = _normalize_run_times(starttime, endtime, realtime)
    present: RealtimeRun | SimulatedRun
    if realtime:
        present = RealtimeRun()
    else:
        present = SimulatedRun(to_microseconds(first), to_microseconds(last), io_timeout)
    if queue_wait_time is None:
        queue_wait_time = LONG
    with ExitStack() as stack:
        stack.enter_context(present)
        if isinstance(g, Context):
            stack.enter_context(PumpedContext(g, present))
            graph: Any = g
        else:
            graph = _with_pump(g, present)
        return csp_run(graph, *args, queue_wait_time=queue_wait_time, **times, **kwargs)


def _with_pump(g: Any, run: Run) -> Any:
    def graph(*args: Any, **kwargs: Any) -> Any:
        add_pump(run)
        return g if isinstance(g, Edge) else g(*args, **kwargs)

    return graph


class ThreadRunner(CspThreadRunner):  # type: ignore[misc]  # csp is untyped
    """csp's own, running csploop's run."""

    @staticmethod
    def _run(output: dict[str, Any], graph: Any, stopper: Any, *args: Any, **kwargs: Any) -> None:
        try:
            output["result"] = run(ThreadRunner._wrapped_graph, graph, stopper, *args, **kwargs)
        except Exception as exc:
            output["exc_info"] = exc


def run_on_thread(
    g: Any,
    *args: Any,
    starttime: datetime | None = None,
    endtime: datetime | timedelta = MAX_END_TIME,
    queue_wait_time: timedelta | None = None,
    realtime: bool = False,
    auto_shutdown: bool = False,
    daemon: bool = False,
    **kwargs: Any,
) -> ThreadRunner:
    """csp.run_on_thread with an asyncio loop, on the engine's thread or (asyncio_on_thread=True) one more."""
    return ThreadRunner(
        g,
        *args,
        starttime=starttime,
        endtime=endtime,
        queue_wait_time=queue_wait_time,
        realtime=realtime,
        auto_shutdown=auto_shutdown,
        daemon=daemon,
        **kwargs,
    )
