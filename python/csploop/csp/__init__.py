"""csp graphs and coroutines on one thread: csp as it is on PyPI, with an asyncio loop inside its engine.

    import csp, csploop.csp
    csploop.csp.run(graph, realtime=True, endtime=timedelta(seconds=10))     # instead of csp.run

Everything real is in private modules; this one says what is public. What adapters and bridges build on is
described in `_run.py`.
"""

from __future__ import annotations

try:
    import csp as _csp  # noqa: F401
except ImportError as exc:
    if exc.name != "csp":
        raise
    raise ImportError("csploop.csp needs csp: pip install csploop[csp]", name="csp") from None

from csploop.csp._adapters import AsyncContext as AsyncContext
from csploop.csp._adapters import async_for as async_for
from csploop.csp._adapters import async_in as async_in
from csploop.csp._adapters import async_node as async_node
from csploop.csp._adapters import async_out as async_out
from csploop.csp._adapters import await_ as await_
from csploop.csp._alarms import AsyncAlarm as AsyncAlarm
from csploop.csp._alarms import async_alarm as async_alarm
from csploop.csp._alarms import schedule_async_alarm as schedule_async_alarm
from csploop.csp._install import install as install
from csploop.csp._install import uninstall as uninstall
from csploop.csp._run import get_csp_asyncio_loop as get_csp_asyncio_loop
from csploop.csp._run import hold as hold
from csploop.csp._run import is_csp_asyncio_mode as is_csp_asyncio_mode
from csploop.csp._run import now as now
from csploop.csp._run import stop_engine as stop_engine
from csploop.csp._running import run as run
from csploop.csp._running import run_on_thread as run_on_thread
from csploop.csp._shared_loop import get_async_loop as get_async_loop
from csploop.csp._shared_loop import get_running_loop_or_none as get_running_loop_or_none
from csploop.csp._shared_loop import get_shared_loop as get_shared_loop
from csploop.csp._shared_loop import shutdown_shared_loop as shutdown_shared_loop

__all__ = [
    "AsyncAlarm",
    "AsyncContext",
    "async_alarm",
    "async_for",
    "async_in",
    "async_node",
    "async_out",
    "await_",
    "get_async_loop",
    "get_csp_asyncio_loop",
    "get_running_loop_or_none",
    "get_shared_loop",
    "install",
    "hold",
    "is_csp_asyncio_mode",
    "now",
    "run",
    "run_on_thread",
    "schedule_async_alarm",
    "shutdown_shared_loop",
    "stop_engine",
    "uninstall",
]
