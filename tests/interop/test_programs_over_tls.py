"""Programs of others that speak TLS with each other or with a server of the system."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import socket
import ssl
import sys

import aiohttp
import httpx
import pytest
from aiohttp import web
from hypercorn.asyncio import serve as serve_by_hypercorn
from hypercorn.config import Config
from uvicorn_app import app
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve as serve_websockets

pytestmark = pytest.mark.timeout(60)
PAYLOAD = bytes(range(256)) * (16 << 10)  # 4 MiB


@pytest.fixture
def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def client_context(certificate):
    return ssl.create_default_context(cafile=certificate[0])


@contextlib.asynccontextmanager
async def aiohttp_pair(server_context, client_context, *routes):
    """aiohttp's server with these routes and a client session: (base address, session)."""
    application = web.Application(client_max_size=1 << 30)
    application.add_routes(routes)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context).start()
        connector = aiohttp.TCPConnector(ssl=client_context)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield f"https://127.0.0.1:{runner.addresses[0][1]}", session
    finally:
        await runner.cleanup()


async def upload(request):
    digest = hashlib.sha256()
    async for chunk in request.content.iter_any():
        digest.update(chunk)
    return web.json_response({"sha256": digest.hexdigest(), "secure": request.secure})


async def download(request):
    return web.Response(body=PAYLOAD)


async def test_aiohttp_uploads_and_downloads(loop, server_context, client_context):
    routes = [web.post("/", upload), web.get("/", download)]
    async with aiohttp_pair(server_context, client_context, *routes) as (address, session):
        async with session.post(address, data=io.BytesIO(PAYLOAD)) as response:
            answer = await response.json()
        assert answer == {"sha256": hashlib.sha256(PAYLOAD).hexdigest(), "secure": True}
        async with session.get(address) as response:
            assert await response.read() == PAYLOAD


async def test_aiohttp_with_many_connections(loop, server_context, client_context):
    async def hello(request):
        return web.Response(text=request.query["name"])

    async with aiohttp_pair(server_context, client_context, web.get("/", hello)) as (address, session):

        async def ask(number):
            async with session.get(f"{address}?name={number}") as response:
                return await response.text()

        answers = await asyncio.gather(*map(ask, range(100)))
    assert answers == [str(number) for number in range(100)]


async def test_aiohttp_does_not_trust_a_stranger(loop, server_context, reports):
    route, stranger = web.get("/", download), ssl.create_default_context()
    async with aiohttp_pair(server_context, stranger, route) as (address, session):
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(address)
    # That the handshake failed on the server as well may be told or not: it depends on who is first.
    assert all(isinstance(each.get("exception"), (OSError, ssl.SSLError)) for each in reports.take_all())


async def test_aiohttp_websockets(loop, server_context, client_context):
    async def echo(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    async with aiohttp_pair(server_context, client_context, web.get("/", echo)) as (address, session):
        socket = await session.ws_connect(address)
        for number in range(100):
            await socket.send_str(f"text {number}")
            assert await socket.receive_str() == f"text {number}"
        await socket.close()


async def test_hypercorn_and_httpx_agree_on_http2(loop, certificate, client_context):
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"https://127.0.0.1:{listener.getsockname()[1]}"
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.certfile, config.keyfile = certificate
    config.loglevel = "WARNING"
    end = asyncio.Event()
    task = asyncio.ensure_future(serve_by_hypercorn(app, config, shutdown_trigger=end.wait))
    async with httpx.AsyncClient(verify=client_context, http2=True, base_url=address) as client:
        answers = await asyncio.gather(*(client.get("/") for _ in range(20)))
        assert {(answer.text, answer.http_version) for answer in answers} == {("hello", "HTTP/2")}
        answer = await client.post("/upload", content=PAYLOAD)
        assert answer.json()["sha256"] == hashlib.sha256(PAYLOAD).hexdigest()
    end.set()
    await task


async def test_websockets(loop, server_context, client_context):
    async def echo(socket):
        async for message in socket:
            await socket.send(message)

    async with serve_websockets(echo, "127.0.0.1", 0, ssl=server_context) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"wss://127.0.0.1:{port}", ssl=client_context, max_size=None) as client:
            for number in range(100):
                await client.send(f"text {number}")
                assert await client.recv() == f"text {number}"
            await client.send(PAYLOAD[: 1 << 20])
            assert await client.recv() == PAYLOAD[: 1 << 20]


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="asyncpg is written for CPython's C API")
async def test_asyncpg_starts_tls_on_a_plain_connection(loop, postgresql_address, client_context):
    import asyncpg

    connection = await asyncpg.connect(
        host=postgresql_address.host,
        port=postgresql_address.port,
        user="tester",
        password="for tests",
        database="postgres",
        ssl=client_context,
    )
    assert await connection.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
    assert await connection.fetchval("select $1::bytea", PAYLOAD) == PAYLOAD
    await connection.close()
