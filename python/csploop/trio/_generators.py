"""The end of asyncio's async generators, when the block of their loop is left. Owner: the loop's thread."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import trio

from csploop.trio._futures import run_aio_future

if TYPE_CHECKING:
    from csploop._loop.base import Loop

__all__ = ["close_generators"]


class Ended(asyncio.Future):  # type: ignore[type-arg]  # 3.9
    """Done when the task that closes the generators is. cancel() interrupts their clean-up, once: the task
    itself goes on, to report what the clean-up raises."""

    def __init__(self, closing: asyncio.Task[None]) -> None:
        super().__init__(loop=closing.get_loop())
        self._closing = closing
        self._asked = False
        closing.add_done_callback(self._closed)

    def cancel(self, msg: Any = None) -> bool:
        if not self._asked:
            self._asked = True
            for task in asyncio.all_tasks(self.get_loop()):
                if task is not self._closing:
                    task.cancel(msg)
        return not self.done()

    def _closed(self, closing: asyncio.Task[None]) -> None:
        error = None if closing.cancelled() else closing.exception()
        if error is not None:
            self.set_exception(error)
        else:
            self.set_result(None)


async def close_generators(loop: Loop, shield: trio.CancelScope) -> None:
    """In Trio, inside the shield. What cancels the block interrupts the clean-up, too, but only once that has
    begun; and there has been a wait then, which counts as cancelled."""
    shield.shield = False
    cancelled = trio.current_effective_deadline() == -math.inf
    shield.shield = True
    ended = Ended(loop.create_task(loop.shutdown_asyncgens()))
    begun = loop.create_future()

    def has_begun() -> None:
        # Not from Trio: the loop may have any number of rounds before Trio has its next.
        if cancelled:
            ended.cancel()
        if not begun.done():
            begun.set_result(None)

    # Behind its first step, the first steps of the tasks that it makes, and one that needs no wait.
    loop.call_soon(loop.call_soon, loop.call_soon, has_begun)
    await run_aio_future(begun)
    shield.shield = False
    try:
        await run_aio_future(ended)
        await trio.lowlevel.checkpoint_if_cancelled()
    finally:
        shield.shield = True
