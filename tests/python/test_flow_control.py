"""Flow control of writing: limits, pause_writing, resume_writing, drain."""

from __future__ import annotations

import asyncio

import pytest
from support.peers import adopt
from support.protocols import Recorder

pytestmark = pytest.mark.io
MEGABYTE = 1 << 20


async def done(transport, recorder, peer):
    transport.abort()
    await recorder.until_lost()
    peer.close()


async def test_a_full_buffer_pauses_and_an_empty_one_resumes(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.set_write_buffer_limits(high=100_000)
    assert transport.get_write_buffer_limits() == (25_000, 100_000)
    transport.write(b"x" * (16 * MEGABYTE))
    assert recorder.events == ["made", "pause"]
    assert transport.get_write_buffer_size() > 100_000
    assert await peer.recv(16 * MEGABYTE) == b"x" * (16 * MEGABYTE)
    await recorder.until_event("resume")
    assert recorder.events == ["made", "pause", "resume"]
    assert transport.get_write_buffer_size() <= 25_000
    await done(transport, recorder, peer)


async def test_pause_comes_once_however_much_follows(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    for _ in range(20):
        transport.write(b"x" * MEGABYTE)
        await asyncio.sleep(0)
    assert recorder.events == ["made", "pause"]
    reading = loop.create_task(peer.recv(20 * MEGABYTE))
    await recorder.until_event("resume")
    await reading
    assert recorder.events.count("pause") == recorder.events.count("resume")
    await done(transport, recorder, peer)


async def test_the_low_limit_decides_when_writing_resumes(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.set_write_buffer_limits(high=8 * MEGABYTE, low=0)
    sizes = []
    recorder.on["resume"] = lambda recorder: sizes.append(transport.get_write_buffer_size())
    transport.write(b"x" * (32 * MEGABYTE))
    await peer.recv(32 * MEGABYTE)
    await recorder.until_event("resume")
    assert sizes == [0]
    await done(transport, recorder, peer)


async def test_a_limit_of_zero_pauses_at_the_first_byte_that_stays(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.set_write_buffer_limits(high=0)
    assert transport.get_write_buffer_limits() == (0, 0)
    transport.write(b"x" * (16 * MEGABYTE))
    assert recorder.events == ["made", "pause"]
    await peer.recv(16 * MEGABYTE)
    await recorder.until_event("resume")
    await done(transport, recorder, peer)


@pytest.mark.parametrize("limits", [{"high": -1}, {"low": -1}, {"high": 1, "low": 2}], ids=str)
async def test_impossible_limits_are_value_errors(loop, limits):
    transport, recorder, peer = await adopt(loop, Recorder)
    with pytest.raises(ValueError):
        transport.set_write_buffer_limits(**limits)
    await done(transport, recorder, peer)


async def test_limits_follow_from_each_other(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    assert transport.get_write_buffer_limits() == (16384, 65536)
    transport.set_write_buffer_limits(low=100)
    assert transport.get_write_buffer_limits() == (100, 400)
    transport.set_write_buffer_limits(high=1000, low=10)
    assert transport.get_write_buffer_limits() == (10, 1000)
    transport.set_write_buffer_limits()
    assert transport.get_write_buffer_limits() == (16384, 65536)
    await done(transport, recorder, peer)


async def test_the_buffer_size_counts_what_has_not_left(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    assert transport.get_write_buffer_size() == 0
    transport.write(b"x" * (32 * MEGABYTE))
    before = transport.get_write_buffer_size()
    assert 0 < before <= 32 * MEGABYTE
    transport.write(b"y" * MEGABYTE)
    assert transport.get_write_buffer_size() > before
    await peer.recv(33 * MEGABYTE)
    while transport.get_write_buffer_size():
        await asyncio.sleep(0)
    await done(transport, recorder, peer)


async def test_writes_inside_resume_writing_go_on_in_order(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    rest = [bytes([number]) * MEGABYTE for number in range(32)]
    expected = b"".join(rest)

    def more(recorder):
        while rest and recorder.events.count("pause") == recorder.events.count("resume"):
            transport.write(rest.pop(0))

    recorder.on["resume"] = more
    more(recorder)
    # Piece by piece: a peer that reads without pause may be fast enough for all the rest.
    got = [await peer.recv(MEGABYTE) for _ in range(32)]
    assert b"".join(got) == expected
    assert recorder.events.count("pause") > 1
    await done(transport, recorder, peer)


async def test_drain_bounds_the_memory_of_a_fast_writer(loop):
    async def serve(reader, writer):
        biggest = 0
        for _ in range(200):
            writer.write(b"x" * 100_000)
            biggest = max(biggest, writer.transport.get_write_buffer_size())
            await writer.drain()
        writer.close()
        served.set_result(biggest)

    served = loop.create_future()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    total = 0
    while data := await reader.read(65536):
        total += len(data)
    assert total == 200 * 100_000
    assert await served <= 65536 + 100_000
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_lost_connection_ends_a_drain_that_waits(loop):
    async def serve(reader, writer):
        writer.write(b"x" * (16 * MEGABYTE))
        try:
            await writer.drain()
        except ConnectionError as error:
            ended.set_result(error)
        writer.close()

    ended = loop.create_future()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await reader.read(1)
    writer.transport.abort()
    assert isinstance(await ended, ConnectionError)
    server.close()
    await server.wait_closed()
    for _ in range(5):
        await asyncio.sleep(0)
