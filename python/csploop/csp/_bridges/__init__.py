"""Bridges: from asyncio, from threads and from C into a csp graph, and back.

bridge.py, bidirectional.py   AsyncioBridge and BidirectionalBridge, what users hold
channel.py                    the bounded queue of Python values, its policies and counts
checks.py                     whether a value is of the adapter's type
port.py                       the graph's end: bound to one engine at a time, in realtime or in simulation
calls.py                      calls that wait for their time, on the loop's clock or the engine's
records.py, layout.py         RecordBridge: fixed structs from C threads as NumPy arrays
nodes.py                      the nodes, in csp's language
"""

from __future__ import annotations

from csploop.csp._bridges.bidirectional import BidirectionalBridge as BidirectionalBridge
from csploop.csp._bridges.bridge import AsyncioBridge as AsyncioBridge
from csploop.csp._bridges.calls import BridgeHandle as BridgeHandle
from csploop.csp._bridges.channel import BridgeStats as BridgeStats
from csploop.csp._bridges.records import RecordBridge as RecordBridge

__all__ = ["AsyncioBridge", "BidirectionalBridge", "BridgeHandle", "BridgeStats", "RecordBridge"]
