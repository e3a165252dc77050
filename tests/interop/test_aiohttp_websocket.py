"""aiohttp's WebSocket server and client."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web
from test_aiohttp_http import serving

pytestmark = [pytest.mark.io, pytest.mark.timeout(60)]


async def echo(request):
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    async for message in socket:
        if message.type == aiohttp.WSMsgType.TEXT:
            if message.data == "close":
                await socket.close(code=4000, message=b"as asked")
            else:
                await socket.send_str(message.data)
        elif message.type == aiohttp.WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def test_texts_and_bytes_come_back(loop):
    async with serving(web.get("/", echo)) as (base, session), session.ws_connect(base) as socket:
        for number in range(200):
            await socket.send_str(f"text {number}")
            assert await socket.receive_str() == f"text {number}"
            await socket.send_bytes(b"%d" % number * 100)
            assert await socket.receive_bytes() == b"%d" % number * 100


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 4 << 20])
async def test_messages_of_all_sizes(loop, size):
    payload = b"x" * size
    async with (
        serving(web.get("/", echo)) as (base, session),
        session.ws_connect(base, max_msg_size=0) as socket,
    ):
        await socket.send_bytes(payload)
        assert await socket.receive_bytes() == payload


async def test_the_server_can_close(loop):
    async with serving(web.get("/", echo)) as (base, session), session.ws_connect(base) as socket:
        await socket.send_str("close")
        message = await socket.receive()
        assert message.type == aiohttp.WSMsgType.CLOSE
        assert (message.data, message.extra) == (4000, "as asked")
        assert socket.close_code == 4000


async def test_many_subscribers_get_every_message_in_order(loop):
    subscribers = []

    async def subscribe(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        subscribers.append(socket)
        async for _ in socket:
            pass
        return socket

    async def listen(base, session):
        async with session.ws_connect(base) as socket:
            ready.release()
            return [int(await socket.receive_str()) for _ in range(100)]

    ready = asyncio.Semaphore(0)
    async with serving(web.get("/", subscribe)) as (base, session):
        tasks = [loop.create_task(listen(base, session)) for _ in range(30)]
        for _ in tasks:
            await ready.acquire()
        while len(subscribers) < len(tasks):
            await asyncio.sleep(0)
        for number in range(100):
            for socket in subscribers:
                await socket.send_str(str(number))
        for received in await asyncio.gather(*tasks):
            assert received == list(range(100))


async def test_pings_are_answered(loop):
    async with (
        serving(web.get("/", echo)) as (base, session),
        session.ws_connect(base, autoping=False) as socket,
    ):
        await socket.ping(b"are you there")
        message = await socket.receive()
        assert message.type == aiohttp.WSMsgType.PONG
        assert bytes(message.data) == b"are you there"


async def test_a_client_that_vanishes_ends_the_servers_loop(loop):
    ended = loop.create_future()

    async def handler(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        ended.set_result(socket.close_code)
        return socket

    async with serving(web.get("/", handler)) as (base, session):
        socket = await session.ws_connect(base)
        socket._response.connection.transport.abort()
        assert await ended == 1006
        await socket.close()
