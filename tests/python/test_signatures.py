"""What can be called on asyncio's loop and transports can be called here, with the same arguments.

The running Python's own asyncio says what that is. The same goes for the hooks, by which asyncio's code calls
the loop and the loop calls asyncio's: a Python that changes one fails the test with its name.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import platform
from asyncio import base_subprocess, selector_events, sslproto

import csploop
import pytest
from csploop._compat import POLICIES_EXIST, policy_base
from csploop._hooks import ANSWERED, CALLED, SLOTS, check_hooks, differences
from csploop._transports.datagram import DatagramTransport
from csploop._transports.pipe import ReadPipeTransport
from csploop._transports.process import ProcessTransport
from csploop._transports.stream import StreamTransport
from csploop._transports.tls_transport import SSLTransport
from csploop._transports.write_pipe import WritePipeTransport

pytestmark = pytest.mark.ours("compares csploop's classes with asyncio's")

# Options that a newer asyncio has, and that csploop takes on every Python because the work is its own.
NEWER = {
    "create_connection": {"ssl_shutdown_timeout"},
    "connect_accepted_socket": {"ssl_shutdown_timeout"},
    "create_server": {"ssl_shutdown_timeout"},
    "start_tls": {"ssl_shutdown_timeout"},
    "create_unix_connection": {"ssl_shutdown_timeout"},
    "create_unix_server": {"ssl_shutdown_timeout", "cleanup_socket"},
}
POLICIES = [(csploop.EventLoopPolicy, policy_base())] if POLICIES_EXIST else []
try:
    from asyncio import unix_events
except ImportError:
    PIPES = []
else:
    PIPES = [
        (ReadPipeTransport, unix_events._UnixReadPipeTransport),
        (WritePipeTransport, unix_events._UnixWritePipeTransport),
    ]
PAIRS = [
    (csploop.Loop, asyncio.SelectorEventLoop),
    (StreamTransport, selector_events._SelectorSocketTransport),
    (DatagramTransport, selector_events._SelectorDatagramTransport),
    (SSLTransport, sslproto._SSLProtocolTransport),
    (ProcessTransport, base_subprocess.BaseSubprocessTransport),
    *PIPES,
    *POLICIES,
]


def parameters(function):
    """Name, kind and default of each; an annotation is no difference."""
    found = inspect.signature(function).parameters.values()
    return {each.name: (each.kind, each.default) for each in found if each.name != "self"}


CALLS = [
    pytest.param(ours, theirs, name, id=f"{theirs.__name__}.{name}")
    for ours, theirs in PAIRS
    for name in dir(theirs)
    if not name.startswith("_") and callable(getattr(theirs, name)) and name != "time"
]


@pytest.mark.parametrize(("ours", "theirs", "name"), CALLS)
def test_a_call_takes_what_it_takes_on_asyncio(ours, theirs, name):
    mine, asyncios = getattr(ours, name), getattr(theirs, name)
    assert inspect.iscoroutinefunction(mine) == inspect.iscoroutinefunction(asyncios)
    expected, actual = parameters(asyncios), parameters(mine)
    more = NEWER.get(name, set()) if ours is csploop.Loop else set()
    assert {key: value for key, value in actual.items() if key in expected or key not in more} == expected
    by_order = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    positional = [key for key, (kind, _) in expected.items() if kind in by_order]
    assert list(actual)[: len(positional)] == positional


def inside(ours, theirs):
    """Private methods of asyncio's class that csploop's has in its own way."""
    for name in dir(theirs):
        method = getattr(theirs, name)
        if name.startswith("_") and not name.startswith("__") and inspect.isfunction(method):
            mine = getattr(ours, name, None)
            if (
                mine is not None
                and mine is not method
                and not getattr(mine, "__module__", "").startswith("asyncio.")
            ):
                yield name


OVERRIDDEN = [
    pytest.param(ours, theirs, name, id=f"{theirs.__name__}.{name}")
    for ours, theirs in PAIRS
    for name in inside(ours, theirs)
]


@pytest.mark.parametrize(("ours", "theirs", "name"), OVERRIDDEN)
def test_a_hook_takes_what_it_takes_on_asyncio(ours, theirs, name):
    expected, actual = parameters(getattr(theirs, name)), parameters(getattr(ours, name))
    assert {key: kind for key, (kind, _) in expected.items()}.items() <= {
        key: kind for key, (kind, _) in actual.items()
    }.items(), f"{name} of Python {platform.python_version()}"
    by_order = [key for key, (kind, _) in expected.items() if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert list(actual)[: len(by_order)] == by_order
    for key, (kind, default) in actual.items():
        if key not in expected:
            assert default is not inspect.Parameter.empty or kind is inspect.Parameter.VAR_KEYWORD
    for key, (_, default) in expected.items():
        assert (default is inspect.Parameter.empty) == (actual[key][1] is inspect.Parameter.empty)
    asynchronous = inspect.iscoroutinefunction(getattr(ours, name))
    assert asynchronous == inspect.iscoroutinefunction(getattr(theirs, name))


def test_all_hooks_that_the_loop_answers_are_listed():
    mine = set(inside(csploop.Loop, asyncio.SelectorEventLoop)) - {
        "_check_closed"
    }  # before a run: one more state
    assert mine == set(ANSWERED)


@pytest.mark.parametrize(("owner", "name"), CALLED, ids=lambda value: getattr(value, "__name__", value))
def test_what_csploop_calls_of_asyncios_is_there_and_takes_that(owner, name):
    count, keywords = CALLED[owner, name]
    found = inspect.signature(getattr(owner, name))
    found.bind(*range(count + isinstance(owner, type)), **dict.fromkeys(keywords))


@pytest.mark.parametrize("kind", SLOTS, ids=lambda kind: kind.__name__)
def test_a_handle_has_no_attributes_that_the_loop_leaves_unset(kind):
    assert set(kind.__slots__) == SLOTS[kind]


def test_the_running_asyncio_is_one_that_csploop_knows():
    assert differences(csploop.Loop) == []


def with_keyword(method):
    def _make_socket_transport(
        self, sock, protocol, waiter=None, *, extra=None, server=None, context=None, colour=None
    ):
        return method(self, sock, protocol, waiter)

    return _make_socket_transport


def with_argument(method):
    def _make_socket_transport(self, colour, sock, protocol, waiter=None, *, extra=None, server=None):
        return method(self, sock, protocol, waiter)

    return _make_socket_transport


@pytest.mark.parametrize("change", [with_keyword, with_argument])
def test_a_hook_that_a_newer_asyncio_has_changed_is_named_at_import(monkeypatch, change):
    hook = "_make_socket_transport"
    method = getattr(asyncio.SelectorEventLoop, hook)
    monkeypatch.setattr(asyncio.SelectorEventLoop, hook, change(method))
    with pytest.warns(RuntimeWarning) as told:
        check_hooks(csploop.Loop)
    text = str(told.pop().message)
    assert f"Python {platform.python_version()}" in text
    assert f"asyncio hands colour{', sock, protocol, waiter' * (change is with_argument)} to {hook}" in text


def changed_check(self, callback, method, colour):
    raise NotImplementedError


@pytest.mark.parametrize("newer", [None, changed_check])
def test_a_helper_that_a_newer_asyncio_has_changed_or_lacks_is_named_at_import(monkeypatch, newer):
    if newer is None:
        monkeypatch.delattr(asyncio.BaseEventLoop, "_check_callback")
    else:
        monkeypatch.setattr(asyncio.BaseEventLoop, "_check_callback", newer)
    assert differences(csploop.Loop) == [
        "asyncio's BaseEventLoop._check_callback is gone or takes other arguments"
    ]


def test_a_handle_with_a_new_attribute_is_named_at_import(monkeypatch):
    class Handle:
        __slots__ = (*asyncio.Handle.__slots__, "_colour")

    monkeypatch.setitem(SLOTS, Handle, SLOTS[asyncio.Handle])
    assert differences(csploop.Loop) == ["Handle has attributes that csploop does not know"]


def test_what_wraps_a_hook_says_nothing_of_asyncio(monkeypatch):
    method = asyncio.BaseEventLoop._check_callback

    @functools.wraps(method)
    def traced(*args):
        return method(*args)

    monkeypatch.setattr(asyncio.BaseEventLoop, "_check_callback", traced)
    assert differences(csploop.Loop) == []


def test_a_keyword_of_a_newer_asyncio_is_taken():
    """As 3.15 began to hand over a context: connections are made all the same."""

    class Newer(csploop.Loop):
        def _make_socket_transport(self, *args, **kwargs):
            return super()._make_socket_transport(*args, colour="red", **kwargs)

        def _start_serving(self, *args, **kwargs):
            return super()._start_serving(*args, colour="red", **kwargs)

    async def talk():
        async def answer(reader, writer):
            writer.write(await reader.readexactly(2))
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hi")
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return said

    newer = Newer()
    try:
        assert newer.run_until_complete(talk()) == b"hi"
    finally:
        newer.close()


def test_the_event_loop_has_every_call_of_the_abstract_one():
    names = {name for name in dir(asyncio.AbstractEventLoop) if not name.startswith("_")}
    assert names <= set(dir(csploop.Loop))
