"""run() and Runner, the front door, on every Python that csploop runs on.

Where asyncio has a Runner, ours is that one with our loop as its default. Elsewhere the same is done here.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, Callable, TypeVar

from csploop._loop.base import new_event_loop

__all__ = ["Runner", "run"]

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

if sys.version_info >= (3, 11):

    class Runner(asyncio.Runner):
        """asyncio.Runner with a csploop loop, unless loop_factory makes another one."""

        def __init__(self, *, debug: bool | None = None, loop_factory: LoopFactory | None = None) -> None:
            super().__init__(debug=debug, loop_factory=loop_factory or new_event_loop)

else:
    from csploop._loop.runner39 import Runner as Runner


def run(
    main: Coroutine[Any, Any, T],
    *,
    loop_factory: LoopFactory | None = None,
    debug: bool | None = None,
) -> T:
    """asyncio.run on a csploop loop, or on the one that loop_factory makes: returns the result of `main`."""
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("csploop.run() cannot be called from a running event loop")
    with Runner(debug=debug, loop_factory=loop_factory) as runner:
        return runner.run(main)
