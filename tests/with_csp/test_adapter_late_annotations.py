"""Types of series by annotations that are evaluated late: the future import's, strings, Python 3.14's."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

csp = pytest.importorskip("csp", reason="csp has no wheel for this Python")

from csploop.csp import async_for, async_in, async_node

FUTURE = "future import"
STRINGS = "strings"
DEFERRED = "deferred"
KINDS = [
    FUTURE,
    STRINGS,
    pytest.param(
        DEFERRED,
        marks=pytest.mark.skipif(
            sys.version_info < (3, 14), reason="before Python 3.14 annotations are evaluated at once"
        ),
    ),
]

# Annotations are between < and >.
SOURCE = """
import functools, typing
from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nowhere import Hidden

async def of_a_later_class() -> <AsyncIterator[Later]>:
    yield Later()

async def in_a_list() -> <AsyncIterator[list[Later]]>:
    yield []

async def returns_a_later_class(x: <int> = 0) -> <Later>:
    return Later()

async def beside_a_hidden_one(x: <Hidden>) -> <int>:
    return 1

async def iterates_beside_a_hidden_one(x: <Hidden> = None) -> <AsyncIterator[int]>:
    yield 1

async def beside_a_missing_attribute(x: <typing.Nothing>) -> <Later>:
    return 1

def awaits_beside_a_hidden_one(x: <Hidden>) -> <Awaitable[Later]>:
    raise NotImplementedError

async def returns_a_hidden_one(x: <int> = 0) -> <Hidden>:
    return 1

async def iterates_a_hidden_one() -> <AsyncIterator[Hidden]>:
    yield 1

async def returns_a_missing_attribute(x: <int> = 0) -> <typing.Nothing>:
    return 1

def decorated(function):
    @functools.wraps(function)
    def call(*args):
        return function(*args)
    return call

wrapped = decorated(beside_a_hidden_one)
wrapped_hidden = decorated(returns_a_hidden_one)

class Iterable:
    def __aiter__(self) -> <AsyncIterator[Later]>:
        raise NotImplementedError
    def other(self, x: <Hidden>): ...

class Iterator:
    def __aiter__(self) -> <Iterator>:
        return self
    async def __anext__(self) -> <Later>:
        raise StopAsyncIteration

class Caller:
    async def __call__(self, x: <Hidden>) -> <Later>:
        return Later()

def wired(element):
    class Local: ...
    async def local() -> <AsyncIterator[Local]>:
        yield Local()
    async def local_in_a_list() -> <AsyncIterator[list[Local]]>:
        yield []
    async def too_early() -> <AsyncIterator[NotYet]>:
        yield
    yield element(local()), Local
    yield element(local_in_a_list()), list[Local]
    yield too_early, None
    class NotYet: ...
    yield element(too_early()), NotYet

class Later: ...
"""


@pytest.fixture(params=KINDS)
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    source = SOURCE
    if request.param == FUTURE:
        source = f"from __future__ import annotations\n{source}"
    quotes = '"' if request.param == STRINGS else ""
    source = re.sub(r"<(.*?)>", f"{quotes}\\1{quotes}", source)
    name = "module_with_annotations"
    module = type(sys)(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(source, f"{name}.py", "exec", dont_inherit=True), vars(module))
    return module


def element(make: Any) -> Any:
    made = []

    def graph() -> None:
        made.append(make())

    csp.build_graph(graph)
    return made[0].tstype.typ


def node(function: Any) -> Any:
    return element(lambda: async_node(csp.const(1), function))


def iterated(source: Any) -> Any:
    return element(lambda: async_for(source))


def test_classes_that_are_defined_later(module: Any) -> None:
    later = module.Later
    assert iterated(module.of_a_later_class()) is later
    assert iterated(module.in_a_list()) == element(lambda: csp.null_ts(list[later]))
    assert iterated(module.Iterable()) is later
    assert iterated(module.Iterator()) is later
    assert node(module.returns_a_later_class) is later
    coro = module.returns_a_later_class()
    assert element(lambda: async_in(coro)) is later
    coro.close()


def test_only_the_annotation_that_is_needed_counts(module: Any) -> None:
    """The others may name what type checkers alone know, or nothing at all."""
    assert iterated(module.iterates_beside_a_hidden_one()) is int
    assert node(module.beside_a_hidden_one) is int
    assert node(module.wrapped) is int
    assert node(module.awaits_beside_a_hidden_one) is module.Later
    assert node(module.beside_a_missing_attribute) is module.Later
    assert node(module.Caller()) is module.Later


def test_a_class_that_only_type_checkers_know_is_an_error_that_says_what_to_do(module: Any) -> None:
    hidden = r"returns_a_hidden_one's annotation 'Hidden' \(name 'Hidden' is not defined\): pass output_type="
    for function in (module.returns_a_hidden_one, module.wrapped_hidden):
        with pytest.raises(TypeError, match=hidden):
            node(function)
    coro = module.returns_a_hidden_one()
    with pytest.raises(TypeError, match=hidden):
        element(lambda: async_in(coro))
    coro.close()
    with pytest.raises(TypeError, match=r"annotation 'AsyncIterator\[Hidden\]' .*: pass output_type="):
        iterated(module.iterates_a_hidden_one())
    with pytest.raises(TypeError, match=r"annotation 'typing.Nothing' .*'Nothing'.*: pass output_type="):
        node(module.returns_a_missing_attribute)
    assert element(lambda: async_for(module.iterates_a_hidden_one(), output_type=int)) is int


def test_local_classes(module: Any) -> None:
    steps = module.wired(iterated)
    for _ in range(2):
        found, wanted = next(steps)
        assert found == element(lambda wanted=wanted: csp.null_ts(wanted))
    too_early, _ = next(steps)
    with pytest.raises(TypeError, match=r"annotation 'AsyncIterator\[NotYet\]' .*: pass output_type="):
        iterated(too_early())
    found, wanted = next(steps)
    assert found is wanted
