"""start_tls in both roles, streams over TLS, and servers of every kind with ssl=."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys

import pytest
from support.certificates import certificate, client_context, server_context
from support.peers import Peer, pair
from support.protocols import Recorder
from support.tls import finish

pytestmark = pytest.mark.io
both_roles = pytest.mark.parametrize("server_side", [True, False], ids=["server", "client"])


@both_roles
@pytest.mark.parametrize("name", ["tcp", "unix"])
async def test_a_plain_connection_becomes_a_secure_one(loop, server_side, name):
    ours, theirs = pair(name)
    ours.setblocking(False)
    plain, recorder = await loop.connect_accepted_socket(Recorder, ours)
    peer = Peer(theirs)
    plain.write(b"STARTTLS\n")
    assert await peer.recv(9) == b"STARTTLS\n"
    context = client_context() if server_side else server_context()
    hostname = "localhost" if server_side else None
    wrapping = loop.run_in_executor(
        None, lambda: context.wrap_socket(theirs, not server_side, server_hostname=hostname)
    )
    transport = await loop.start_tls(
        plain,
        recorder,
        server_context() if server_side else client_context(),
        server_side=server_side,
        server_hostname=None if server_side else "localhost",
    )
    peer = Peer(await wrapping)
    assert transport is not plain and transport.get_extra_info("ssl_object") is not None
    transport.write(b"secret")
    assert await peer.recv(6) == b"secret"
    await peer.send(b"answer")
    await recorder.until_received(6)
    assert recorder.data == b"answer" and recorder.events.count("made") == 1
    await finish(transport, recorder, peer)


def handshake_and_first_data(sock):
    """A blocking client whose last handshake message and first data leave together."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(1 << 16))
    tls.write(b"first")
    sock.sendall(outgoing.read())


async def test_who_upgraded_has_the_transport_before_the_first_data_comes(loop):
    ours, theirs = pair("tcp")
    ours.setblocking(False)
    plain, recorder = await loop.connect_accepted_socket(Recorder, ours)
    upgraded: list[asyncio.Transport] = []
    upgraded_before_data = []
    recorder.on["data"] = lambda recorder, data: upgraded_before_data.append(bool(upgraded))
    peer = Peer(theirs)
    client = loop.run_in_executor(None, handshake_and_first_data, theirs)
    upgraded.append(await loop.start_tls(plain, recorder, server_context(), server_side=True))
    await client
    await recorder.until_received(5)
    await finish(upgraded[0], recorder, peer)
    assert recorder.data == b"first" and upgraded_before_data == [True]


@pytest.mark.ours("elsewhere writing stays paused for good")
@pytest.mark.parametrize("slow", ["before the upgrade", "during the upgrade"])
async def test_writing_that_is_paused_resumes_after_the_upgrade(loop, slow):
    ours, theirs = pair("tcp")
    ours.setblocking(False)
    plain, recorder = await loop.connect_accepted_socket(Recorder, ours)
    peer = Peer(theirs)
    size = 16 << 20
    plain.write(bytes(size))
    assert recorder.events == ["made", "pause"]
    upgraded = []
    recorder.on["resume"] = lambda recorder: upgraded.append(upgrading.done())

    def read_and_shake_hands():
        assert peer.read_exactly(size) == bytes(size)
        return client_context().wrap_socket(theirs, server_hostname="localhost")

    if slow == "before the upgrade":
        assert len(await peer.recv(1 << 20)) == 1 << 20
        size -= 1 << 20
    upgrading = loop.create_task(loop.start_tls(plain, recorder, server_context(), server_side=True))
    await asyncio.sleep(0)
    wrapping = loop.run_in_executor(None, read_and_shake_hands)
    transport = await upgrading
    await recorder.until_event("resume")
    assert upgraded == [True]  # not while only the plain transport is known
    peer = Peer(await wrapping)
    transport.write(bytes(16 << 20))
    assert recorder.events == ["made", "pause", "resume", "pause"]
    assert len(await peer.recv(16 << 20)) == 16 << 20
    await recorder.until(lambda recorder: recorder.events.count("resume") == 2)
    await finish(transport, recorder, peer)


@pytest.mark.ours("elsewhere TLS fails an assertion of its own")
async def test_a_protocol_that_comes_with_the_upgrade_is_told_nothing_of_before(loop):
    ours, theirs = pair("tcp")
    ours.setblocking(False)
    plain, before = await loop.connect_accepted_socket(Recorder, ours)
    peer = Peer(theirs)
    size = 16 << 20
    plain.write(bytes(size))

    def read_and_shake_hands():
        peer.read_exactly(size)
        return client_context().wrap_socket(theirs, server_hostname="localhost")

    wrapping = loop.run_in_executor(None, read_and_shake_hands)
    after = Recorder()
    transport = await loop.start_tls(plain, after, server_context(), server_side=True)
    transport.write(b"secret")
    peer = Peer(await wrapping)
    assert await peer.recv(6) == b"secret"
    await peer.send(b"answer")
    await after.until_received(6)
    assert after.events == ["data"]
    await finish(transport, after, peer)


