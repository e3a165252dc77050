"""What `csp.impl.async_adapter` holds after install(): the adapters and the choice of their loops."""

from __future__ import annotations

from csploop.csp._adapters import AsyncContext as AsyncContext
from csploop.csp._adapters import async_for as async_for
from csploop.csp._adapters import async_in as async_in
from csploop.csp._adapters import async_node as async_node
from csploop.csp._adapters import async_out as async_out
from csploop.csp._adapters import await_ as await_
from csploop.csp._alarms import AsyncAlarm as AsyncAlarm
from csploop.csp._alarms import async_alarm as async_alarm
from csploop.csp._alarms import schedule_async_alarm as schedule_async_alarm
from csploop.csp._run import get_csp_asyncio_loop as get_csp_asyncio_loop
from csploop.csp._run import is_csp_asyncio_mode as is_csp_asyncio_mode
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
    "is_csp_asyncio_mode",
    "schedule_async_alarm",
    "shutdown_shared_loop",
]
