"""Loops in the threads of a synchronous server (as under Django and WSGI), and one in the background."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socketserver
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import csploop
import pytest

pytestmark = pytest.mark.io
REQUESTS = 12


async def upper(reader, writer):
    """The service behind: each line in capital letters."""
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def ask(address, word):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(word.encode() + b"\n")
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line.decode().strip()


async def view(address, word):
    """What an asynchronous view does: several things at once, timers, and the executor."""
    loop = asyncio.get_running_loop()
    first, second = await asyncio.gather(ask(address, word), ask(address, word[::-1]))
    await asyncio.sleep(0.001)
    name = await loop.run_in_executor(None, lambda: threading.current_thread().name)
    return {"answers": [first, second], "loop": type(loop).__module__.split(".")[0], "elsewhere": name}


class Background:
    """A loop that lives in a thread of its own, with the service behind on it."""

    def __init__(self, kind):
        self.loop = kind.new()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.server = self.call(asyncio.start_server(upper, "127.0.0.1", 0))
        self.address = self.server.sockets[0].getsockname()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(15)

    def close(self):
        async def end():
            self.server.close()
            await self.server.wait_closed()
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0)
            await self.loop.shutdown_default_executor()

        self.call(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture
def background(loop_kind):
    background = Background(loop_kind)
    yield background
    background.close()


@contextlib.contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()  # waits for the handlers' threads


def get(address, path):
    connection = http.client.HTTPConnection(*address, timeout=45)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return json.loads(body)
    finally:
        connection.close()


def get_many(address):
    """Several clients at once; what each was answered, by what it asked for."""
    words = [f"word{number}" for number in range(REQUESTS)]
    with ThreadPoolExecutor(6) as clients:
        return dict(zip(words, clients.map(lambda word: get(address, f"/{word}"), words)))


def handler(function):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(function(self.path[1:])).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Tests are quiet."""

    return Handler


class HTTPServer(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for them


def run_on(kind, coroutine):
    """As csploop.run, on a loop of any kind."""
    loop = kind.new()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def check(answers, kind):
    for word, answer in answers.items():
        assert answer["answers"] == [word.upper(), word[::-1].upper()]
        assert answer["loop"] == kind.package
        assert "MainThread" not in answer["elsewhere"]


def test_each_request_runs_a_loop_in_its_thread(loop_kind, background):
    server = HTTPServer(
        ("127.0.0.1", 0), handler(lambda word: run_on(loop_kind, view(background.address, word)))
    )
    with serving(server) as address:
        check(get_many(address), loop_kind)


@pytest.mark.ours("csploop.run is csploop's")
def test_csploop_run_in_worker_threads(loop_kind, background):
    server = HTTPServer(("127.0.0.1", 0), handler(lambda word: csploop.run(view(background.address, word))))
    with serving(server) as address:
        check(get_many(address), loop_kind)


def test_a_pool_of_wsgi_threads_each_with_a_loop_that_stays(loop_kind, background):
    local = threading.local()
    loops = []

    def application(environ, start_response):
        if not hasattr(local, "loop"):
            local.loop = loop_kind.new()
            loops.append(local.loop)
        word = environ["PATH_INFO"][1:]
        body = json.dumps(local.loop.run_until_complete(view(background.address, word))).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    class Quiet(WSGIRequestHandler):
        def log_message(self, *args):
            """Tests are quiet."""

    class Pool(socketserver.ThreadingMixIn, WSGIServer):
        workers = ThreadPoolExecutor(3)

        def process_request(self, request, client_address):
            self.workers.submit(self.process_request_thread, request, client_address)

    server = make_server("127.0.0.1", 0, application, Pool, Quiet)
    with serving(server) as address:
        check(get_many(address), loop_kind)
    Pool.workers.shutdown()
    assert 1 <= len(loops) <= 3
    for loop in loops:  # here, in another thread than that which ran them
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def test_requests_that_use_the_loop_in_the_background(loop_kind, background):
    server = HTTPServer(
        ("127.0.0.1", 0), handler(lambda word: background.call(view(background.address, word)))
    )
    with serving(server) as address:
        check(get_many(address), loop_kind)


def test_a_failing_coroutine_of_the_background_loop_fails_the_request_only(loop_kind, background):
    async def fail(word):
        await asyncio.sleep(0)
        raise LookupError(word)

    def answer(word):
        try:
            background.call(fail(word))
        except LookupError as error:
            return f"failed {error.args[0]}"
        return "no error"

    with serving(HTTPServer(("127.0.0.1", 0), handler(answer))) as address:
        assert get_many(address) == {f"word{n}": f"failed word{n}" for n in range(REQUESTS)}
    assert background.call(ask(background.address, "alive")) == "ALIVE"


def test_a_request_that_gives_up_cancels_what_it_started(loop_kind, background):
    cancelled = threading.Event()

    async def for_ever():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def answer(word):
        future = asyncio.run_coroutine_threadsafe(for_ever(), background.loop)
        background.call(asyncio.sleep(0))  # by now it runs
        return [future.cancel(), cancelled.wait(15)]

    with serving(HTTPServer(("127.0.0.1", 0), handler(answer))) as address:
        assert get(address, "/x") == [True, True]
