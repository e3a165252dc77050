"""aiohttp's HTTP server and client over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io

import aiohttp
import pytest
from aiohttp import web

pytestmark = [pytest.mark.io, pytest.mark.timeout(60)]


@contextlib.asynccontextmanager
async def serving(*routes):
    """A server with these routes on a free port, and a client session: (base address, session)."""
    app = web.Application(client_max_size=1 << 30)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with aiohttp.ClientSession() as session:
            yield f"http://127.0.0.1:{port}", session
    finally:
        await runner.cleanup()


async def hello(request):
    return web.Response(text=f"hello {request.query.get('name', 'nobody')}")


async def test_get_with_a_query(loop):
    async with serving(web.get("/", hello)) as (base, session), session.get(f"{base}/?name=loop") as response:
        assert response.status == 200
        assert await response.text() == "hello loop"


async def test_a_connection_is_kept_alive_over_many_requests(loop):
    peers = set()

    async def handler(request):
        peers.add(request.transport.get_extra_info("peername"))
        return web.json_response({"number": int(request.match_info["number"])})

    async with serving(web.get("/{number}", handler)) as (base, session):
        for number in range(100):
            async with session.get(f"{base}/{number}") as response:
                assert await response.json() == {"number": number}
    assert len(peers) == 1


async def test_many_requests_at_once(loop):
    async with serving(web.get("/", hello)) as (base, session):

        async def ask(number):
            async with session.get(f"{base}/?name={number}") as response:
                return await response.text()

        answers = await asyncio.gather(*(ask(number) for number in range(200)))
    assert answers == [f"hello {number}" for number in range(200)]


async def test_a_large_upload(loop):
    payload = bytes(range(256)) * (128 << 10)  # 32 MiB

    async def handler(request):
        digest, size = hashlib.sha256(), 0
        async for chunk in request.content.iter_any():
            digest.update(chunk)
            size += len(chunk)
        return web.json_response([size, digest.hexdigest()])

    async with serving(web.post("/", handler)) as (base, session):
        response = await session.post(base, data=io.BytesIO(payload))
        async with response:
            assert await response.json() == [len(payload), hashlib.sha256(payload).hexdigest()]


async def test_a_large_download(loop):
    chunk = bytes(range(256)) * 256

    async def handler(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(512):
            await response.write(chunk)
        await response.write_eof()
        return response

    async with serving(web.get("/", handler)) as (base, session):
        digest, size = hashlib.sha256(), 0
        async with session.get(base) as response:
            async for data in response.content.iter_any():
                digest.update(data)
                size += len(data)
    assert size == 512 * len(chunk)
    assert digest.digest() == hashlib.sha256(chunk * 512).digest()


async def test_a_client_that_goes_away_in_the_middle_harms_nobody(loop):
    started, ended = loop.create_future(), loop.create_future()

    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        started.set_result(None)
        try:
            while True:
                await response.write(b"x" * 65536)
        except (ConnectionError, asyncio.CancelledError) as error:
            ended.set_result(type(error))
            raise

    async with serving(web.get("/endless", endless), web.get("/", hello)) as (base, session):
        response = await session.get(f"{base}/endless")
        await started
        response.close()
        await ended
        async with session.get(base) as response:
            assert await response.text() == "hello nobody"


async def test_a_handler_that_fails_is_a_500_and_the_next_request_works(loop, caplog):
    async def fail(request):
        raise LookupError("as planned")

    async with serving(web.get("/fail", fail), web.get("/", hello)) as (base, session):
        async with session.get(f"{base}/fail") as response:
            assert response.status == 500
        async with session.get(base) as response:
            assert response.status == 200
    assert "LookupError" in caplog.text


async def test_a_client_timeout(loop):
    answer = asyncio.Event()

    async def silent(request):
        await answer.wait()
        return web.Response()

    async with serving(web.get("/", silent)) as (base, session):
        with pytest.raises(asyncio.TimeoutError):
            await session.get(base, timeout=aiohttp.ClientTimeout(total=0.05))
        answer.set()


async def test_over_a_unix_socket(loop, tmp_path):
    app = web.Application()
    app.add_routes([web.get("/", hello)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    path = str(tmp_path / "s")
    await web.UnixSite(runner, path).start()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session:
        response = await session.get("http://unix/?name=path")
        async with response:
            assert await response.text() == "hello path"
    await runner.cleanup()
