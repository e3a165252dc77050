"""Names and addresses: getaddrinfo, getnameinfo, and how create_connection chooses among what it finds."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import socket
import sys
import threading

import pytest
from support.peers import closed_port, has_ipv6
from support.protocols import Recorder

pytestmark = pytest.mark.io

TCP4 = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
TCP6 = (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")


@pytest.fixture
def resolver(loop_kind, monkeypatch):
    """Lets a test say what names mean: resolver["name"] = list of addresses, or a function."""
    if loop_kind.name == "uvloop":
        pytest.xfail("not run: resolves without Python's socket module")
    real = socket.getaddrinfo
    names = {}

    def getaddrinfo(host, *args, **keywords):
        if host not in names:
            return real(host, *args, **keywords)
        found = names[host]
        return found() if callable(found) else found

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def silent():
    """An address that answers no handshake: the listener's queue is full."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield full.getsockname()


async def finish(transport, recorder, listener):
    listener.accept()[0].close()
    transport.close()
    await recorder.until_lost()


@pytest.mark.parametrize(
    ("host", "port", "keywords"),
    [
        ("127.0.0.1", 80, {"type": socket.SOCK_STREAM}),
        ("localhost", 80, {"type": socket.SOCK_STREAM, "family": socket.AF_INET}),
        ("localhost", "http", {"type": socket.SOCK_STREAM, "family": socket.AF_INET}),
        ("localhost", None, {"family": socket.AF_INET, "type": socket.SOCK_DGRAM}),
        (None, 0, {"type": socket.SOCK_STREAM, "flags": socket.AI_PASSIVE, "family": socket.AF_INET}),
        ("::1", 80, {"type": socket.SOCK_STREAM, "flags": socket.AI_NUMERICHOST}),
    ],
)
async def test_getaddrinfo_finds_what_the_socket_module_finds(loop, host, port, keywords):
    assert await loop.getaddrinfo(host, port, **keywords) == socket.getaddrinfo(host, port, **keywords)


async def test_what_cannot_be_resolved_is_a_gaierror(loop):
    with pytest.raises(socket.gaierror):
        await loop.getaddrinfo("no such name", 80)
    with pytest.raises(socket.gaierror):
        await loop.getaddrinfo("name", 80, flags=socket.AI_NUMERICHOST)
    with pytest.raises(socket.gaierror):
        await loop.getaddrinfo("127.0.0.1", 80, family=socket.AF_INET6)


async def test_getnameinfo(loop):
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    assert await loop.getnameinfo(("127.0.0.1", 80), numeric) == ("127.0.0.1", "80")
    assert await loop.getnameinfo(("127.0.0.1", 80)) == socket.getnameinfo(("127.0.0.1", 80), 0)
    if has_ipv6():
        assert await loop.getnameinfo(("::1", 80, 0, 0), numeric) == ("::1", "80")


async def test_the_loop_goes_on_while_a_name_is_looked_up(loop, resolver):
    entered, leave = threading.Event(), threading.Event()

    def slow():
        entered.set()
        leave.wait()
        return [(*TCP4, ("127.0.0.1", 1))]

    resolver["slow"] = slow
    task = loop.create_task(loop.getaddrinfo("slow", 1))
    while not entered.is_set():
        await asyncio.sleep(0)
    assert not task.done()
    leave.set()
    assert await task == [(*TCP4, ("127.0.0.1", 1))]


@pytest.mark.parametrize("what", ["getaddrinfo", "create_connection", "sock_connect"])
async def test_a_lookup_can_be_cancelled(loop, resolver, what):
    entered, leave = threading.Event(), threading.Event()

    def slow():
        entered.set()
        leave.wait()
        return [(*TCP4, ("127.0.0.1", 1))]

    resolver["slow"] = slow
    with socket.socket() as sock:
        sock.setblocking(False)
        calls = {
            "getaddrinfo": lambda: loop.getaddrinfo("slow", 1),
            "create_connection": lambda: loop.create_connection(Recorder, "slow", 1),
            "sock_connect": lambda: loop.sock_connect(sock, ("slow", 1)),
        }
        task = loop.create_task(calls[what]())
        while not entered.is_set():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        leave.set()


