"""A TLS 1.2 peer that renegotiates, in either role, with data under way in both directions."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from support.certificates import client_context, server_context
from support.openssl import OpenSSL
from support.protocols import Buffered, Recorder

pytestmark = pytest.mark.io
both_roles = pytest.mark.parametrize("role", ["server", "client"])
# OpenSSL 3 lets clients renegotiate only if told so; the number has no name in Python's ssl.
ALLOW_CLIENT_RENEGOTIATION = 0x100


def payload(size):
    return bytes(range(128, 256)) * (size // 128)


@pytest.fixture
def peers():
    made = []
    yield made
    for peer in made:
        peer.close()


@pytest.fixture
def connect(loop, peers):
    """A function that gives a transport of the loop in that role, its protocol and its openssl."""

    async def as_client(factory):
        context = client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        peers.append(await in_thread(OpenSSL))
        port = await in_thread(peers[0].port)
        return await loop.create_connection(
            factory, "127.0.0.1", port, ssl=context, server_hostname="localhost"
        )

    async def as_server(factory, allowed):
        def greeted(connection, name, context):
            while when_greeted:
                loop.call_soon(when_greeted.pop())

        made = []

        def remember():
            made.append(factory())
            return made[0]

        context = server_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.sni_callback = greeted
        if allowed:
            context.options |= ALLOW_CLIENT_RENEGOTIATION
        server = await loop.create_server(remember, "127.0.0.1", 0, ssl=context)
        peers.append(await in_thread(OpenSSL, server.sockets[0].getsockname()[1]))
        while not made or "made" not in made[0].events:
            await asyncio.sleep(0)
        server.close()
        return made[0].transport, made[0]

    async def make(role, factory=Recorder, allowed=True):
        transport, protocol = await (as_client(factory) if role == "client" else as_server(factory, allowed))
        await in_thread(peers[0].handshakes, 1)
        return transport, protocol, peers[0]

    when_greeted = []

    def renegotiate(role, function):
        """Lets the peer ask for a new handshake; calls the function as early as the peer can bear.

        s_client gives up when data comes before our answer to its hello.
        """
        if role == "client":
            function()
        else:
            when_greeted.append(function)
        peers[0].renegotiate()

    make.renegotiate = renegotiate
    return make


async def in_thread(function, *arguments):
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


async def over(transport, recorder):
    transport.abort()
    await recorder.until_lost()


@both_roles
async def test_an_idle_connection(connect, role):
    transport, recorder, peer = await connect(role)
    for count in (2, 3):
        peer.renegotiate()
        if role == "client":
            transport.write(b"\xff")  # s_server looks at what comes only when it has something to read
        await in_thread(peer.handshakes, count)
    transport.write(b"\xaa" * 10)
    assert (await in_thread(peer.received, 10)).endswith(b"\xaa" * 10)
    await in_thread(peer.send, b"\xbb" * 10)
    await recorder.until_received(10)
    assert recorder.data == b"\xbb" * 10
    await over(transport, recorder)


@both_roles
@pytest.mark.parametrize("piece", [1000, 60_000, 1 << 20])
async def test_with_data_under_way_both_ways(loop, connect, role, piece):
    transport, recorder, peer = await connect(role)
    before, after, ours = payload(20_000), payload(300_000), payload(piece)
    await in_thread(peer.send, before)
    await recorder.until_received(len(before))
    written = 0

    def write():
        nonlocal written
        transport.write(ours)
        written += len(ours)
        if not waiting.done() or written < 3 * len(ours):
            loop.call_soon(write if written < 8 << 20 else int)

    waiting = asyncio.ensure_future(in_thread(peer.handshakes, 2))
    connect.renegotiate(role, write)
    await waiting
    await in_thread(peer.send, after)
    await recorder.until_received(len(before + after))
    assert recorder.data == before + after
    while written < 3 * len(ours):
        await asyncio.sleep(0)
    assert await in_thread(peer.received, written) == ours * (written // len(ours))
    await over(transport, recorder)


@both_roles
async def test_with_a_buffered_protocol(connect, role):
    transport, protocol, peer = await connect(role, lambda: Buffered(1000))
    connect.renegotiate(role, lambda: transport.write(payload(100_000)))
    await in_thread(peer.handshakes, 2)
    await in_thread(peer.send, payload(10_000))
    await protocol.until_received(len(payload(10_000)))
    assert protocol.data == payload(10_000)
    assert await in_thread(peer.received, len(payload(100_000))) == payload(100_000)
    transport.abort()
    await protocol.ended


@both_roles
async def test_who_pauses_reading_in_its_midst_can_write_all_the_same(connect, role):
    transport, recorder, peer = await connect(role)
    await in_thread(peer.send, payload(1000))
    await recorder.until_received(len(payload(1000)))

    def write_and_pause():
        transport.write(payload(100_000))
        transport.pause_reading()

    connect.renegotiate(role, write_and_pause)
    if role == "client":
        while transport.is_reading():
            await asyncio.sleep(0)
        transport.resume_reading()  # the peer's wish comes as a record to be read
    await in_thread(peer.handshakes, 2)
    assert await in_thread(peer.received, len(payload(100_000))) == payload(100_000)
    await in_thread(peer.send, payload(500))
    transport.resume_reading()
    await recorder.until_received(len(payload(1000)) + len(payload(500)))
    assert recorder.data == payload(1000) + payload(500)
    await over(transport, recorder)


@pytest.mark.ours("others have no way to hold back the transport below")
@pytest.mark.parametrize("buffered", [False, True], ids=["plain", "buffered"])
async def test_what_the_server_sends_after_its_wish_is_not_in_the_writers_way(loop, connect, buffered):
    transport, recorder, peer = await connect("client")
    transport.set_read_buffer_limits(high=4 << 20)  # all may come before the handshake does
    below = transport._ssl_protocol._transport
    below.pause_reading()
    peer.renegotiate()
    await in_thread(peer.words, b"HelloRequest")
    theirs, ours = payload(1 << 20), payload(100_000)
    sending = loop.run_in_executor(None, peer.send, theirs)
    await in_thread(peer.words, b" 17 03 03 ")

    def write_and_pause(recorder, data):
        if len(recorder.chunks) == 1:
            transport.pause_reading()
            transport.write(ours)

    recorder.on["data"] = write_and_pause
    below.resume_reading()
    assert await in_thread(peer.received, len(ours)) == ours
    got = recorder.data
    while not transport.get_read_buffer_size():
        await asyncio.sleep(0)  # the peer may have read ours before it sent more of theirs
    if buffered:
        protocol = Buffered(5000)
        transport.set_protocol(protocol)
        transport.resume_reading()
        await protocol.until_received(len(theirs) - len(got))
        got += bytes(protocol.data)
        transport.set_protocol(recorder)
    else:
        transport.resume_reading()
        await recorder.until_received(len(theirs))
        got = recorder.data
    await sending
    assert got == theirs
    await in_thread(peer.handshakes, 2)
    await over(transport, recorder)


async def test_a_server_that_does_not_allow_it_refuses_and_lives_on(connect):
    transport, recorder, peer = await connect("server", allowed=False)
    transport.write(payload(1000))
    await in_thread(peer.received, len(payload(1000)))
    peer.renegotiate()
    await in_thread(peer.words, b"no_renegotiation")
    # Whether to go on is the client's choice: this one gives up.
    await recorder.until_lost()
