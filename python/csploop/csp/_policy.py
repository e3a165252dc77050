"""CspEventLoopPolicy: every new event loop is a CspEventLoop. Apart, because policies go with Python 3.16."""

from __future__ import annotations

import asyncio
import threading

from csploop import _compat
from csploop.csp._event_loop import CspEventLoop, new_event_loop
from csploop.policy import EventLoopPolicy as CsploopPolicy

__all__ = ["CspEventLoopPolicy", "EventLoopPolicy"]


class CspEventLoopPolicy(CsploopPolicy):
    """asyncio's default policy with CspEventLoop, of which it makes none unasked: without set_event_loop(),
    get_event_loop() is a RuntimeError, as it is with every policy since Python 3.14."""

    def get_event_loop(self) -> asyncio.AbstractEventLoop:
        if _compat.policy_loop(self) is None:
            name = threading.current_thread().name
            raise RuntimeError(f"there is no current event loop in thread {name!r}")
        loop: asyncio.AbstractEventLoop = super().get_event_loop()
        return loop

    def _loop_factory(self) -> CspEventLoop:
        return new_event_loop()


EventLoopPolicy = CspEventLoopPolicy
