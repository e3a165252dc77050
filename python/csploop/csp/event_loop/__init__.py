"""asyncio on csp's time: run, new_event_loop, CspEventLoop and its policy; bridges into running graphs.

    import csploop.csp.event_loop as csp_event_loop
    csp_event_loop.run(main())

A CspEventLoop is a csploop loop, in realtime or in simulation, in which csp graphs run too: `await
loop.run_graph(graph, …)` lends the thread to csp's engine until the graph ends, and the engine turns the loop
meanwhile, so that all coroutines go on. In simulation its time is engine time.

The names are also to be had from the modules that csp's own package of this name divides them into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from csploop.csp.event_loop import loop as _loop
from csploop.csp.event_loop.bridge import AsyncioBridge as AsyncioBridge
from csploop.csp.event_loop.bridge import BidirectionalBridge as BidirectionalBridge
from csploop.csp.event_loop.loop import CspEventLoop as CspEventLoop
from csploop.csp.event_loop.loop import new_event_loop as new_event_loop
from csploop.csp.event_loop.loop import run as run

if TYPE_CHECKING:
    from csploop.csp._policy import CspEventLoopPolicy as CspEventLoopPolicy
    from csploop.csp._policy import EventLoopPolicy as EventLoopPolicy

__all__ = ["AsyncioBridge", "BidirectionalBridge"]
__all__ += _loop.__all__


def __getattr__(name: str) -> Any:
    if name in _loop._POLICY_NAMES:
        return getattr(_loop, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
