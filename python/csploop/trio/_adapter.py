"""aio_as_trio and trio_as_aio: wrappers that cross the border on each use.

The loop is looked up when a wrapper is used and not when it is made, so decorated functions work on whichever
loop is current then.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Callable, TypeVar, cast, overload

from csploop.trio._current import border
from csploop.trio._futures import give_up
from csploop.trio._iterate import TrioIterator, run_aio_generator

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterable, AsyncIterator, Generator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from typing_extensions import ParamSpec

    from csploop.trio._calls import Border

    P = ParamSpec("P")

__all__ = ["AioAsTrio", "TrioAsAio", "aio_as_trio", "asyncio_as_trio", "trio_as_aio", "trio_as_asyncio"]

T = TypeVar("T")


async def _call(proc: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    # Also what proc does before it returns something to await runs in the asyncio task.
    return await proc(*args, **kwargs)


class Wrapper:
    """What both directions have in common: the wrapped object and its loop."""

    def __init__(self, proc: Any, loop: Any) -> None:
        self.proc = proc
        self._loop = loop
        if callable(proc):
            functools.update_wrapper(cast("Callable[..., Any]", self), proc, updated=())

    def _border(self) -> Border:
        loop: Border | None = self._loop
        return border() if loop is None else loop

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Binds as the wrapped function does, for methods."""
        bind = getattr(type(self.proc), "__get__", None)
        return self if bind is None else type(self)(bind(self.proc, instance, owner), self._loop)

    def _special(self, name: str, instead: str) -> Any:
        # Of the type, as Python does: a class is no context manager though its objects are.
        method = getattr(type(self.proc), name, None)
        if method is None:
            raise TypeError(f"{self.proc!r} has no {name}: {instead}")
        return functools.partial(method, self.proc)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.proc!r}>"


class AioAsTrio(Wrapper):
    """Something of asyncio's, to be used in Trio; made by `aio_as_trio`."""

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not callable(self.proc):
            raise TypeError(f"{self.proc!r} cannot be called: await, iterate or enter the wrapper itself")
        return await self._border().run_aio_coroutine(_call(self.proc, args, kwargs))

    def __await__(self) -> Generator[Any, Any, Any]:
        proc = self.proc
        awaitable = proc if hasattr(proc, "__await__") else _call(proc, (), {})
        try:
            across = self._border()
        except BaseException:
            give_up(awaitable)
            raise
        return across.run_aio_coroutine(awaitable).__await__()

    async def __aenter__(self) -> Any:
        enter = self._special("__aenter__", "write `async with aio_as_trio(factory(*args))`")
        return await self._border().run_aio_coroutine(_call(enter, (), {}))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Any:
        leave = _call(self.proc.__aexit__, (kind, error, traceback), {})
        return await self._border().run_aio_coroutine(leave)

    def __aiter__(self) -> AsyncIterator[Any]:
        iterate = self._special("__aiter__", "write `async for … in aio_as_trio(generator(*args))`")
        return run_aio_generator(self._border(), iterate())


class TrioAsAio(Wrapper):
    """Something of Trio's, to be used in asyncio; made by `trio_as_aio`."""

    def __call__(self, *args: Any, **kwargs: Any) -> asyncio.Future[Any]:
        proc = functools.partial(self.proc, **kwargs) if kwargs else self.proc
        return self._border().trio_as_future(proc, *args)

    def __aenter__(self) -> asyncio.Future[Any]:
        enter = self._special("__aenter__", "write `async with trio_as_aio(factory(*args))`")
        return self._border().trio_as_future(enter)

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> asyncio.Future[Any]:
        return self._border().trio_as_future(self.proc.__aexit__, kind, error, traceback)

    def __aiter__(self) -> AsyncIterator[Any]:
        iterate = self._special("__aiter__", "write `async for … in trio_as_aio(generator(*args))`")
        return TrioIterator(self._border(), iterate())


@overload
def aio_as_trio(proc: Awaitable[T], *, loop: Border | None = None) -> Awaitable[T]: ...
@overload
def aio_as_trio(
    proc: AbstractAsyncContextManager[T], *, loop: Border | None = None
) -> AbstractAsyncContextManager[T]: ...
@overload
def aio_as_trio(proc: AsyncIterable[T], *, loop: Border | None = None) -> AsyncIterator[T]: ...
@overload
def aio_as_trio(
    proc: Callable[P, Awaitable[T]], *, loop: Border | None = None
) -> Callable[P, Awaitable[T]]: ...
def aio_as_trio(proc: Any, *, loop: Border | None = None) -> Any:
    """Wraps something of asyncio's for use in Trio: an async function (also as a decorator), an awaitable or
    future, an async iterator, an async context manager.

    `await aio_as_trio(function)(*args)` is better than `await aio_as_trio(function(*args))`: in the first,
    also what function does before it awaits runs inside an asyncio task. Methods of what a wrapped context
    manager returns need wrapping of their own. loop: None for the current one.
    """
    return AioAsTrio(proc, loop)


@overload
def trio_as_aio(
    proc: AbstractAsyncContextManager[T], *, loop: Border | None = None
) -> AbstractAsyncContextManager[T]: ...
@overload
def trio_as_aio(proc: AsyncIterable[T], *, loop: Border | None = None) -> AsyncIterator[T]: ...
@overload
def trio_as_aio(
    proc: Callable[P, Awaitable[T]], *, loop: Border | None = None
) -> Callable[P, asyncio.Future[T]]: ...
def trio_as_aio(proc: Any, *, loop: Border | None = None) -> Any:
    """Wraps something of Trio's for use in asyncio: an async function (also as a decorator), an async
    iterator, an async context manager.

    Calling the wrapper starts a Trio task and returns an asyncio future, also in synchronous code. A
    coroutine object is a TypeError. Entry, exit and each step of an iteration are Trio tasks of their own, so
    what holds a nursery or a cancel scope open in between cannot be wrapped. loop: None for the current one.
    """
    if inspect.iscoroutine(proc):
        proc.close()
        raise TypeError("write `trio_as_aio(function)(*args)`, not `trio_as_aio(function(*args))`")
    return TrioAsAio(proc, loop)


# The names of earlier days.
asyncio_as_trio = aio_as_trio
trio_as_asyncio = trio_as_aio
