"""BufferedProtocol: the protocol's own buffer, small and large."""

from __future__ import annotations

import array
import asyncio
import hashlib
import mmap

import pytest
from support.peers import adopt
from support.protocols import Buffered, Recorder

pytestmark = pytest.mark.io


KINDS = {
    "bytearray": bytearray,
    "memoryview": lambda size: memoryview(bytearray(size)),
    "words": lambda size: memoryview(array.array("I", bytes(size))),
    "matrix": lambda size: memoryview(bytearray(size)).cast("B", (16, size // 16)),
    "map": lambda size: mmap.mmap(-1, size),
}


async def done(transport, protocol, peer):
    transport.abort()
    await protocol.ended
    peer.close()


@pytest.mark.parametrize("size", [1, 7, 1024, 65536, 1 << 20])
async def test_all_bytes_arrive_through_a_buffer_of_any_size(loop, size):
    transport, protocol, peer = await adopt(loop, lambda: Buffered(size))
    payload = bytes(range(256)) * (min(size, 4096) * 2)
    await peer.send(payload)
    await protocol.until_received(len(payload))
    assert protocol.data == payload
    assert max(protocol.updates) <= size
    assert all(hint == -1 or hint > 0 for hint in protocol.hints)
    await done(transport, protocol, peer)


@pytest.mark.parametrize("kind", KINDS)
async def test_buffers_of_all_kinds_are_filled(loop, kind):
    transport, protocol, peer = await adopt(loop, lambda: Buffered(4096))
    protocol.buffer = KINDS[kind](4096)
    expected = bytearray()
    for size in (3, 4096, 100_000, 7):
        chunk = bytes(range(256)) * (size // 256 + 1)
        expected += chunk[:size]
        await peer.send(chunk[:size])
        await protocol.until_received(len(expected))
        protocol.reached = loop.create_future()
    assert protocol.data == expected
    assert max(protocol.updates) <= 4096
    await done(transport, protocol, peer)


async def test_a_buffer_that_cannot_be_written_is_an_error(loop, reports):
    transport, protocol, peer = await adopt(loop, lambda: Buffered(16))
    protocol.buffer = memoryview(bytes(16))
    await peer.send(b"x")
    await protocol.ended
    assert isinstance(reports.take()["exception"], (TypeError, BufferError, RuntimeError))
    peer.close()


async def test_a_large_transfer_arrives_whole(loop):
    transport, protocol, peer = await adopt(loop, lambda: Buffered(256 * 1024))
    payload = bytes(range(256)) * (64 << 10)
    sending = loop.create_task(peer.send(payload))
    await protocol.until_received(len(payload))
    await sending
    assert hashlib.sha256(protocol.data).digest() == hashlib.sha256(payload).digest()
    await done(transport, protocol, peer)


async def test_large_reads_and_small_ones_alternate(loop):
    transport, protocol, peer = await adopt(loop, lambda: Buffered(128 * 1024))
    expected = bytearray()
    for number in range(6):
        for size in (3, 600_000, 50):
            chunk = bytes([number]) * size
            expected += chunk
            sending = loop.create_task(peer.send(chunk))
            await protocol.until_received(len(expected))
            protocol.reached = loop.create_future()
            await sending
    assert protocol.data == expected
    await done(transport, protocol, peer)


async def test_the_end_is_told(loop):
    transport, protocol, peer = await adopt(loop, lambda: Buffered(1024))
    await peer.send(b"last")
    peer.close()
    assert await protocol.ended is None
    assert protocol.data == b"last"
    assert protocol.events == ["made", "eof", "lost"]


async def test_the_end_is_told_after_a_large_read(loop):
    transport, protocol, peer = await adopt(loop, lambda: Buffered(1 << 20))
    payload = b"x" * (4 << 20)
    await peer.send(payload)
    peer.close()
    assert await protocol.ended is None
    assert protocol.data == payload
    assert protocol.events == ["made", "eof", "lost"]


async def test_an_empty_buffer_is_an_error(loop, reports):
    transport, protocol, peer = await adopt(loop, lambda: Buffered(0))
    peer.send_now(b"x")
    error = await protocol.ended
    assert isinstance(error, RuntimeError) and "empty buffer" in str(error)
    assert isinstance(reports.take()["exception"], RuntimeError)
    peer.close()


async def test_an_error_in_get_buffer_is_reported(loop, reports):
    class Failing(Buffered):
        def get_buffer(self, sizehint):
            raise LookupError("as planned")

    transport, protocol, peer = await adopt(loop, lambda: Failing(10))
    peer.send_now(b"x")
    await protocol.ended
    assert isinstance(reports.take()["exception"], LookupError)
    peer.close()


async def test_an_error_in_buffer_updated_is_reported(loop, reports):
    class Failing(Buffered):
        def buffer_updated(self, nbytes):
            raise LookupError("as planned")

    transport, protocol, peer = await adopt(loop, lambda: Failing(10))
    peer.send_now(b"x")
    await protocol.ended
    assert isinstance(reports.take()["exception"], LookupError)
    peer.close()


async def test_closing_inside_buffer_updated_ends_it(loop):
    class Closing(Buffered):
        def buffer_updated(self, nbytes):
            super().buffer_updated(nbytes)
            self.transport.close()

    transport, protocol, peer = await adopt(loop, lambda: Closing(4))
    peer.send_now(b"x" * 100)
    await protocol.ended
    assert len(protocol.updates) == 1
    peer.close()


async def test_pausing_inside_buffer_updated_holds_the_rest(loop):
    class Pausing(Buffered):
        def buffer_updated(self, nbytes):
            super().buffer_updated(nbytes)
            self.transport.pause_reading()

    transport, protocol, peer = await adopt(loop, lambda: Pausing(100))
    peer.send_now(b"x" * 250)
    received = 0
    while received < 250:
        protocol.target = received + 1
        if len(protocol.data) <= received:
            protocol.reached = loop.create_future()
            await protocol.reached
        now = len(protocol.data)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(protocol.data) == now
        received = now
        transport.resume_reading()
    assert protocol.data == b"x" * 250
    await done(transport, protocol, peer)


async def test_a_protocol_can_be_replaced_by_one_of_the_other_kind(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    await peer.send(b"plain")
    await recorder.until_received(5)
    buffered = Buffered(100)
    transport.set_protocol(buffered)
    await peer.send(b"buffered")
    await buffered.until_received(8)
    assert buffered.data == b"buffered"
    again = Recorder()
    transport.set_protocol(again)
    await peer.send(b"plain again")
    await again.until_received(11)
    assert recorder.data == b"plain" and again.data == b"plain again"
    transport.abort()
    await again.until_lost()
    peer.close()


class DuckTyped(asyncio.BaseProtocol):
    """Has the methods of a BufferedProtocol without being one."""

    def __init__(self):
        self.inner = Buffered(50)
        for name in ("connection_made", "get_buffer", "buffer_updated", "eof_received", "connection_lost"):
            setattr(self, name, getattr(self.inner, name))


async def test_the_methods_of_a_buffered_protocol_are_enough(loop):
    transport, protocol, peer = await adopt(loop, DuckTyped)
    await peer.send(b"x" * 1000)
    peer.close()
    assert await protocol.inner.ended is None
    assert protocol.inner.data == b"x" * 1000
    assert protocol.inner.events == ["made", "eof", "lost"]