@pytest.mark.ours("elsewhere writing stays paused for good")
async def test_streams_drain_after_an_upgrade_while_writing_was_paused(loop):
    ours, theirs = pair("tcp")
    reader, writer = await asyncio.open_connection(sock=ours)
    peer = Peer(theirs)
    writer.write(bytes(16 << 20))

    def read_and_shake_hands():
        peer.read_exactly(16 << 20)
        return server_context().wrap_socket(theirs, True)

    wrapping = loop.run_in_executor(None, read_and_shake_hands)
    transport = await loop.start_tls(
        writer.transport, writer.transport.get_protocol(), client_context(), server_hostname="localhost"
    )
    await writer.drain()
    transport.write(b"secret")
    peer = Peer(await wrapping)
    assert await peer.recv(6) == b"secret"
    transport.abort()
    peer.close()
    with contextlib.suppress(ConnectionError):
        await reader.read()


async def test_a_failing_upgrade_raises_and_closes(loop):
    ours, theirs = pair("tcp")
    ours.setblocking(False)
    plain, recorder = await loop.connect_accepted_socket(Recorder, ours)
    with theirs:
        theirs.sendall(b"this is not TLS, whatever you expected\n")
        with pytest.raises(ssl.SSLError):
            await loop.start_tls(plain, recorder, client_context(), server_hostname="localhost")
        assert plain.is_closing()
        await recorder.until_lost()


async def test_what_cannot_be_upgraded_is_a_type_error(loop):
    ours, theirs = pair("tcp")
    ours.setblocking(False)
    plain, recorder = await loop.connect_accepted_socket(Recorder, ours)
    with pytest.raises(TypeError, match="sslcontext is expected to be an instance of ssl.SSLContext"):
        await loop.start_tls(plain, recorder, None)
    with pytest.raises(TypeError, match="is not supported by start_tls"):
        await loop.start_tls(object(), recorder, client_context())
    plain.abort()
    await recorder.until_lost()
    theirs.close()


async def upper(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def talk(reader, writer):
    for number in range(20):
        line = b"line %d " % number + b"x" * 10_000 + b"\n"
        writer.write(line)
        assert await reader.readline() == line.upper()
    writer.close()
    await writer.wait_closed()


async def end(server):
    server.close()
    await server.wait_closed()
    for _ in range(5):
        await asyncio.sleep(0)


async def test_streams_over_tcp(loop):
    server = await asyncio.start_server(upper, "127.0.0.1", 0, ssl=server_context())
    address = server.sockets[0].getsockname()
    await asyncio.gather(
        *[talk(*await asyncio.open_connection(*address, ssl=client_context())) for _ in range(5)]
    )
    await end(server)


async def test_streams_over_a_unix_socket(loop, tmp_path):
    path = str(tmp_path / "s")
    server = await asyncio.start_unix_server(upper, path, ssl=server_context())
    options = {"ssl": client_context(), "server_hostname": "localhost"}
    await talk(*await asyncio.open_unix_connection(path, **options))
    await end(server)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="StreamWriter.start_tls is new in Python 3.11")
@pytest.mark.ours("others lose the peer's hello when it came together with its last plain line")
async def test_an_upgrade_finds_what_a_stream_reader_has_already(loop):
    async def serve(reader, writer):
        assert await reader.readline() == b"STARTTLS\n"
        await writer.start_tls(server_context())
        await upper(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"STARTTLS\n")  # leaves with the hello that follows in this turn
    await writer.start_tls(client_context(), server_hostname="localhost")
    await talk(reader, writer)
    await end(server)


@pytest.mark.ours("asyncio before 3.11 does not know it, and uvloop does not check it")
async def test_the_shutdown_timeout_is_known_on_every_python(loop):
    for method in (loop.create_connection, loop.create_server, loop.connect_accepted_socket):
        with pytest.raises(ValueError, match="ssl_shutdown_timeout is only meaningful with ssl"):
            ours, theirs = pair("tcp")
            with ours, theirs:
                await method(Recorder, sock=ours, ssl_shutdown_timeout=1)
    recorders = []

    def factory():
        recorders.append(Recorder())
        return recorders[-1]

    server = await loop.create_server(
        factory, "127.0.0.1", 0, ssl=server_context(), ssl_shutdown_timeout=0.05
    )
    transport, client = await loop.create_connection(
        Recorder, *server.sockets[0].getsockname(), ssl=client_context(), ssl_shutdown_timeout=30
    )
    transport.write(b"x")
    while not recorders or not recorders[0].received:
        await asyncio.sleep(0)
    # The client's answer to the close must not come, so nobody reads there.
    client_plain = transport._ssl_protocol._transport
    client_plain.pause_reading()
    recorders[0].transport.close()
    await recorders[0].until_lost()
    assert isinstance(recorders[0].error, (TimeoutError, asyncio.TimeoutError))
    client_plain.abort()
    await client.until_lost()
    await end(server)


async def test_a_server_outlives_clients_that_fail(loop):
    server = await asyncio.start_server(upper, "127.0.0.1", 0, ssl=server_context())
    address = server.sockets[0].getsockname()
    stranger = ssl.create_default_context(cafile=certificate("stranger", "DNS:localhost")[0])
    for _ in range(3):
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(*address, ssl=stranger)
        _, plain = await asyncio.open_connection(*address)
        plain.write(b"GET / HTTP/1.0\r\n\r\n")
        plain.close()
        await plain.wait_closed()
    await talk(*await asyncio.open_connection(*address, ssl=client_context()))
    await end(server)
