"""run and run_on_thread: csp's own, with a loop."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

from csp.impl.error_handling import ExceptionContext
from csp.impl.wiring.context import Context
from csp.impl.wiring.edge import Edge
from csp.impl.wiring.runtime import (
    MAX_END_TIME,
    GraphRunInfo,
    _normalize_run_times,
    _WrappedContext,
    build_graph,
)
from csp.impl.wiring.runtime import run as csp_run
from csp.impl.wiring.threaded_runtime import ThreadRunner as CspThreadRunner

from csploop._loop.simulated import IO_TIMEOUT
from csploop.csp._background import BackgroundRun
from csploop.csp._foreign import may_end_the_engine
from csploop.csp._pump import PumpedContext, add_pump
from csploop.csp._realtime import RealtimeRun
from csploop.csp._run import Run
from csploop.csp._simulation import SimulatedRun
from csploop.csp._times import to_microseconds

__all__ = ["ThreadRunner", "run", "run_on_thread"]

# The engine is woken for all there is to do. Left to itself it looks every 100 ms whether there was a Ctrl-C.
# It goes on doing so in other threads than the main one, which no signal wakes, and where there may be
# adapters that end it without waking it.
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

    asyncio_on_thread: coroutines run on the shared loop (get_shared_loop), which has a thread of its own, and
        not on the engine's thread. In simulation without effect.
    io_timeout: in simulation, how long (real seconds) one operation may hold engine time; then TimeoutError.
    """
    times: dict[str, Any] = {
        "starttime": starttime,
        "endtime": endtime,
        "realtime": realtime,
        "output_numpy": output_numpy,
    }
    if isinstance(g, _WrappedContext):
        # csp's own inner call, where its name has been given to this function.
        return csp_run(g, *args, queue_wait_time=queue_wait_time, **times, **kwargs)
    present: RealtimeRun | SimulatedRun | BackgroundRun
    if realtime:
        present = BackgroundRun() if asyncio_on_thread else RealtimeRun()
    else:
        first, last = _normalize_run_times(starttime, endtime, realtime)
        present = SimulatedRun(to_microseconds(first), to_microseconds(last), io_timeout)
    return run_within(present, g, *args, queue_wait_time=queue_wait_time, **times, **kwargs)


def run_within(
    present: Any,
    g: Any,
    *args: Any,
    starttime: datetime | None = None,
    endtime: datetime | timedelta = MAX_END_TIME,
    queue_wait_time: timedelta | None = None,
    realtime: bool = False,
    output_numpy: bool = False,
    **kwargs: Any,
) -> Any:
    """csp's own run of the graph, in this Run."""
    sleeps = realtime and queue_wait_time is None and threading.current_thread() is threading.main_thread()
    with ExitStack() as stack:
        stack.enter_context(present)
        if isinstance(g, Context):
            stack.enter_context(PumpedContext(g, present))
            context = g
        elif sleeps:
            # Built here and not in csp's run, to see what is in the graph before it runs.
            stack.enter_context(ExceptionContext())
            starttime, endtime = _normalize_run_times(starttime, endtime, realtime)
            context = build_graph(
                _with_pump(g, present), *args, starttime=starttime, endtime=endtime, realtime=True, **kwargs
            )
            args, kwargs = (), {}
            stack.enter_context(GraphRunInfo(starttime, endtime, realtime))
        else:
            context = None
        if sleeps and not may_end_the_engine(context):
            queue_wait_time = LONG
        # Wrapped, csp lets go of what it does not need any more when the engine is made; so must we.
        graph = g if context is g else _with_pump(g, present) if context is None else _WrappedContext(context)
        del context
        return csp_run(
            graph,
            *args,
            starttime=starttime,
            endtime=endtime,
            queue_wait_time=queue_wait_time,
            realtime=realtime,
            output_numpy=output_numpy,
            **kwargs,
        )


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
    """csp.run_on_thread with an asyncio loop, on the engine's thread or on the shared loop's."""
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
