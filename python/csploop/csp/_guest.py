"""Guest: room for one more loop on a thread where another may be running in the midst of a task."""

from __future__ import annotations

from asyncio import AbstractEventLoop, events
from typing import Any

from csploop._compat import current_task, swap_current_task

__all__ = ["Guest"]


class Guest:
    """Between `enter` and `leave` the thread looks as if no loop ran on it."""

    def __init__(self) -> None:
        self._loop: AbstractEventLoop | None = None
        self._task: Any = None

    def enter(self) -> None:
        self._loop = loop = events._get_running_loop()
        if loop is not None:
            self._task = current_task(loop)
            if self._task is not None:
                swap_current_task(loop, None)
            events._set_running_loop(None)

    def leave(self) -> None:
        events._set_running_loop(self._loop)
        if self._task is not None:
            swap_current_task(self._loop, self._task)
        self._loop = self._task = None
