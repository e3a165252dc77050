"""TrioPolicy: for asyncio programs that get their loops from asyncio's functions and want Trio beside them.

Nothing installs it but its user: asyncio.set_event_loop_policy(csploop.trio.TrioPolicy()). It acts in the
thread that made it and in Trio code; other threads keep the policy that was there before. Policies go with
Python 3.16.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from typing import Any

import trio

from csploop import _compat
from csploop.trio._current import NO_LOOP, current_loop
from csploop.trio._loop import BaseTrioEventLoop
from csploop.trio._sync import SyncTrioEventLoop
from csploop.trio._words import deprecated

__all__ = ["TrioPolicy"]

_Base: Any = _compat.policy_base()


class TrioPolicy(_Base):  # type: ignore[misc]  # the base depends on the version
    """New loops of this thread are SyncTrioEventLoops, with a TrioAsyncioDeprecationWarning except under
    pytest.

    In Trio code, get_event_loop answers `current_loop`, set_event_loop changes it, and new_event_loop is a
    RuntimeError. Custom child watchers are refused: the loops see to their processes themselves.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self._others: Any = asyncio.get_event_loop_policy()

    def _is_elsewhere(self) -> bool:
        return threading.get_ident() != self._thread

    def get_event_loop(self) -> asyncio.AbstractEventLoop:
        if trio.lowlevel.in_trio_task():
            loop = current_loop.get()
            if loop is None:
                raise RuntimeError(NO_LOOP)
            return loop
        if self._is_elsewhere():
            found: asyncio.AbstractEventLoop = self._others.get_event_loop()
            return found
        made: asyncio.AbstractEventLoop = super().get_event_loop()
        return made

    def set_event_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        if trio.lowlevel.in_trio_task():
            if loop is not None and not isinstance(loop, BaseTrioEventLoop):
                raise TypeError(f"the loop of Trio code must come from open_loop() or be None, not {loop!r}")
            current_loop.set(loop)
        elif self._is_elsewhere():
            self._others.set_event_loop(loop)
        else:
            super().set_event_loop(loop)

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        if trio.lowlevel.in_trio_task():
            raise RuntimeError("inside Trio a loop comes from `async with csploop.trio.open_loop()`")
        if self._is_elsewhere():
            new: asyncio.AbstractEventLoop = self._others.new_event_loop()
            return new
        deprecated(
            "loops with Trio should come from csploop.trio.run() or open_loop(), not from asyncio itself",
            stacklevel=3,
        )
        return SyncTrioEventLoop()

    def get_child_watcher(self) -> Any:
        return self._others.get_child_watcher()

    def set_child_watcher(self, watcher: Any) -> None:
        if watcher is not None:
            raise RuntimeError("custom child watchers are not supported: csploop watches processes itself")
