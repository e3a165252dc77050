"""Datagram endpoints: what is sent and received, by whom, and what is told about failures."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import socket
import sys

import pytest
from support.datagrams import Datagrams, bound, connected, endpoint, free_port
from support.peers import has_ipv6

pytestmark = pytest.mark.io

HOSTS = [
    "127.0.0.1",
    pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")),
]


@pytest.mark.parametrize("host", HOSTS)
async def test_datagrams_come_whole_in_order_and_with_their_sender(loop, host):
    server = await bound(loop, host)
    client = await bound(loop, host)
    sent = [bytes([number % 256]) * (number * 37 % 1400 + 1) for number in range(60)] + [b"x" * 60000]
    for data in sent[:30]:
        client.transport.sendto(data, server.name)
    assert await server.get(30) == sent[:30]
    for data in sent[30:]:
        client.transport.sendto(data, server.name)
    assert await server.get(len(sent)) == sent
    assert {address for _, address in server.received} == {client.name}
    assert len(client.name) == (4 if ":" in host else 2)
    for protocol in (client, server):
        assert await protocol.close() is None
    assert client.events == ["made", "lost"]


@pytest.mark.parametrize("host", HOSTS)
async def test_an_answer_goes_to_the_address_that_came(loop, host):
    class Echo(Datagrams):
        def datagram_received(self, data, addr):
            self.transport.sendto(data.upper(), addr)

    transport, server = await loop.create_datagram_endpoint(Echo, local_addr=(host, 0))
    client = await connected(loop, server)
    client.transport.sendto(b"hello")
    assert await client.get() == [b"HELLO"]
    assert client.received[0][1] == server.name
    assert client.transport.get_extra_info("peername") == server.name
    await client.close()
    await server.close()


async def test_an_empty_datagram_is_received(loop):
    server = await bound(loop)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.sendto(b"", server.name)
        assert await server.get() == [b""]
        assert server.received[0][1] == sock.getsockname()
    await server.close()


async def test_an_empty_datagram_is_sent_from_python_3_13_on(loop):
    server = await bound(loop)
    client = await connected(loop, server)
    client.transport.sendto(b"")
    client.transport.sendto(b"end")
    await server.until(lambda: (b"end", client.name) in server.received)
    expected = [b"", b"end"] if sys.version_info >= (3, 13) else [b"end"]
    assert [data for data, _ in server.received] == expected
    await client.close()
    await server.close()


@pytest.mark.parametrize("make", [bytearray, memoryview], ids=["bytearray", "memoryview"])
async def test_buffers_may_be_changed_after_sendto(loop, make):
    server = await bound(loop)
    client = await connected(loop, server)
    data = bytearray(b"before")
    view = make(data)
    client.transport.sendto(view)
    data[:] = view[:] = b"after!"
    assert await server.get() == [b"before"]
    await client.close()
    await server.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
async def test_hosts_are_literals_names_or_empty(loop, host):
    server = await endpoint(loop, local_addr=("0.0.0.0", 0))
    client = await endpoint(loop, local_addr=("0.0.0.0", 0))
    client.transport.sendto(b"x", (host, server.name[1]))
    assert await server.get() == [b"x"]
    await client.close()
    await server.close()


async def test_a_refused_peer_is_told_and_the_socket_goes_on(loop):
    port = free_port()
    client = await endpoint(loop, remote_addr=("127.0.0.1", port))
    client.transport.sendto(b"anybody?")
    assert isinstance(await client.error(), ConnectionRefusedError)
    assert not client.transport.is_closing()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", port))
        sock.sendto(b"now", client.name)
        assert await client.get() == [b"now"]
    await client.close()


async def test_a_datagram_that_is_too_long_is_told_and_the_rest_goes_on(loop):
    server = await bound(loop)
    client = await bound(loop)
    client.transport.sendto(b"first", server.name)
    client.transport.sendto(b"x" * 70000, server.name)
    client.transport.sendto(b"last", server.name)
    assert (await client.error()).errno == errno.EMSGSIZE
    assert await server.get(2) == [b"first", b"last"]
    assert len(client.errors) == 1
    await client.close()
    await server.close()


async def test_a_name_that_nobody_knows_is_an_error_received(loop):
    client = await bound(loop)
    client.transport.sendto(b"x", ("name.invalid", 9))
    assert isinstance(await client.error(), socket.gaierror)
    await client.close()


async def test_broadcast_has_to_be_allowed(loop):
    client = await bound(loop)
    client.transport.sendto(b"x", ("255.255.255.255", 9))
    assert (await client.error()).errno == errno.EACCES
    await client.close()
    allowed = await endpoint(loop, local_addr=("127.0.0.1", 0), allow_broadcast=True)
    sock = allowed.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST)
    await allowed.close()


async def test_allow_broadcast_leaves_the_socket_unconnected_but_fixes_the_address(loop):
    server = await bound(loop)
    client = await endpoint(loop, remote_addr=server.name, allow_broadcast=True)
    assert client.transport.get_extra_info("peername") is None
    client.transport.sendto(b"one")
    client.transport.sendto(b"two", server.name)
    assert await server.get(2) == [b"one", b"two"]
    with pytest.raises(ValueError, match="Invalid address: must be None or"):
        client.transport.sendto(b"x", ("127.0.0.1", 1))
    await client.close()
    await server.close()


async def test_another_address_than_the_remote_one_is_refused(loop):
    server = await bound(loop)
    client = await connected(loop, server)
    with pytest.raises(ValueError, match="Invalid address: must be None or"):
        client.transport.sendto(b"x", ("127.0.0.1", 1))
    client.transport.sendto(b"same", server.name)
    assert await server.get() == [b"same"]
    await client.close()
    await server.close()


@pytest.mark.parametrize("data", ["text", 1, None, [b"x"]], ids=repr)
async def test_what_is_no_bytes_is_a_type_error(loop, data):
    client = await bound(loop)
    with pytest.raises(TypeError):
        client.transport.sendto(data, client.name)
    client.transport.sendto(b"fine", client.name)
    assert await client.get() == [b"fine"]
    await client.close()


@pytest.mark.parametrize(
    "address", [None, "127.0.0.1", ("127.0.0.1",), (1, 2), ("127.0.0.1", 99999)], ids=repr
)
async def test_what_is_no_address_ends_the_transport_with_the_sockets_exception(loop, reports, address):
    client = await bound(loop)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.sendto(b"x", address)
        except Exception as exc:
            expected = type(exc)
    client.transport.sendto(b"x", address)
    assert type(await client.end) is expected
    (report,) = reports.take_all()
    assert report["message"] == "Fatal write error on datagram transport"
    assert report["transport"] is client.transport
    assert type(report["exception"]) is expected


async def test_an_exception_of_the_protocol_is_reported_and_the_transport_goes_on(loop, reports):
    class Bad(Datagrams):
        def datagram_received(self, data, addr):
            super().datagram_received(data, addr)
            if data == b"bad":
                raise ZeroDivisionError

    transport, server = await loop.create_datagram_endpoint(Bad, local_addr=("127.0.0.1", 0))
    transport.sendto(b"bad", server.name)
    transport.sendto(b"good", server.name)
    assert await server.get(2) == [b"bad", b"good"]
    (report,) = reports.take_all()
    assert isinstance(report["exception"], ZeroDivisionError)
    await server.close()


async def test_callbacks_run_in_the_context_of_the_endpoints_creation(loop):
    variable = contextvars.ContextVar("variable", default="nothing")
    seen = []

    class Looks(Datagrams):
        def datagram_received(self, data, addr):
            seen.append(variable.get())
            super().datagram_received(data, addr)

    variable.set("creation")
    transport, protocol = await loop.create_datagram_endpoint(Looks, local_addr=("127.0.0.1", 0))
    variable.set("later")
    transport.sendto(b"x", protocol.name)
    await protocol.get()
    assert seen == ["creation"]
    await protocol.close()


async def test_many_datagrams_of_many_sockets(loop):
    server = await bound(loop)
    server.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    clients = [await connected(loop, server) for _ in range(20)]
    for number in range(10):
        for client in clients:
            client.transport.sendto(b"%d" % number)
        await server.get(20 * (number + 1))
    for client in clients:
        mine = [data for data, address in server.received if address == client.name]
        assert mine == [b"%d" % number for number in range(10)]
        await client.close()
    await server.close()


async def test_multicast_by_the_socket(loop):
    group = "239.255.77.77"
    receiver = await endpoint(loop, local_addr=("0.0.0.0", 0))
    sock = receiver.transport.get_extra_info("socket")
    try:
        membership = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    except OSError:
        await receiver.close()
        pytest.skip("no multicast here")
    sender = await bound(loop)
    sock = sender.transport.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    sender.transport.sendto(b"to the group", (group, receiver.name[1]))
    assert await receiver.get() == [b"to the group"]
    assert receiver.received[0][1] == sender.name
    await sender.close()
    await receiver.close()


TOO_LONG = bytes(70_000)


@pytest.mark.parametrize("inside", [False, True], ids=["outside", "inside"])
def test_what_was_sent_before_close_is_accounted_for_before_connection_lost(loop, inside):
    """An error, too, wherever the loop was when it was closed."""

    async def send_and_close():
        protocol.transport.sendto(b"fits", protocol.name)
        protocol.transport.sendto(TOO_LONG, protocol.name)
        protocol.transport.close()

    protocol = loop.run_until_complete(bound(loop))
    if inside:
        loop.run_until_complete(send_and_close())
    else:
        step = send_and_close()
        with pytest.raises(StopIteration):
            step.send(None)
    assert loop.run_until_complete(protocol.end) is None
    assert [exc.errno for exc in protocol.errors] == [errno.EMSGSIZE]
    assert protocol.events == ["made", "error", "lost"]


async def test_an_endpoint_may_be_closed_from_error_received(loop):
    class Closing(Datagrams):
        def error_received(self, exc):
            super().error_received(exc)
            self.transport.close()

    _, protocol = await loop.create_datagram_endpoint(Closing, local_addr=("127.0.0.1", 0))
    protocol.transport.sendto(TOO_LONG, protocol.name)
    protocol.transport.sendto(TOO_LONG, protocol.name)
    assert await protocol.end is None
    await asyncio.sleep(0)
    assert protocol.events == ["made", "error", "error", "lost"]


async def test_abort_tells_no_more_errors(loop):
    class Aborting(Datagrams):
        def error_received(self, exc):
            super().error_received(exc)
            self.transport.abort()

    _, protocol = await loop.create_datagram_endpoint(Aborting, local_addr=("127.0.0.1", 0))
    for _ in range(3):
        protocol.transport.sendto(TOO_LONG, protocol.name)
    assert await protocol.end is None
    await asyncio.sleep(0)
    assert protocol.events == ["made", "error", "lost"]
