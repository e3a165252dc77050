"""TLS inside TLS: start_tls on a transport that is secure already, against Python's own ssl twice over."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys

import pytest
from support.certificates import client_context, server_context
from support.peers import TIMEOUT, pair
from support.protocols import Buffered, Recorder
from support.tls import Nested

pytestmark = [
    pytest.mark.io,
    pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio's own knows it since Python 3.11"),
]
both_roles = pytest.mark.parametrize("server_side", [True, False], ids=["server", "client"])


@pytest.fixture
def nested(loop):
    """A function that gives the inner transport, its protocol, the outer transport, and their peer."""
    peers = []

    async def make(factory=Recorder, server_side=False):
        ours, theirs = pair("tcp")
        ours.setblocking(False)
        theirs.settimeout(TIMEOUT)
        transport, protocol = await loop.connect_accepted_socket(factory, ours)
        client, server = client_context(), server_context()
        ours_next = {
            "sslcontext": server if server_side else client,
            "server_side": server_side,
            "server_hostname": None if server_side else "localhost",
        }
        theirs_next = client if server_side else server
        shaking = loop.run_in_executor(None, Nested, theirs, theirs_next, not server_side)
        outer = await loop.start_tls(transport, protocol, **ours_next)
        peers.append(await shaking)
        shaking = loop.run_in_executor(None, peers[0].second_handshake)
        inner = await loop.start_tls(outer, protocol, **ours_next)
        await shaking
        return inner, protocol, outer, peers[0]

    yield make
    for peer in peers:
        peer.close()


async def over(transport, recorder):
    transport.abort()
    await recorder.until_lost()


@both_roles
async def test_data_goes_both_ways(loop, nested, server_side):
    inner, recorder, _, peer = await nested(server_side=server_side)
    payload = bytes(range(256)) * 4096
    inner.write(payload)
    inner.write(b"more")
    assert await loop.run_in_executor(None, peer.read_exactly, len(payload) + 4) == payload + b"more"
    sending = loop.run_in_executor(None, peer.sendall, payload)
    await recorder.until_received(len(payload))
    await sending
    assert recorder.data == payload
    await over(inner, recorder)


@pytest.mark.parametrize("size", [1000, 100_000, 1_000_000])
@pytest.mark.parametrize("end", ["inner close_notify", "outer close_notify", "eof"])
async def test_what_came_while_reading_was_paused_survives_the_end(loop, nested, end, size):
    inner, recorder, _, peer = await nested()
    inner.pause_reading()
    payload = bytes(range(250)) * (size // 250)
    sending = loop.run_in_executor(None, peer.send_and_end, payload, end)
    if size < 200_000:
        await sending  # else it waits until somebody reads
    for _ in range(50):
        await asyncio.sleep(0)
    assert recorder.events == ["made"]
    inner.resume_reading()
    await recorder.until_lost()
    await sending
    assert recorder.data == payload
    assert recorder.events[-2:] == ["eof", "lost"] and recorder.error is None


async def test_who_pauses_again_and_again_gets_all(loop, nested):
    inner, recorder, _, peer = await nested()
    recorder.on["data"] = lambda recorder, data: inner.pause_reading()
    payload = bytes(range(250)) * 4000
    sending = loop.run_in_executor(None, peer.send_and_end, payload, "outer close_notify")
    while recorder.received < len(payload):
        before = recorder.received
        await recorder.until_received(before + 1)
        inner.resume_reading()
    await recorder.until_lost()
    await sending
    assert recorder.data == payload and recorder.events[-2:] == ["eof", "lost"]


@pytest.mark.ours("others lose it")
async def test_a_buffered_protocol_that_pauses_gets_all_before_the_end(loop, nested):
    class Pausing(Buffered):
        def buffer_updated(self, nbytes):
            super().buffer_updated(nbytes)
            self.transport.pause_reading()

    inner, protocol, _, peer = await nested(lambda: Pausing(3000))
    protocol.transport = inner
    payload = bytes(range(250)) * 100
    sending = loop.run_in_executor(None, peer.send_and_end, payload, "eof")
    while not protocol.ended.done():
        inner.resume_reading()
        await asyncio.sleep(0)
    await sending
    assert protocol.data == payload and protocol.events[-2:] == ["eof", "lost"]


@pytest.mark.ours("others have closed the connection by then")
async def test_the_protocol_can_answer_after_the_outer_end(loop, nested):
    inner, recorder, outer, peer = await nested()
    inner.pause_reading()
    await loop.run_in_executor(None, peer.send_and_end, b"question", "eof")
    while not outer._ssl_protocol._eof_came:
        await asyncio.sleep(0)
    inner.write(b"answer")
    inner.resume_reading()
    assert await loop.run_in_executor(None, peer.read_exactly, 6) == b"answer"
    await recorder.until_lost()
    assert recorder.data == b"question"


async def test_closing_says_goodbye_on_both_layers(loop, nested):
    inner, recorder, outer, peer = await nested()
    inner.write(b"last words")
    inner.close()
    assert await loop.run_in_executor(None, peer.read_exactly, 10) == b"last words"
    assert await loop.run_in_executor(None, peer.close_notifies) == 2
    await recorder.until_lost()
    assert recorder.error is None and outer.is_closing()


async def test_closing_the_outer_layer_sends_what_the_inner_one_wrote(loop, nested):
    inner, recorder, outer, peer = await nested()
    inner.write(b"written")
    outer.close()
    assert await loop.run_in_executor(None, peer.read_exactly, 7) == b"written"
    peer.sock.shutdown(socket.SHUT_RDWR)
    await recorder.until_lost()


async def test_a_failing_inner_handshake_raises_and_closes(loop):
    ours, theirs = pair("tcp")
    ours.setblocking(False)
    theirs.settimeout(TIMEOUT)
    plain, recorder = await loop.connect_accepted_socket(Recorder, ours)
    context = server_context()
    wrapping = loop.run_in_executor(None, lambda: context.wrap_socket(theirs, server_side=True))
    outer = await loop.start_tls(plain, recorder, client_context(), server_hostname="localhost")
    with await wrapping as secure:
        failing = loop.create_task(
            loop.start_tls(outer, recorder, client_context(), server_hostname="localhost")
        )
        await loop.run_in_executor(None, secure.sendall, b"no second layer here\n")
        with pytest.raises(ssl.SSLError):
            await failing
    assert outer.is_closing()
    await recorder.until_lost()
