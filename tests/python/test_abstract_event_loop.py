"""Everything that asyncio.AbstractEventLoop documents is there, and takes what asyncio's own loop takes."""

from __future__ import annotations

import asyncio
import inspect

import csploop
import pytest

METHODS = sorted(
    name
    for name, value in vars(asyncio.AbstractEventLoop).items()
    if callable(value) and not name.startswith("__") and not name.startswith("_")
)
Parameter = inspect.Parameter
ASYNCIO = asyncio.SelectorEventLoop


def signature(owner, name):
    return inspect.signature(inspect.getattr_static(owner, name))


@pytest.fixture
def plain_loop():
    loop = csploop.new_event_loop()
    yield loop
    loop.close()


def test_the_walk_sees_what_it_should():
    assert {"run_forever", "create_datagram_endpoint", "subprocess_exec", "sock_sendfile"} <= set(METHODS)
    assert len(METHODS) > 40


@pytest.mark.parametrize("name", METHODS)
def test_it_is_implemented(name):
    own = inspect.getattr_static(csploop.Loop, name)
    assert own is not inspect.getattr_static(asyncio.AbstractEventLoop, name)
    assert inspect.iscoroutinefunction(own) == inspect.iscoroutinefunction(getattr(ASYNCIO, name))


@pytest.mark.parametrize("name", METHODS)
def test_it_takes_what_asyncios_takes(plain_loop, name):
    """Each argument by its name and place, with the same default."""
    if name == "time":  # a clock, where asyncio has a method around one
        assert isinstance(plain_loop.time(), float)
        return
    own, other = signature(csploop.Loop, name), signature(ASYNCIO, name)
    if {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD} <= {each.kind for each in own.parameters.values()}:
        return  # hands on to asyncio's what is not its own
    catches_all = any(each.kind is each.VAR_KEYWORD for each in own.parameters.values())
    positional = [each.name for each in own.parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
    wanted = [each.name for each in other.parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
    assert positional[: len(wanted)] == wanted
    for parameter in other.parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            assert any(each.kind is parameter.kind for each in own.parameters.values()), parameter
            continue
        mine = own.parameters.get(parameter.name)
        if mine is None:
            assert catches_all and parameter.kind is parameter.KEYWORD_ONLY, parameter
            continue
        assert mine.kind is parameter.kind
        assert mine.default == parameter.default, parameter
    for mine in own.parameters.values():
        if mine.name not in other.parameters and mine.kind not in (mine.VAR_KEYWORD, mine.VAR_POSITIONAL):
            assert mine.default is not mine.empty, f"asyncio's callers do not pass {mine}"


def hooks():
    """What asyncio's base class leaves to a loop that does I/O."""
    for name, value in vars(asyncio.BaseEventLoop).items():
        if name == "_process_events":  # of loops that are built on a selector
            continue
        if inspect.isfunction(value) and "raise NotImplementedError" in inspect.getsource(value):
            yield name


@pytest.mark.parametrize("name", sorted(hooks()))
def test_what_the_base_class_leaves_to_the_loop_is_there(name):
    own = inspect.getattr_static(csploop.Loop, name)
    assert own is not inspect.getattr_static(asyncio.BaseEventLoop, name)


def test_no_method_of_ours_raises_not_implemented():
    for owner in csploop.Loop.__mro__:
        if not owner.__module__.startswith("csploop"):
            continue
        for name, value in vars(owner).items():
            if inspect.isfunction(value):
                assert "NotImplementedError" not in value.__code__.co_names, name


def test_it_is_an_asyncio_loop(plain_loop):
    assert isinstance(plain_loop, asyncio.BaseEventLoop)
