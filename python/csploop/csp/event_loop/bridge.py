"""AsyncioBridge and BidirectionalBridge: from other threads into running graphs, and back."""

from __future__ import annotations

from csploop.csp._bridges import AsyncioBridge as AsyncioBridge
from csploop.csp._bridges import BidirectionalBridge as BidirectionalBridge

__all__ = ["AsyncioBridge", "BidirectionalBridge"]
