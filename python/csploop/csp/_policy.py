"""CspEventLoopPolicy: every new event loop is a CspEventLoop. Apart, because policies go with Python 3.16."""

from __future__ import annotations

from csploop.csp._event_loop import CspEventLoop, new_event_loop
from csploop.policy import EventLoopPolicy as CsploopPolicy

__all__ = ["CspEventLoopPolicy", "EventLoopPolicy"]


class CspEventLoopPolicy(CsploopPolicy):
    """asyncio's default policy with CspEventLoop."""

    def _loop_factory(self) -> CspEventLoop:
        return new_event_loop()


EventLoopPolicy = CspEventLoopPolicy
