"""A WebSocket with a subscriber's queue behind it: what both services of this example do with one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable
from typing import Callable

from aiohttp import WSCloseCode, WSMsgType, web

from .subscribers import Subscriber

SEND_BUFFER = 16 * 1024  # a kernel buffer full of old prices helps nobody


async def websocket(request: web.Request) -> web.WebSocketResponse:
    """Answers the request's handshake."""
    ws = web.WebSocketResponse(compress=False, writer_limit=SEND_BUFFER)
    await ws.prepare(request)
    if request.transport is not None:
        request.transport.set_write_buffer_limits(high=SEND_BUFFER)
        sock = request.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return ws


async def serve_subscriber(
    ws: web.WebSocketResponse,
    subscriber: Subscriber,
    send: Callable[[str], Awaitable[None]],
    answer: Callable[[str], str],
) -> None:
    """Sends what the subscriber's queue brings, and answers what the peer says, until one of both leaves."""
    said_goodbye = False

    async def pump_and_close() -> None:
        nonlocal said_goodbye
        await subscriber.pump(send)
        said_goodbye = True
        await ws.close(code=WSCloseCode.GOING_AWAY, message=b"the service ends")

    pumping = asyncio.ensure_future(pump_and_close())
    try:
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                await ws.send_str(answer(message.data))
    finally:
        if not said_goodbye:  # the peer left first
            pumping.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):  # ours; or: the peer is gone
            await pumping
