"""Outputs: what adapters return when they are asked for their errors too."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Outputs"]


class Outputs(NamedTuple):
    """Two series. Exceptions tick on the second and do not end the run.

    If nothing in the graph uses `errors`, csp leaves that series out, and exceptions end the run after all.
    """

    values: Any
    errors: Any
