"""How a graph gets its pump (`_nodes.py`): while it is built, or afterwards and for one run."""

from __future__ import annotations

from typing import Any

import csp
from csp.impl.wiring.context import Context

from csploop.csp import _nodes
from csploop.csp._run import Run

__all__ = ["PumpedContext", "add_pump"]


def add_pump(run: Run) -> None:
    """Wires the pump into the graph that is being built. Before all else: it is started and stopped first."""
    if run.realtime:
        _nodes.pump(run, _nodes.wake_input(run, push_mode=csp.PushMode.LAST_VALUE))
    else:
        _nodes.simulated_pump(run)


class PumpedContext:
    """Gives a graph that is already built its pump, for as long as the with block runs it."""

    def __init__(self, context: Any, run: Run) -> None:
        self._context = context
        self._run = run
        self._roots: list[Any] = []

    def __enter__(self) -> None:
        self._roots = self._context.roots
        with Context() as wiring:
            add_pump(self._run)
        self._context.roots = [*wiring.roots, *self._roots]

    def __exit__(self, *exc_info: object) -> None:
        self._context.roots = self._roots
