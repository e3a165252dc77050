"""run, new_event_loop, CspEventLoop and its policy."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from csploop import _compat
from csploop._loop.runner import Runner
from csploop.csp._event_loop import CspEventLoop as CspEventLoop
from csploop.csp._event_loop import new_event_loop as new_event_loop

if TYPE_CHECKING:
    from csploop.csp._policy import CspEventLoopPolicy as CspEventLoopPolicy
    from csploop.csp._policy import EventLoopPolicy as EventLoopPolicy

__all__ = ["CspEventLoop", "new_event_loop", "run"]

_POLICY_NAMES = ("CspEventLoopPolicy", "EventLoopPolicy")

if _compat.POLICIES_EXIST:
    __all__ += _POLICY_NAMES

T = TypeVar("T")


def run(
    main: Coroutine[Any, Any, T],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    debug: bool | None = None,
) -> T:
    """asyncio.run on a CspEventLoop, or on the loop that loop_factory makes: returns the result of `main`."""
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("csploop.csp.event_loop.run() cannot be called from a running event loop")
    with Runner(debug=debug, loop_factory=loop_factory or new_event_loop) as runner:
        return runner.run(main)


def __getattr__(name: str) -> Any:
    # Not imported above: making a policy class warns on the Pythons that are about to lose policies.
    if name in _POLICY_NAMES and _compat.POLICIES_EXIST:
        from csploop.csp import _policy

        return getattr(_policy, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
