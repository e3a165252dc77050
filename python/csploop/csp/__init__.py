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

from csploop.csp._api import get_csp_asyncio_loop as get_csp_asyncio_loop
from csploop.csp._api import hold as hold
from csploop.csp._api import is_csp_asyncio_mode as is_csp_asyncio_mode
from csploop.csp._api import now as now
from csploop.csp._api import stop_engine as stop_engine
from csploop.csp._bridges import AsyncioBridge as AsyncioBridge
from csploop.csp._bridges import BidirectionalBridge as BidirectionalBridge
from csploop.csp._bridges import BridgeHandle as BridgeHandle
from csploop.csp._bridges import BridgeStats as BridgeStats
from csploop.csp._bridges import RecordBridge as RecordBridge
from csploop.csp._running import run as run
from csploop.csp._running import run_on_thread as run_on_thread

__all__ = [
    "AsyncioBridge",
    "BidirectionalBridge",
    "BridgeHandle",
    "BridgeStats",
    "RecordBridge",
    "get_csp_asyncio_loop",
    "hold",
    "is_csp_asyncio_mode",
    "now",
    "run",
    "run_on_thread",
    "stop_engine",
]
