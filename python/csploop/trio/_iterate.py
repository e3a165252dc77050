"""Async iteration across the border: each step is a call of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio

    from csploop.trio._calls import Border

__all__ = ["AioIterator", "TrioIterator", "run_aio_generator"]

T = TypeVar("T")

END: Any = object()


async def _next(iterator: Any) -> Any:
    try:
        return await iterator.__anext__()
    except StopAsyncIteration:
        return END


async def _close(iterator: Any) -> None:
    await iterator.aclose()


class AioIterator(AsyncIterator[T], Generic[T]):
    """An asyncio iterator in Trio. One that is dropped half way ends as it does in asyncio, by its loop."""

    def __init__(self, loop: Border, iterator: Any) -> None:
        self._loop = loop
        self._iterator = iterator

    async def __anext__(self) -> T:
        item: T = await self._loop.run_aio_coroutine(_next(self._iterator))
        if item is END:
            raise StopAsyncIteration
        return item

    async def aclose(self) -> None:
        """Ends the generator now; for what is no generator, nothing happens."""
        if hasattr(self._iterator, "aclose"):
            await self._loop.run_aio_coroutine(_close(self._iterator))


class TrioIterator(AsyncIterator[Any]):
    """A Trio iterator in asyncio."""

    def __init__(self, loop: Border, iterator: Any) -> None:
        self._loop = loop
        self._iterator = iterator

    def __anext__(self) -> asyncio.Future[Any]:
        return self._loop.trio_as_future(self._iterator.__anext__)

    async def aclose(self) -> None:
        """Ends the generator now; for what is no generator, nothing happens."""
        if hasattr(self._iterator, "aclose"):
            await self._loop.trio_as_future(self._iterator.aclose)


def run_aio_generator(loop: Border, async_generator: AsyncIterator[T]) -> AioIterator[T]:
    """An async iterator for Trio over an asyncio one, whose steps are asyncio tasks on `loop`."""
    return AioIterator(loop, async_generator)
