"""Outlets for values and for errors, and what adapters return: one series or two."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from csploop.csp._run import Run
from csploop.csp._work import Outlet, Work

__all__ = ["Outputs", "Source", "edges"]


class Outputs(NamedTuple):
    """Two series. Exceptions tick on the second and do not end the run.

    If nothing in the graph uses `errors`, csp leaves that series out, and exceptions end the run after all.
    """

    values: Any
    errors: Any


def edges(values: Outlet, errors: Outlet | None) -> Any:
    """The values' series, or both where errors are asked for."""
    return values.edge if errors is None else Outputs(values.edge, errors.edge)


class Source:
    """What brings values into the graph by one coroutine, which `_start` begins with the graph."""

    def __init__(self, what: str, loop: asyncio.AbstractEventLoop | None, typ: Any, errors: bool) -> None:
        self._work = Work(what, loop)
        self._values = Outlet(self._work, what, typ, on_start=self._start, on_stop=self._work.stop)
        self._errors = Outlet(self._work, f"{what}_errors", Exception) if errors else None

    @property
    def edges(self) -> Any:
        return edges(self._values, self._errors)

    def _start(self, run: Run) -> None:
        """On the engine's thread."""
        raise NotImplementedError
