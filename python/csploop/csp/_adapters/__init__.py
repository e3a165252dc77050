"""The async adapters: between coroutines and time series, one a module. See docs/csp-adapters.md."""

from __future__ import annotations

from csploop.csp._adapters.async_context import AsyncContext as AsyncContext
from csploop.csp._adapters.async_for import async_for as async_for
from csploop.csp._adapters.async_in import async_in as async_in
from csploop.csp._adapters.async_node import async_node as async_node
from csploop.csp._adapters.async_out import async_out as async_out
from csploop.csp._adapters.await_ import await_ as await_

__all__ = ["AsyncContext", "async_for", "async_in", "async_node", "async_out", "await_"]
