"""The loop's methods as functions, for whichever loop is current."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from csploop.trio._current import border
from csploop.trio._futures import give_up

if TYPE_CHECKING:
    import asyncio

__all__ = ["run_aio_coroutine", "run_trio", "run_trio_task"]

T = TypeVar("T")


async def run_aio_coroutine(coro: Awaitable[T]) -> T:
    """In Trio: runs an asyncio coroutine on the current loop and waits for it (`loop.run_aio_coroutine`)."""
    try:
        across = border()
    except BaseException:
        give_up(coro)
        raise
    return await across.run_aio_coroutine(coro)


def run_trio(proc: Callable[..., Awaitable[T]], *args: Any) -> asyncio.Future[T]:
    """Starts a Trio task on the current loop; an asyncio future for its end (`loop.trio_as_future`)."""
    return border().trio_as_future(proc, *args)


def run_trio_task(proc: Callable[..., Awaitable[object]], *args: Any) -> None:
    """Starts a background Trio task on the current loop, whose error ends it (`loop.run_trio_task`)."""
    border().run_trio_task(proc, *args)
