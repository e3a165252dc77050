"""create_datagram_endpoint's options, Unix sockets, flow control, and how endpoints end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import pytest
from support.datagrams import Datagrams, bound, connected, endpoint
from support.peers import TIMEOUT

pytestmark = pytest.mark.io


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "socket")


async def connected_by_path(loop, path, name):
    """An endpoint of ours that is connected to a blocking socket of the test's, over Unix."""
    theirs = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.settimeout(TIMEOUT)
    theirs.bind(path + name)
    ours = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.connect(path + name)
    return await endpoint(loop, sock=ours), theirs


async def test_unix_endpoints_by_path(loop, path):
    server = await endpoint(loop, family=socket.AF_UNIX, local_addr=path)
    client = await endpoint(loop, family=socket.AF_UNIX, local_addr=path + "2", remote_addr=path)
    client.transport.sendto(b"hello")
    assert await server.get() == [b"hello"]
    assert server.received[0][1] == path + "2"
    server.transport.sendto(b"back", path + "2")
    assert await client.get() == [b"back"]
    assert client.received[0][1] == path
    assert (server.name, client.transport.get_extra_info("peername")) == (path, path)
    await client.close()
    await server.close()
    # The file of an earlier endpoint is in nobody's way.
    again = await endpoint(loop, family=socket.AF_UNIX, local_addr=path)
    await again.close()


async def test_an_unnamed_unix_sender_has_no_address(loop, path):
    server = await endpoint(loop, family=socket.AF_UNIX, local_addr=path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", path)
        await server.get()
    assert server.received == [(b"x", None)]
    await server.close()


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
async def test_abstract_unix_addresses_are_bytes(loop):
    names = [b"\0csploop-test-%d-%d" % (os.getpid(), number) for number in range(2)]
    protocols = []
    for name in names:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(name)
        protocols.append(await endpoint(loop, sock=sock))
    first, second = protocols
    first.transport.sendto(b"x", names[1])
    assert await second.get() == [b"x"]
    assert second.received[0][1] == names[0]
    await first.close()
    await second.close()


async def test_a_unix_path_that_is_too_long_or_nobodys_is_told(loop, path):
    client = await endpoint(loop, family=socket.AF_UNIX, local_addr=path)
    client.transport.sendto(b"x", path + "-nobody")
    assert isinstance(await client.error(), FileNotFoundError)
    client.transport.sendto(b"x", path * 20)
    await client.until(lambda: len(client.errors) == 2)
    assert "too long" in str(client.errors[1])
    assert not client.transport.is_closing()
    await client.close()


async def test_a_socket_of_the_users(loop):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    protocol = await endpoint(loop, sock=sock)
    assert protocol.name == sock.getsockname()
    info = protocol.transport.get_extra_info("socket")
    assert info.fileno() == sock.fileno()
    assert info.getsockname() == protocol.name
    assert sock.gettimeout() == 0
    protocol.transport.sendto(b"x", protocol.name)
    await protocol.get()
    await protocol.close()
    assert sock.fileno() == -1


async def test_transports_are_asyncios(loop):
    protocol = await bound(loop)
    transport = protocol.transport
    assert isinstance(transport, asyncio.BaseTransport)
    assert transport.get_extra_info("peername") is None
    assert transport.get_extra_info("nothing", "default") == "default"
    assert transport.get_protocol() is protocol
    other = Datagrams()
    transport.set_protocol(other)
    assert transport.get_protocol() is other
    transport.sendto(b"x", protocol.name)
    await other.get()
    assert not protocol.received
    transport.close()
    await other.end


async def test_our_transports_are_datagram_transports(loop, loop_kind):
    protocol = await bound(loop)
    if loop_kind.ours or (loop_kind.name == "asyncio" and sys.version_info >= (3, 13)):
        assert isinstance(protocol.transport, asyncio.DatagramTransport)
    await protocol.close()


async def test_reuse_port(loop):
    first = await endpoint(loop, local_addr=("127.0.0.1", 0), reuse_port=True)
    second = await endpoint(loop, local_addr=first.name, reuse_port=True)
    assert first.name == second.name
    with pytest.raises(OSError):
        await endpoint(loop, local_addr=first.name)
    await first.close()
    await second.close()


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (ValueError, {}),
        (ValueError, {"sock": "stream"}),
        (ValueError, {"sock": "datagram", "local_addr": ("127.0.0.1", 0)}),
        (ValueError, {"sock": "datagram", "family": socket.AF_INET}),
        (TypeError, {"family": socket.AF_UNIX, "local_addr": ("127.0.0.1", 0)}),
        (ValueError, {"local_addr": ("127.0.0.1", 0), "remote_addr": ("::1", 9)}),
    ],
    ids=["nothing", "stream", "sock_and_address", "sock_and_family", "unix_tuple", "two_families"],
)
async def test_options_that_make_no_sense(loop, error, options):
    kinds = {"stream": socket.SOCK_STREAM, "datagram": socket.SOCK_DGRAM}
    with socket.socket(socket.AF_INET, kinds[options.get("sock", "stream")]) as sock:
        given = {**options, "sock": sock} if "sock" in options else options
        with pytest.raises(error):
            await loop.create_datagram_endpoint(Datagrams, **given)


