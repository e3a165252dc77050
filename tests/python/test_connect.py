"""create_connection: addresses, sockets, failures, cancelling."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys

import pytest
from support.peers import Peer, closed_port, has_ipv6
from support.protocols import Echo, Recorder

pytestmark = pytest.mark.io


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def accepted(listener):
    listener.settimeout(10)
    return Peer(listener.accept()[0])


async def finish(transport, recorder, peer):
    peer.close()
    transport.close()
    await recorder.until_lost()


async def test_it_connects_to_an_address(loop, listener):
    transport, recorder = await loop.create_connection(Recorder, *listener.getsockname())
    assert recorder.events == ["made"]
    assert recorder.transport is transport
    peer = accepted(listener)
    transport.write(b"ping")
    assert await peer.recv(4) == b"ping"
    await peer.send(b"pong")
    await recorder.until_received(4)
    assert recorder.data == b"pong"
    await finish(transport, recorder, peer)
    assert recorder.events == ["made", "data", "eof", "lost"] or recorder.events == ["made", "data", "lost"]


@pytest.mark.parametrize("given", [False, True], ids=["made", "given"])
@pytest.mark.ours("asyncio closes it from Python 3.15 on")
async def test_a_connection_whose_protocol_cannot_be_made_is_closed(loop, listener, given):
    def factory():
        raise LookupError("no protocol")

    with contextlib.ExitStack() as stack:
        how = dict(zip(("host", "port"), listener.getsockname()))
        if given:
            sock = stack.enter_context(socket.create_connection(listener.getsockname()))
            how = {"sock": sock}
        with pytest.raises(LookupError):
            await loop.create_connection(factory, **how)
        peer = accepted(listener)
        assert await peer.recv_end() == b""
        peer.close()
        assert not given or sock.fileno() == -1


async def test_it_connects_to_a_name(loop, listener):
    port = listener.getsockname()[1]
    transport, recorder = await loop.create_connection(Recorder, "localhost", port, family=socket.AF_INET)
    await finish(transport, recorder, accepted(listener))


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 on loopback")
async def test_it_connects_over_ipv6(loop):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        transport, recorder = await loop.create_connection(Recorder, "::1", listener.getsockname()[1])
        assert transport.get_extra_info("peername")[:2] == listener.getsockname()[:2]
        await finish(transport, recorder, accepted(listener))


async def test_a_refused_connection_is_told_with_its_address(loop):
    port = closed_port()
    with pytest.raises(ConnectionRefusedError) as caught:
        await loop.create_connection(Recorder, "127.0.0.1", port)
    assert caught.value.errno == errno.ECONNREFUSED


async def test_refused_at_every_address_is_one_error(loop):
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 on loopback")
    with pytest.raises(OSError) as caught:
        await loop.create_connection(Recorder, "localhost", closed_port())
    assert not isinstance(caught.value, TimeoutError)


async def test_an_unknown_name_is_a_gaierror(loop):
    with pytest.raises(socket.gaierror):
        await loop.create_connection(Recorder, "no-such-host.invalid", 80)


async def test_a_connected_socket_can_be_passed_in(loop, listener):
    sock = socket.create_connection(listener.getsockname())
    sock.setblocking(False)
    transport, recorder = await loop.create_connection(Recorder, sock=sock)
    peer = accepted(listener)
    await peer.send(b"hello")
    await recorder.until_received(5)
    assert transport.get_extra_info("socket").fileno() == sock.fileno()
    await finish(transport, recorder, peer)
    assert sock.fileno() == -1


async def test_a_local_address_is_bound_first(loop, listener):
    port = closed_port()
    transport, recorder = await loop.create_connection(
        Recorder, *listener.getsockname(), local_addr=("127.0.0.1", port)
    )
    peer = accepted(listener)
    assert peer.sock.getpeername() == ("127.0.0.1", port)
    await finish(transport, recorder, peer)


async def test_a_local_address_in_use_is_an_error(loop, listener):
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError) as caught:
        await loop.create_connection(
            Recorder, *listener.getsockname(), local_addr=("127.0.0.1", other.getsockname()[1])
        )
    assert caught.value.errno == errno.EADDRINUSE


async def test_happy_eyeballs_finds_the_address_that_answers(loop, listener):
    transport, recorder = await loop.create_connection(
        Recorder, "localhost", listener.getsockname()[1], happy_eyeballs_delay=0.25, interleave=1
    )
    assert transport.get_extra_info("peername") == listener.getsockname()
    await finish(transport, recorder, accepted(listener))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="all_errors is new in Python 3.12")
async def test_all_errors_gives_a_group(loop):
    with pytest.raises(ExceptionGroup) as caught:  # noqa: F821
        await loop.create_connection(Recorder, "127.0.0.1", closed_port(), all_errors=True)
    assert [type(error) for error in caught.value.exceptions] == [ConnectionRefusedError]


async def test_a_cancelled_connect_leaves_nothing_open(loop):
    # A listener whose queue is full answers no handshake: the connect stays pending.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        task = loop.create_task(loop.create_connection(Recorder, *full.getsockname()))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for filler in fillers:
            filler.close()


async def test_a_connect_within_wait_for_times_out_cleanly(loop):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(loop.create_connection(Recorder, *full.getsockname()), 0.005)
        for filler in fillers:
            filler.close()


async def test_a_protocol_factory_that_fails_is_the_callers_error(loop, listener):
    def factory():
        raise LookupError("as planned")

    with socket.create_connection(listener.getsockname()) as sock:
        sock.setblocking(False)
        with pytest.raises(LookupError, match="as planned"):
            await loop.create_connection(factory, sock=sock)


async def test_the_client_socket_has_nodelay(loop, listener):
    transport, recorder = await loop.create_connection(Recorder, *listener.getsockname())
    sock = transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    await finish(transport, recorder, accepted(listener))


async def test_a_server_and_its_client_on_one_loop(loop):
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    transport, recorder = await loop.create_connection(Recorder, *server.sockets[0].getsockname())
    for number in range(50):
        transport.write(b"%04d" % number)
        await recorder.until_received(4 * (number + 1))
    assert recorder.data == b"".join(b"%04d" % number for number in range(50))
    transport.close()
    await recorder.until_lost()
    server.close()
    await server.wait_closed()
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("name", ["tcp", "unix"])
async def test_connect_accepted_socket(loop, name):
    if name == "unix":
        ours, theirs = socket.socketpair()
    else:
        from support.peers import tcp_pair

        ours, theirs = tcp_pair()
    ours.setblocking(False)
    transport, recorder = await loop.connect_accepted_socket(Recorder, ours)
    with Peer(theirs) as peer:
        transport.write(b"hello")
        assert await peer.recv(5) == b"hello"
        await peer.send(b"there")
        await recorder.until_received(5)
    await recorder.until_lost()


async def test_connect_accepted_socket_refuses_datagrams(loop):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(ValueError):
        await loop.connect_accepted_socket(Recorder, sock)
