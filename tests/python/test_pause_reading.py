"""pause_reading and resume_reading: nothing seen while paused, nothing lost."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from support.kinds import ASYNCIO_PAUSES
from support.peers import adopt
from support.protocols import Buffered, Recorder

pytestmark = pytest.mark.io


async def turns(count=10):
    for _ in range(count):
        await asyncio.sleep(0)


async def done(transport, recorder, peer):
    transport.abort()
    await recorder.until_lost()
    peer.close()


async def test_nothing_arrives_while_paused(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    assert transport.is_reading()
    transport.pause_reading()
    assert not transport.is_reading()
    peer.send_now(b"held back")
    await turns()
    assert recorder.data == b""
    transport.resume_reading()
    assert transport.is_reading()
    await recorder.until_received(9)
    assert recorder.data == b"held back"
    await done(transport, recorder, peer)


async def test_pausing_twice_and_resuming_twice_is_allowed(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.resume_reading()
    transport.pause_reading()
    transport.pause_reading()
    transport.resume_reading()
    transport.resume_reading()
    await peer.send(b"x")
    await recorder.until_received(1)
    await done(transport, recorder, peer)


async def test_pausing_inside_data_received_holds_the_next_piece(loop):
    def data(recorder, data):
        recorder.transport.pause_reading()

    transport, recorder, peer = await adopt(loop, lambda: Recorder(on={"data": data}))
    payload = bytes(range(256)) * 4096
    sending = loop.create_task(peer.send(payload))
    while recorder.received < len(payload):
        pieces = len(recorder.chunks)
        await recorder.until(lambda recorder, pieces=pieces: len(recorder.chunks) > pieces)
        await turns(3)
        assert len(recorder.chunks) == pieces + 1
        transport.resume_reading()
    await sending
    assert recorder.data == payload
    await done(transport, recorder, peer)


async def test_one_stream_pauses_another_one_of_the_same_batch(loop):
    # All have data when the loop polls; the first that is served pauses the rest.
    def data(recorder, data):
        if len(seen) == 0:
            for transport, other, _ in made:
                if other is not recorder:
                    transport.pause_reading()
        seen.append(recorder)

    seen = []
    made = [await adopt(loop, lambda: Recorder(on={"data": data})) for _ in range(10)]
    for number, (_, _, peer) in enumerate(made):
        peer.send_now(b"%d" % number)
    while not seen:
        await asyncio.sleep(0)
    await turns()
    assert len(seen) == 1
    for transport, _, _ in made:
        transport.resume_reading()
    for number, each in enumerate(made):
        await each[1].until_received(1)
        assert each[1].data == b"%d" % number
        await done(*each)


async def test_one_stream_aborts_another_one_of_the_same_batch(loop):
    def data(recorder, data):
        if len(seen) == 0:
            for transport, other, _ in made:
                if other is not recorder:
                    transport.abort()
        seen.append(recorder)

    seen = []
    made = [await adopt(loop, lambda: Recorder(on={"data": data})) for _ in range(10)]
    for _, _, peer in made:
        peer.send_now(b"x")
    while not seen:
        await asyncio.sleep(0)
    await turns()
    assert len(seen) == 1
    for transport, recorder, peer in made:
        if recorder is not seen[0]:
            await recorder.until_lost()
            assert recorder.events == ["made", "lost"]
        await done(transport, recorder, peer)


async def test_the_end_is_not_seen_while_paused(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.pause_reading()
    peer.send_now(b"last words")
    peer.close()
    await turns()
    assert recorder.events == ["made"]
    transport.resume_reading()
    await recorder.until_lost()
    assert recorder.events == ["made", "data", "eof", "lost"]
    assert recorder.data == b"last words"


async def test_close_while_paused_drops_what_was_held(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.pause_reading()
    peer.send_now(b"never seen")
    await turns()
    transport.close()
    await recorder.until_lost()
    assert recorder.events == ["made", "lost"]
    peer.close()


@(pytest.mark.io if ASYNCIO_PAUSES else pytest.mark.ours("this asyncio is older, and starts reading"))
async def test_pausing_in_connection_made(loop):
    transport, recorder, peer = await adopt(
        loop, lambda: Recorder(on={"made": lambda recorder: recorder.transport.pause_reading()})
    )
    peer.send_now(b"x")
    await turns()
    assert recorder.events == ["made"]
    transport.resume_reading()
    await recorder.until_received(1)
    await done(transport, recorder, peer)


async def test_pause_and_resume_after_close_are_harmless(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.close()
    transport.pause_reading()
    transport.resume_reading()
    assert not transport.is_reading()
    await recorder.until_lost()
    peer.close()


async def test_writing_goes_on_while_reading_is_paused(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.pause_reading()
    transport.write(b"still writing")
    assert await peer.recv(13) == b"still writing"
    await done(transport, recorder, peer)


async def test_a_paused_reader_bounds_what_the_peer_can_send(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.pause_reading()
    size = 32 << 20
    payload = b"x" * size
    sending = loop.create_task(peer.send(payload))
    await turns(50)
    assert not sending.done()
    transport.resume_reading()
    await sending
    await recorder.until_received(size)
    assert hashlib.sha256(recorder.data).digest() == hashlib.sha256(payload).digest()
    await done(transport, recorder, peer)


async def test_a_buffered_protocol_can_pause_too(loop):
    transport, protocol, peer = await adopt(loop, lambda: Buffered(1000))
    transport.pause_reading()
    peer.send_now(b"x" * 3000)
    await turns()
    assert protocol.data == b""
    transport.resume_reading()
    await protocol.until_received(3000)
    transport.abort()
    await protocol.ended
    peer.close()
