"""The ASGI application that the uvicorn tests serve."""

from __future__ import annotations

import asyncio
import hashlib
import json


async def body_of(receive):
    digest, size = hashlib.sha256(), 0
    while True:
        message = await receive()
        digest.update(message.get("body", b""))
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            return {"size": size, "sha256": digest.hexdigest()}


async def respond(send, body, status=200):
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]}
    )
    await send({"type": "http.response.body", "body": body})


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"].upper()})
    elif scope["path"] == "/loop":
        kind = type(asyncio.get_running_loop())
        await respond(send, f"{kind.__module__}.{kind.__name__}".encode())
    elif scope["path"] == "/upload":
        await respond(send, json.dumps(await body_of(receive)).encode())
    elif scope["path"] == "/download":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(256):
            await send({"type": "http.response.body", "body": b"d" * 65536, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await respond(send, b"hello")
