"""The nodes of adapters that take a series, in csp's own language, which means little to type checkers."""
# mypy: ignore-errors

from __future__ import annotations

import csp
from csp import ts

__all__ = ["taking_node"]


@csp.node(memoize=False, name="csploop_taking")
def taking_node(taker: object, x: ts["T"]):
    with csp.start():
        taker._started()
    with csp.stop():
        taker._stopped()
    if csp.ticked(x):
        taker._take(x)