async def test_close_stops_receiving_at_once_and_ends_later(loop):
    protocol = await bound(loop)
    protocol.transport.sendto(b"x", protocol.name)
    protocol.transport.close()
    assert protocol.transport.is_closing()
    assert protocol.events == ["made"]
    protocol.transport.close()
    assert await protocol.end is None
    assert protocol.events == ["made", "lost"]


async def test_what_was_sent_before_close_or_abort_arrives(loop):
    server = await bound(loop)
    for number, how in enumerate(("close", "abort")):
        client = await connected(loop, server)
        client.transport.sendto(how.encode())
        getattr(client.transport, how)()
        assert await client.end is None
        assert (await server.get(number + 1))[number] == how.encode()
    await server.close()


async def test_sendto_after_close_does_nothing(loop):
    server = await bound(loop)
    client = await connected(loop, server)
    await client.close()
    for _ in range(3):
        client.transport.sendto(b"late")
    other = await connected(loop, server)
    other.transport.sendto(b"in time")
    assert await server.get() == [b"in time"]
    await other.close()
    await server.close()


async def test_writing_pauses_and_resumes_and_nothing_is_lost(loop, path):
    client, theirs = await connected_by_path(loop, path, "a")
    client.transport.set_write_buffer_limits(high=1000, low=100)
    sent = 0
    while "pause" not in client.events:
        client.transport.sendto(b"%05d" % sent + b"x" * 95)
        sent += 1
        await asyncio.sleep(0)
    assert client.transport.get_write_buffer_size() > 1000
    received = [await loop.run_in_executor(None, theirs.recv, 1000) for _ in range(sent)]
    assert received == [b"%05d" % number + b"x" * 95 for number in range(sent)]
    await client.until(lambda: "resume" in client.events)
    assert client.events == ["made", "pause", "resume"]
    await client.until(lambda: client.transport.get_write_buffer_size() == 0)
    await client.close()
    theirs.close()


async def test_close_drains_what_waits(loop, path):
    client, theirs = await connected_by_path(loop, path, "a")
    sent = 0
    while not client.transport.get_write_buffer_size() or sent < 50:
        client.transport.sendto(b"%d" % sent)
        sent += 1
        await asyncio.sleep(0)
    client.transport.close()
    await asyncio.sleep(0)
    assert "lost" not in client.events
    received = [await loop.run_in_executor(None, theirs.recv, 1000) for _ in range(sent)]
    assert received == [b"%d" % number for number in range(sent)]
    assert await client.end is None
    theirs.close()


async def test_abort_drops_what_waits(loop, path):
    client, theirs = await connected_by_path(loop, path, "a")
    sent = 0
    while not client.transport.get_write_buffer_size() or sent < 50:
        client.transport.sendto(b"%d" % sent)
        sent += 1
        await asyncio.sleep(0)
    client.transport.abort()
    assert await client.end is None
    theirs.setblocking(False)
    received = 0
    while True:
        try:
            theirs.recv(1000)
        except BlockingIOError:
            break
        received += 1
    assert 0 < received < sent
    theirs.close()


async def test_the_buffer_size_counts_what_the_documentation_says(loop, path):
    client, theirs = await connected_by_path(loop, path, "a")
    while not client.transport.get_write_buffer_size():
        client.transport.sendto(b"x" * 100)
        await asyncio.sleep(0)
    before = client.transport.get_write_buffer_size()
    for _ in range(5):
        client.transport.sendto(b"x" * 100)
    # From Python 3.13 on a datagram counts 8 bytes more than it has.
    header = 8 if sys.version_info >= (3, 13) else 0
    assert client.transport.get_write_buffer_size() - before == 5 * (100 + header)
    client.transport.abort()
    await client.end
    theirs.close()


@pytest.mark.ours("what it says of itself")
async def test_a_forgotten_endpoint_is_a_resource_warning(loop):
    protocol = await bound(loop)
    with pytest.warns(ResourceWarning, match="unclosed transport <DatagramTransport fd="):
        protocol.transport.__del__()
    protocol.transport.abort()
    await protocol.end


@pytest.mark.parametrize("debug", [False, True])
def test_what_is_sent_between_runs_leaves_at_once(loop, debug):
    loop.set_debug(debug)
    server = loop.run_until_complete(bound(loop))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.bind(("127.0.0.1", 0))
        server.transport.sendto(b"no turn comes", sock.getsockname())
        assert sock.recv(100) == b"no turn comes"
    loop.run_until_complete(server.close())


async def test_the_sock_methods_for_datagrams(loop, loop_kind):
    if loop_kind.name == "asyncio" and sys.version_info < (3, 11):
        pytest.skip("asyncio has these methods since Python 3.11")
    kind = (socket.AF_INET, socket.SOCK_DGRAM)
    with socket.socket(*kind) as first, socket.socket(*kind) as second:
        for sock in (first, second):
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
        waiting = asyncio.ensure_future(loop.sock_recvfrom(second, 100))
        await asyncio.sleep(0)
        assert await loop.sock_sendto(first, b"one", second.getsockname()) == 3
        assert await waiting == (b"one", first.getsockname())
        buffer = bytearray(10)
        await loop.sock_sendto(first, b"two", second.getsockname())
        assert await loop.sock_recvfrom_into(second, buffer) == (3, first.getsockname())
        assert buffer[:3] == b"two"
