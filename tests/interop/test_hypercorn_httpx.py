"""hypercorn and httpx on one loop: HTTP/1.1, HTTP/2 and WebSockets between them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket

import httpx
import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from uvicorn_app import app
from websockets.asyncio.client import connect

pytestmark = pytest.mark.timeout(60)


@contextlib.asynccontextmanager
async def serving(application=app):
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "WARNING"
    config.graceful_timeout = 5
    end = asyncio.Event()
    task = asyncio.ensure_future(serve(application, config, shutdown_trigger=end.wait))
    try:
        yield address
    finally:
        end.set()
        await task


@pytest.fixture(params=["1.1", "2"])
def client_for(request):
    """A function that makes a client which speaks one version of HTTP."""

    def client_for(address, **options):
        versions = {"http1": request.param == "1.1", "http2": request.param == "2"}
        return httpx.AsyncClient(base_url=f"http://{address}", timeout=30, **versions, **options)

    client_for.version = f"HTTP/{request.param}"
    return client_for


async def test_requests_over_one_connection(loop, client_for):
    async with serving() as address, client_for(address) as client:
        for _ in range(100):
            answer = await client.get("/")
            assert (answer.text, answer.http_version) == ("hello", client_for.version)


async def test_many_requests_at_once(loop, client_for):
    async with serving() as address, client_for(address) as client:
        answers = await asyncio.gather(*(client.get("/") for _ in range(100)))
    assert [answer.text for answer in answers] == ["hello"] * 100


async def test_a_large_upload(loop, client_for):
    payload = bytes(range(256)) * (16 << 10)  # 4 MiB
    async with serving() as address, client_for(address) as client:
        answer = (await client.post("/upload", content=payload)).json()
    assert answer == {"size": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}


async def test_an_upload_that_is_made_as_it_goes(loop, client_for):
    async def parts():
        for number in range(200):
            yield b"%d," % number * 100
            await asyncio.sleep(0)

    async with serving() as address, client_for(address) as client:
        answer = (await client.post("/upload", content=parts())).json()
    assert answer["size"] == sum(len(b"%d," % number * 100) for number in range(200))


async def test_a_large_download(loop, client_for):
    async with serving() as address, client_for(address) as client:
        size = 0
        async with client.stream("GET", "/download") as answer:
            async for data in answer.aiter_raw():
                size += len(data)
    assert size == 256 * 65536


async def test_a_download_that_is_given_up_harms_nobody(loop):
    """Not over HTTP/2: there hypercorn leaves the handler of a stream that was reset waiting for ever."""
    async with serving() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        async with client.stream("GET", "/download") as answer:
            async for data in answer.aiter_raw():
                assert data
                break
        assert (await client.get("/")).text == "hello"


async def test_a_timeout(loop, client_for):
    going_on = asyncio.Event()

    async def slow(scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/slow":
            await going_on.wait()
        await app(scope, receive, send)

    async with serving(slow) as address, client_for(address) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/slow", timeout=httpx.Timeout(30, read=0.05))
        going_on.set()
        assert (await client.get("/")).text == "hello"


async def test_a_cancelled_request(loop, client_for):
    arrived, going_on = asyncio.Event(), asyncio.Event()

    async def slow(scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/slow":
            arrived.set()
            await going_on.wait()
        await app(scope, receive, send)

    async with serving(slow) as address, client_for(address) as client:
        task = loop.create_task(client.get("/slow"))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        going_on.set()
        assert (await client.get("/")).text == "hello"


async def test_websockets(loop):
    async with serving() as address, connect(f"ws://{address}") as client:
        for number in range(50):
            await client.send(f"message {number}")
            assert await client.recv() == f"MESSAGE {number}"


async def test_state_of_the_lifespan_and_the_loop(loop):
    events = []

    async def recording(scope, receive, send):
        if scope["type"] != "lifespan":
            return await app(scope, receive, send)
        for _ in range(2):
            message = await receive()
            events.append((message["type"], asyncio.get_running_loop() is loop))
            await send({"type": f"{message['type']}.complete"})
        return None

    async with serving(recording) as address, httpx.AsyncClient() as client:
        name = (await client.get(f"http://{address}/loop")).text
    assert name == f"{type(loop).__module__}.{type(loop).__name__}"
    assert events == [("lifespan.startup", True), ("lifespan.shutdown", True)]


async def test_httpx_tells_that_nobody_listens(loop):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/")


async def test_httpx_over_a_unix_socket(loop, tmp_path):
    """A server of five lines, so that every byte of the exchange is known."""

    async def answer(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        body = json.dumps(request.split(b"\r\n")[0].decode()).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    path = str(tmp_path / "s")
    transport = httpx.AsyncHTTPTransport(uds=path)
    async with (
        await asyncio.start_unix_server(answer, path),
        httpx.AsyncClient(transport=transport) as client,
    ):
        assert (await client.get("http://unix/path")).json() == "GET /path HTTP/1.1"
