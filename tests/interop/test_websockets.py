"""The websockets package: its server and its client on one loop."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
import websockets
from websockets.asyncio.client import connect, unix_connect
from websockets.asyncio.server import broadcast, serve, unix_serve

pytestmark = pytest.mark.timeout(60)


async def echo(socket):
    async for message in socket:
        await socket.send(message)


@contextlib.asynccontextmanager
async def serving(handler, **options):
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}"


async def test_texts_and_bytes_come_back(loop):
    async with serving(echo) as address, connect(address) as socket:
        for number in range(200):
            await socket.send(f"text {number}")
            assert await socket.recv() == f"text {number}"
            await socket.send(b"%d" % number * 100)
            assert await socket.recv() == b"%d" % number * 100


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 8 << 20])
@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_messages_of_all_sizes(loop, size, compression):
    options = {"compression": compression, "max_size": None}
    async with serving(echo, **options) as address, connect(address, **options) as socket:
        await socket.send(b"x" * size)
        assert await socket.recv() == b"x" * size


async def test_a_message_in_fragments(loop):
    async with serving(echo) as address, connect(address) as socket:
        await socket.send(["one ", "two ", "three"])
        assert await socket.recv() == "one two three"


async def test_many_clients_at_once(loop):
    async with serving(echo) as address:

        async def talk(name):
            async with connect(address) as socket:
                for number in range(20):
                    await socket.send(f"{name} {number}")
                    assert await socket.recv() == f"{name} {number}"

        await asyncio.gather(*(talk(name) for name in range(50)))


async def test_a_broadcast_reaches_everybody_in_order(loop):
    joined, present = asyncio.Semaphore(0), set()

    async def handler(socket):
        present.add(socket)
        joined.release()
        await socket.wait_closed()

    async def listen(address):
        async with connect(address) as socket:
            return [int(await socket.recv()) for _ in range(100)]

    async with serving(handler) as address:
        tasks = [loop.create_task(listen(address)) for _ in range(30)]
        for _ in tasks:
            await joined.acquire()
        for number in range(100):
            broadcast(present, str(number))
        for received in await asyncio.gather(*tasks):
            assert received == list(range(100))


async def test_the_server_closes_with_a_code(loop):
    async def handler(socket):
        await socket.close(4000, "as planned")

    async with serving(handler) as address, connect(address) as socket:
        with pytest.raises(websockets.ConnectionClosedError) as caught:
            await socket.recv()
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4000, "as planned")


async def test_a_message_that_is_too_large_ends_the_connection(loop):
    async with serving(echo, max_size=1000) as address, connect(address) as socket:
        await socket.send("x" * 1001)
        with pytest.raises(websockets.ConnectionClosedError) as caught:
            await socket.recv()
        assert caught.value.rcvd.code == 1009


async def test_pings_are_answered(loop):
    async with serving(echo) as address, connect(address) as socket:
        for _ in range(20):
            latency = await (await socket.ping())
            assert latency >= 0


async def test_a_peer_that_stops_answering_is_noticed(loop):
    timings = {"ping_interval": 0.05, "ping_timeout": 0.05, "close_timeout": 0.05}
    async with serving(echo, ping_interval=None) as address, connect(address, **timings) as socket:
        # From here on nothing of what the server says is read.
        socket.transport.pause_reading()
        with pytest.raises(websockets.ConnectionClosedError, match="keepalive ping timeout"):
            await socket.recv()


async def test_a_handler_that_fails_closes_with_1011(loop, caplog):
    async def handler(socket):
        raise LookupError("as planned")

    async with serving(handler) as address, connect(address) as socket:
        with pytest.raises(websockets.ConnectionClosedError) as caught:
            await socket.recv()
    assert caught.value.rcvd.code == 1011
    assert "LookupError" in caplog.text


async def test_a_client_that_vanishes_ends_the_handler(loop):
    ended = loop.create_future()

    async def handler(socket):
        try:
            await socket.recv()
        except websockets.ConnectionClosedError as error:
            ended.set_result(error)

    async with serving(handler) as address, connect(address) as socket:
        socket.transport.abort()
        assert (await ended).rcvd is None


async def test_over_a_unix_socket(loop, tmp_path):
    path = str(tmp_path / "s")
    async with unix_serve(echo, path), unix_connect(path) as socket:
        await socket.send("path")
        assert await socket.recv() == "path"


async def test_a_slow_reader_slows_the_sender(loop):
    """What a client does not read fills buffers of a fixed size; then the server's send waits."""
    sent, blocked = 0, loop.create_future()

    async def handler(socket):
        nonlocal sent
        while True:
            sending = asyncio.ensure_future(socket.send(bytes(65536)))
            # A send that need not wait for the peer is done long before.
            if not (await asyncio.wait([sending], timeout=0.25))[0] and not blocked.done():
                blocked.set_result(sent)
            try:
                await sending
            except websockets.ConnectionClosedError:
                return
            sent += 1
            assert sent < 2000

    options = {"compression": None, "max_queue": 1}
    async with serving(handler, **options) as address, connect(address, **options) as socket:
        count = await blocked
        for _ in range(count + 5):
            assert await socket.recv() == bytes(65536)
        assert sent > count
        socket.transport.abort()
