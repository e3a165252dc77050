"""What a loop tells its exception handler during a test."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any


class Reports:
    """An exception handler that keeps what it is told.

    A test takes the reports that it expects; any that is left fails it.
    """

    def __init__(self) -> None:
        self.waiting: list[dict[str, Any]] = []

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.waiting.append(context)

    def __len__(self) -> int:
        return len(self.waiting)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.waiting)

    def take(self) -> dict[str, Any]:
        """The oldest report; there must be one."""
        assert self.waiting, "the loop reported nothing"
        return self.waiting.pop(0)

    def take_all(self) -> list[dict[str, Any]]:
        taken, self.waiting = self.waiting, []
        return taken