class NoThreads(concurrent.futures.ThreadPoolExecutor):
    def submit(self, function, /, *args, **keywords):
        raise AssertionError(f"{function} was sent to a thread")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="needs IPv6"))]
)
async def test_literal_addresses_need_no_thread(loop, host):
    loop.set_default_executor(NoThreads())
    server = await loop.create_server(Recorder, host, 0)
    address = server.sockets[0].getsockname()
    transport, recorder = await loop.create_connection(Recorder, host, address[1])
    with socket.socket(server.sockets[0].family) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
    transport.close()
    await recorder.until_lost()
    server.close()
    await server.wait_closed()


async def test_the_addresses_of_a_name_are_tried_in_turn(loop, resolver, listener):
    resolver["several"] = [
        (*TCP4, ("127.0.0.1", closed_port())),
        (*TCP4, ("127.0.0.1", closed_port())),
        (*TCP4, listener.getsockname()),
    ]
    transport, recorder = await loop.create_connection(Recorder, "several", 1)
    assert transport.get_extra_info("peername") == listener.getsockname()
    await finish(transport, recorder, listener)


async def test_a_name_without_addresses(loop, resolver):
    resolver["nothing"] = []
    with pytest.raises(OSError, match="returned empty list"):
        await loop.create_connection(Recorder, "nothing", 1)


async def test_happy_eyeballs_does_not_wait_for_the_silent(loop, resolver, listener, silent):
    resolver["several"] = [(*TCP4, silent), (*TCP4, listener.getsockname())]
    transport, recorder = await loop.create_connection(Recorder, "several", 1, happy_eyeballs_delay=0.001)
    assert transport.get_extra_info("peername") == listener.getsockname()
    await finish(transport, recorder, listener)


async def test_happy_eyeballs_goes_on_at_once_after_an_error(loop, resolver, listener):
    resolver["several"] = [(*TCP4, ("127.0.0.1", closed_port())), (*TCP4, listener.getsockname())]
    # The delay is longer than the test may take.
    transport, recorder = await loop.create_connection(Recorder, "several", 1, happy_eyeballs_delay=1000)
    assert transport.get_extra_info("peername") == listener.getsockname()
    await finish(transport, recorder, listener)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="all_errors is new in Python 3.12")
@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6")
@pytest.mark.parametrize(("interleave", "order"), [(None, "664"), (1, "646"), (2, "664")])
@pytest.mark.parametrize("delay", [None, 1000])
async def test_interleave_mixes_the_families(loop, resolver, delay, interleave, order):
    ports = [closed_port() for _ in range(3)]
    resolver["several"] = [
        (*TCP6, ("::1", ports[0], 0, 0)),
        (*TCP6, ("::1", ports[1], 0, 0)),
        (*TCP4, ("127.0.0.1", ports[2])),
    ]
    if delay is not None and interleave is None:
        order = "646"  # with a delay, the families alternate unless told otherwise
    with pytest.raises(ExceptionGroup) as caught:  # noqa: F821
        await loop.create_connection(
            Recorder, "several", 1, all_errors=True, happy_eyeballs_delay=delay, interleave=interleave
        )
    errors = caught.value.exceptions
    assert [type(error) for error in errors] == [ConnectionRefusedError] * 3
    assert "".join("6" if "::1" in str(error) else "4" for error in errors) == order


async def test_errors_at_all_addresses_are_one_error_that_names_them(loop, resolver):
    ports = [closed_port() for _ in range(2)]
    resolver["several"] = [(*TCP4, ("127.0.0.1", port)) for port in ports]
    with pytest.raises(OSError, match="Multiple exceptions") as caught:
        await loop.create_connection(Recorder, "several", 1)
    for port in ports:
        assert str(port) in str(caught.value)


@pytest.mark.skipif(sys.version_info < (3, 10), reason="Python 3.9 gives up at the first of another family")
@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6")
async def test_a_local_address_is_used_with_addresses_of_its_family(loop, resolver, listener):
    resolver["several"] = [(*TCP6, ("::1", closed_port(), 0, 0)), (*TCP4, listener.getsockname())]
    transport, recorder = await loop.create_connection(Recorder, "several", 1, local_addr=("127.0.0.2", 0))
    assert transport.get_extra_info("peername") == listener.getsockname()
    assert transport.get_extra_info("sockname")[0] == "127.0.0.2"
    await finish(transport, recorder, listener)


async def test_a_local_address_that_is_not_here(loop, listener):
    # 192.0.2.0/24 is for documentation: nobody has it.
    with pytest.raises(OSError) as caught:
        await loop.create_connection(Recorder, *listener.getsockname(), local_addr=("192.0.2.1", 0))
    assert caught.value.errno == errno.EADDRNOTAVAIL
