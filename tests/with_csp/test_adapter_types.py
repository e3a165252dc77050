"""The types of series that adapters make, by the annotations of what they are given."""

from __future__ import annotations

import asyncio
import functools
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Coroutine
from typing import Any, Optional

import pytest

csp = pytest.importorskip("csp", reason="csp has no wheel for this Python")

from csp.impl.struct import define_struct
from csploop.csp import async_for, async_in, async_node

# Not a class statement: csp's structs do not understand annotations of this module's kind.
Quote: Any = define_struct("Quote", {"price": float})


async def ints() -> AsyncIterator[int]:
    yield 1


async def structs() -> AsyncGenerator[Quote, None]:
    yield Quote()


async def iterable() -> AsyncIterable[str]:
    yield ""


async def lists() -> AsyncIterator[list[int]]:
    yield []


async def old_lists() -> typing.AsyncIterator[typing.List[int]]:  # noqa: UP006
    yield []


async def anything() -> AsyncIterator[Any]:
    yield 1


async def optional() -> AsyncIterator[Optional[int]]:  # noqa: UP045
    yield 1


async def functions() -> AsyncIterator[typing.Callable[[int], int]]:
    yield abs


async def bare() -> AsyncIterator:  # type: ignore[type-arg]
    yield 1


async def silent():  # type: ignore[no-untyped-def]
    yield 1


T = typing.TypeVar("T")


async def generic() -> AsyncIterator[T]:  # type: ignore[type-var]
    if False:
        yield


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return function(*args)

    return call


@decorated
async def wrapped() -> AsyncIterator[bool]:
    yield True


class Methods:
    async def method(self) -> AsyncIterator[int]:
        yield 1

    @staticmethod
    async def static() -> AsyncIterator[str]:
        yield ""

    @classmethod
    async def of_class(cls) -> AsyncIterator[float]:
        yield 1.0

    class Inner:
        async def method(self) -> AsyncIterator[bytes]:
            yield b""


def element(edge: Any) -> Any:
    return edge.tstype.typ


def in_graph(make: Any) -> Any:
    """What `make` makes of adapters, wired but not run."""
    made = []

    def graph() -> None:
        made.append(make())

    csp.build_graph(graph)
    return made[0]


@pytest.mark.parametrize(
    ("source", "typ"),
    [
        (ints, int),
        (structs, Quote),
        (iterable, str),
        (lists, list[int]),
        (old_lists, list[int]),
        (optional, Optional[int]),
        (anything, object),
        (functions, object),
        (bare, object),
        (silent, object),
        (generic, object),
        (wrapped, bool),
        (lambda: Methods().method(), int),
        (Methods.static, str),
        (Methods.of_class, float),
        (lambda: Methods.Inner().method(), bytes),
    ],
)
def test_a_generator_object_tells_its_type(source: Any, typ: Any) -> None:
    canonical = in_graph(lambda: csp.null_ts(typ)).tstype
    assert in_graph(lambda: async_for(source())).tstype == canonical


def test_a_closure_that_names_a_local_class() -> None:
    class Local:
        pass

    def make(number: int) -> AsyncIterator[Local]:
        async def closure() -> AsyncIterator[Local]:
            yield number  # type: ignore[misc]

        return closure()

    assert element(in_graph(lambda: async_for(make(1)))) is Local


def test_a_generator_whose_function_is_gone_makes_objects_or_its_type() -> None:
    def make() -> Any:
        async def gone() -> AsyncIterator[int]:
            yield 1

        return gone()

    source = make()
    assert element(in_graph(lambda: async_for(source))) in (int, object)
    assert element(in_graph(lambda: async_for(source, output_type=int))) is int


class Iterator:
    def __aiter__(self) -> Iterator:
        return self

    async def __anext__(self) -> int:
        raise StopAsyncIteration


class Iterable:
    def __aiter__(self) -> AsyncIterator[str]:
        raise NotImplementedError


@pytest.mark.parametrize(("source", "typ"), [(Iterator(), int), (Iterable(), str)])
def test_other_iterables_tell_by_their_methods(source: Any, typ: Any) -> None:
    assert element(in_graph(lambda: async_for(source))) is typ


async def misspelt() -> AsyncIterator[Qoute]:  # type: ignore[name-defined]
    yield 1


def test_a_misspelt_annotation_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(TypeError, match="Qoute.*output_type="):
        async_for(misspelt())
    assert element(in_graph(lambda: async_for(misspelt(), output_type=Quote))) is Quote


@pytest.mark.parametrize("typ", [Any, T, typing.Callable[[int], int], 5])
def test_a_type_that_csp_does_not_have_is_an_error(typ: Any) -> None:
    with pytest.raises(TypeError, match="no time series"):
        async_for(ints(), output_type=typ)


async def number() -> int:
    return 1


async def quote(x: int) -> Quote:
    return Quote()


def later(x: int) -> Awaitable[float]:
    raise NotImplementedError


def coroutine(x: int) -> Coroutine[Any, Any, str]:
    raise NotImplementedError


class Caller:
    async def __call__(self, x: int) -> bool:
        return True

    async def method(self, x: int) -> bytes:
        return b""


async def two(factor: int, x: int) -> int:
    return factor * x


async def nothing() -> None: ...


def test_a_coroutine_tells_its_type() -> None:
    coros = [number(), quote(1), nothing(), Caller().method(1)]
    found = [element(in_graph(lambda coro=coro: async_in(coro))) for coro in coros]
    for coro in coros:
        coro.close()
    assert found == [int, Quote, type(None), bytes]


def test_a_task_tells_the_type_of_its_coroutine() -> None:
    async def main() -> Any:
        return element(in_graph(lambda: async_in(asyncio.ensure_future(number()))))

    assert asyncio.run(main()) is int


@pytest.mark.parametrize(
    ("function", "typ"),
    [
        (quote, Quote),
        (later, float),
        (coroutine, str),
        (Caller(), bool),
        (Caller().method, bytes),
        (functools.partial(two, 2), int),
        (lambda x: quote(x), object),
        (decorated(quote), Quote),
    ],
)
def test_a_function_tells_what_it_returns(function: Any, typ: Any) -> None:
    assert element(in_graph(lambda: async_node(csp.const(1), function))) is typ
