"""Peers that reset, flood, dribble or vanish: nobody else loses anything."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

import pytest
from support.peers import Peer, adopt
from support.protocols import Echo, Recorder

pytestmark = pytest.mark.io


async def test_a_reset_is_told_as_the_error_of_the_connection(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.write(b"unread by the peer")
    await asyncio.sleep(0)
    peer.reset()
    await recorder.until_lost()
    assert isinstance(recorder.error, ConnectionResetError)
    assert "eof" not in recorder.events


async def test_a_reset_while_paused_is_told_after_resume_or_write(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.pause_reading()
    await asyncio.sleep(0)
    peer.reset()
    for _ in range(5):
        await asyncio.sleep(0)
    transport.resume_reading()
    await recorder.until_lost()
    assert isinstance(recorder.error, ConnectionResetError)


async def test_writing_to_a_peer_that_is_gone_ends_the_connection_quietly(loop):
    # Neither SIGPIPE nor a report: the protocol is told, that is all.
    transport, recorder, peer = await adopt(loop, lambda: Recorder(keep_open=True))
    peer.close()
    await recorder.until_event("eof")
    while not recorder.lost:
        transport.write(b"x" * 1000)
        await asyncio.sleep(0)
    assert isinstance(recorder.error, (BrokenPipeError, ConnectionResetError))


async def test_many_writes_after_the_loss_warn_but_do_not_fail(loop, caplog):
    transport, recorder, peer = await adopt(loop, lambda: Recorder(keep_open=True))
    transport.write(b"x" * (8 << 20))
    peer.reset()
    await recorder.until_lost()
    for _ in range(20):
        transport.write(b"x")
    assert "socket.send() raised exception" in caplog.text


class Flood:
    """A client that sends without a pause, from a thread, until it is told that it is enough."""

    def __init__(self, loop, peer):
        self.peer = peer
        self.enough = threading.Event()
        self.sent = 0
        self.job = loop.run_in_executor(None, self.run)

    def run(self):
        chunk = b"f" * (1 << 20)
        while not self.enough.is_set():
            self.peer.sock.sendall(chunk)
            self.sent += len(chunk)

    async def end(self):
        self.enough.set()
        await self.job


async def test_a_flood_starves_nobody(loop):
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    transport, recorder, peer = await adopt(loop, Recorder)
    flood = Flood(loop, peer)
    await recorder.until_received(1 << 20)
    with Peer(socket.create_connection(server.sockets[0].getsockname())) as polite:
        for _ in range(20):
            await polite.send(b"?")
            assert await polite.recv(1) == b"?"
    await flood.end()
    await recorder.until_received(flood.sent)
    transport.abort()
    await recorder.until_lost()
    peer.close()
    server.close()
    await server.wait_closed()


async def test_a_flood_lets_timers_and_callbacks_through(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    flood = Flood(loop, peer)
    await recorder.until_received(1 << 20)
    for _ in range(20):
        await asyncio.sleep(0.0005)
        await asyncio.sleep(0)
    await flood.end()
    await recorder.until_received(flood.sent)
    transport.abort()
    await recorder.until_lost()
    peer.close()


async def test_a_dribbling_peer_is_served_byte_by_byte(loop):
    async def serve(reader, writer):
        line = await reader.readline()
        writer.write(line[::-1])
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with Peer(socket.create_connection(server.sockets[0].getsockname())) as peer:
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"drip\n":
            await peer.send(bytes([byte]))
        assert await peer.recv_end() == b"\npird"
    server.close()
    await server.wait_closed()


async def test_one_broken_connection_of_many_disturbs_none(loop):
    made = [await adopt(loop, Recorder) for _ in range(20)]
    for number, (transport, _, peer) in enumerate(made):
        transport.write(b"x")
        if number % 4 == 0:
            await asyncio.sleep(0)
            peer.reset()
    for number, (transport, recorder, peer) in enumerate(made):
        if number % 4 == 0:
            await recorder.until_lost()
            continue
        assert await peer.recv(1) == b"x"
        await peer.send(b"y")
        await recorder.until_received(1)
        transport.abort()
        await recorder.until_lost()
        peer.close()


async def test_a_peer_that_never_reads_blocks_only_itself(loop):
    transport, recorder, stuck = await adopt(loop, Recorder)
    transport.write(b"x" * (32 << 20))
    other, second, peer = await adopt(loop, Echo)
    for _ in range(20):
        await peer.send(b"ping")
        assert await peer.recv(4) == b"ping"
    other.abort()
    transport.abort()
    await recorder.until_lost()
    stuck.close()
    peer.close()
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_half_open_client_that_says_nothing_can_be_dropped(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    await asyncio.sleep(0)
    transport.abort()
    await recorder.until_lost()
    assert recorder.events == ["made", "lost"]
    with contextlib.suppress(ConnectionResetError):
        assert await peer.recv_end() == b""
    peer.close()


@pytest.mark.parametrize("high", [None, 1 << 30], ids=["paused", "not-paused"])
async def test_a_reset_while_close_still_sends_is_told_as_an_error(loop, high):
    # close() promised to send what was written; that this was lost must not look like a clean end.
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.set_write_buffer_limits(high=high)
    transport.write(b"x" * (8 << 20))
    await asyncio.sleep(0)
    transport.close()
    await asyncio.sleep(0)
    assert not recorder.lost
    peer.reset()
    await recorder.until_lost()
    assert isinstance(recorder.error, (BrokenPipeError, ConnectionResetError))
