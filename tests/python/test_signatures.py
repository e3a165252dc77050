"""What can be called on asyncio's loop and transports can be called here, with the same arguments.

The running Python's own asyncio says what that is.
"""

from __future__ import annotations

import asyncio
import inspect
from asyncio import base_subprocess, selector_events, sslproto

import csploop
import pytest
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
if hasattr(asyncio, "DefaultEventLoopPolicy"):
    POLICIES = [(csploop.EventLoopPolicy, asyncio.DefaultEventLoopPolicy)]
else:
    POLICIES = []
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


def test_the_event_loop_has_every_call_of_the_abstract_one():
    names = {name for name in dir(asyncio.AbstractEventLoop) if not name.startswith("_")}
    assert names <= set(dir(csploop.Loop))
