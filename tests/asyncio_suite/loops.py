"""Puts csploop where CPython's tests of asyncio make a loop.

They ask for loops in four ways: asyncio.new_event_loop() and what is built on it (through the default policy,
which some of them reset), asyncio.SelectorEventLoop with or without a selector, its newer name
asyncio.EventLoop, and new_test_loop() of their own TestCase. All four give a SuiteLoop here; only a test that
brings a script for the clock keeps the mock loop that can play it.
"""

from __future__ import annotations

import asyncio
import selectors
from asyncio import base_events, unix_events
from typing import Any

import csploop
from csploop._loop import debug

__all__ = ["SuiteLoop", "take_over"]

# Tests that go through the selectors go through our variants instead: the same promises hold for each.
VARIANTS: dict[type[selectors.BaseSelector], dict[str, str]] = {
    selectors.PollSelector: {"poller": "uv"},
    selectors.SelectSelector: {"write": "immediate"},
}


class SuiteLoop(csploop.Loop):
    """csploop's loop with the constructor of asyncio's."""

    made = 0

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        options: dict[str, Any] = {}
        if selector is not None:
            options = VARIANTS.get(type(selector), {})
            selector.close()
        super().__init__(**options)
        SuiteLoop.made += 1

    def _run_once(self) -> None:
        """Their tests call it for one turn."""
        self.stop()
        self.run_forever()


def take_over() -> None:
    """Before any module of the suite is imported."""
    policy: Any = asyncio.DefaultEventLoopPolicy
    policy._loop_factory = SuiteLoop
    for module in (asyncio, unix_events):
        for name in ("SelectorEventLoop", "EventLoop"):
            if hasattr(module, name):
                setattr(module, name, SuiteLoop)

    # Some of their tests count on an earlier one to have said so.
    asyncio.set_event_loop(None)
    _retire_child_watchers()
    _redirect_reports()

    from test.test_asyncio import utils

    make_mock = utils.TestCase.new_test_loop

    def new_test_loop(self: Any, gen: Any = None) -> Any:
        if gen is not None:
            return make_mock(self, gen)
        loop = SuiteLoop()
        self.set_event_loop(loop)
        return loop

    utils.TestCase.new_test_loop = new_test_loop


def _retire_child_watchers() -> None:
    """Watchers keep being made, but none is attached: csploop waits for its children without them.

    Those that wait for every child of the process would take the exit statuses away from csploop, too.
    """
    for name in ("SafeChildWatcher", "FastChildWatcher", "PidfdChildWatcher"):
        watcher = getattr(unix_events, name, None)
        if watcher is not None:
            watcher.attach_loop = lambda self, loop: None


class _Reports:
    """asyncio's logger by way of asyncio's module, where tests put something in its place."""

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(base_events, "logger"), name)  # noqa: B009


def _redirect_reports() -> None:
    setattr(debug, "logger", _Reports())  # noqa: B010
