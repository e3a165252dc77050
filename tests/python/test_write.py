"""Writing: order, kinds of buffers, when bytes leave."""

from __future__ import annotations

import array
import asyncio
import hashlib
import random

import pytest
from support.peers import adopt
from support.protocols import Recorder

pytestmark = pytest.mark.io


async def done(transport, recorder, peer):
    transport.abort()
    await recorder.until_lost()
    peer.close()


async def test_big_and_small_writes_keep_their_order(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    generator = random.Random(3)
    expected = hashlib.sha256()
    total = 0
    reading = loop.create_task(peer.recv_end())
    for number in range(300):
        size = generator.choice([1, 7, 100, 4096, 32767, 32768, 65536, 200_000])
        chunk = bytes([number % 256]) * size
        kind = generator.choice([bytes, bytearray, memoryview])
        transport.write(kind(chunk))
        expected.update(chunk)
        total += size
        if number % 29 == 0:
            await asyncio.sleep(0)
    transport.write_eof()
    data = await reading
    assert len(data) == total
    assert hashlib.sha256(data).digest() == expected.digest()
    await done(transport, recorder, peer)


@pytest.mark.parametrize("size", [10, 1000, 40_000, 3_000_000])
@pytest.mark.parametrize("view", [False, True], ids=["bytearray", "memoryview"])
async def test_a_buffer_may_be_changed_after_write(loop, size, view):
    transport, recorder, peer = await adopt(loop, Recorder)
    buffer = bytearray(b"a" * size)
    transport.write(memoryview(buffer) if view else buffer)
    buffer[:] = b"b" * size
    transport.write(buffer)
    buffer[:] = b"c" * size
    assert await peer.recv(2 * size) == b"a" * size + b"b" * size
    await done(transport, recorder, peer)


async def test_a_bytearray_may_be_resized_after_write(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    buffer = bytearray(b"a" * 100_000)
    transport.write(buffer)
    buffer.extend(b"more")
    del buffer[:]
    assert await peer.recv(100_000) == b"a" * 100_000
    await done(transport, recorder, peer)


async def test_other_memory_views_are_written_as_bytes(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    numbers = array.array("H", range(1000))
    transport.write(memoryview(numbers))
    assert await peer.recv(2000) == numbers.tobytes()
    await done(transport, recorder, peer)


@pytest.mark.ours("asyncio and uvloop fail on a view that is not contiguous")
async def test_a_view_with_gaps_is_written_without_them(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.write(memoryview(b"0123456789")[::2])
    assert await peer.recv(5) == b"02468"
    await done(transport, recorder, peer)


@pytest.mark.parametrize("data", ["text", None, 5, [b"x"], 1.5], ids=repr)
async def test_what_is_no_buffer_is_a_type_error(loop, data):
    transport, recorder, peer = await adopt(loop, Recorder)
    with pytest.raises(TypeError):
        transport.write(data)
    transport.write(b"unharmed")
    assert await peer.recv(8) == b"unharmed"
    await done(transport, recorder, peer)


async def test_an_empty_write_sends_nothing(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.write(b"")
    transport.write(bytearray())
    await asyncio.sleep(0)
    assert transport.get_write_buffer_size() == 0
    assert peer.nothing_waits()
    await done(transport, recorder, peer)


async def test_writelines_joins_its_parts(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.writelines([b"one ", bytearray(b"two "), memoryview(b"three")])
    transport.writelines([])
    transport.writelines(part for part in [b" ", b"four"])
    big = [bytes([number]) * 50_000 for number in range(40)]
    transport.writelines(big)
    assert await peer.recv(18) == b"one two three four"
    assert await peer.recv(2_000_000) == b"".join(big)
    await done(transport, recorder, peer)


async def test_a_write_has_left_when_the_next_turn_begins(loop):
    transport, recorder, peer = await adopt(loop, Recorder, "unix")
    transport.write(b"x")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not peer.nothing_waits()
    await done(transport, recorder, peer)


def test_a_write_before_stop_goes_out(loop):
    transport, recorder, peer = loop.run_until_complete(adopt(loop, Recorder, "unix"))

    def write_and_stop():
        transport.write(b"x")
        loop.stop()

    loop.call_soon(write_and_stop)
    loop.run_forever()
    assert not peer.nothing_waits()
    loop.run_until_complete(done(transport, recorder, peer))


def test_the_last_write_of_a_finished_run_goes_out(loop):
    async def main():
        made = await adopt(loop, Recorder, "unix")
        made[0].write(b"x")
        return made

    transport, recorder, peer = loop.run_until_complete(main())
    assert not peer.nothing_waits()
    loop.run_until_complete(done(transport, recorder, peer))


def test_a_write_between_two_runs_goes_out_with_the_next(loop):
    transport, recorder, peer = loop.run_until_complete(adopt(loop, Recorder, "unix"))
    transport.write(b"x")
    loop.run_until_complete(asyncio.sleep(0))
    assert not peer.nothing_waits()
    loop.run_until_complete(done(transport, recorder, peer))


async def test_writes_of_one_turn_to_many_streams_all_go_out(loop):
    made = [await adopt(loop, Recorder, "unix") for _ in range(100)]
    for times in (1, 100, 3000, 10, 9000, 1):
        for number, (transport, _, _) in enumerate(made):
            transport.write(b"%03d" % number * times)
        for number, (_, _, peer) in enumerate(made):
            assert await peer.recv(3 * times) == b"%03d" % number * times
    for each in made:
        await done(*each)


@pytest.mark.ours("the option is csploop's")
@pytest.mark.parametrize("mode", ["gather", "immediate"])
def test_the_write_mode_decides_whether_a_blocked_thread_delays_data(loop_kind, nothing_leaks, mode):
    import csploop

    loop = csploop.Loop(poller=loop_kind.poller, write=mode)

    async def main():
        transport, recorder, peer = await adopt(loop, Recorder, "unix")
        transport.write(b"x")
        assert peer.nothing_waits() == (mode == "gather")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not peer.nothing_waits()
        await done(transport, recorder, peer)

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@pytest.mark.ours("the option is csploop's")
def test_writes_that_go_out_at_once_still_pause_the_protocol(loop_kind, nothing_leaks):
    import csploop

    loop = csploop.Loop(poller=loop_kind.poller, write="immediate")

    async def main():
        transport, recorder, peer = await adopt(loop, Recorder, "unix")
        # Each is less than the high-water mark; nothing in between lets the loop turn.
        for _ in range(4096):
            transport.write(bytes(16384))
            if "pause" in recorder.events:
                break
        else:
            pytest.fail("never paused")
        assert transport.get_write_buffer_size() > 65536
        reading = loop.create_task(peer.recv_end())
        await recorder.until_event("resume")
        transport.close()
        await reading
        await recorder.until_lost()
        peer.close()

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_writes_while_the_loop_stands_pause_the_protocol(loop):
    async def make():
        return await adopt(loop, Recorder, "unix")

    transport, recorder, peer = loop.run_until_complete(make())
    for _ in range(4096):
        transport.write(bytes(16384))
        if "pause" in recorder.events:
            break
    else:
        pytest.fail("never paused")

    async def end():
        transport.abort()
        await recorder.until_lost()
        peer.close()

    loop.run_until_complete(end())


async def test_a_hundred_thousand_small_writes(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    reading = loop.create_task(peer.recv(600_000))
    for number in range(100_000):
        transport.write(b"%06d" % number)
    data = await reading
    assert data == b"".join(b"%06d" % number for number in range(100_000))
    await done(transport, recorder, peer)
