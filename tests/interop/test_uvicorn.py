"""uvicorn on csploop: started by a program, and from the command line."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading

import httpx
import pytest
import uvicorn
import websockets
from uvicorn_app import app

HERE = os.path.dirname(os.path.abspath(__file__))
# Since 0.36 uvicorn's --loop names a function that makes a loop; before, one that sets a policy.
TAKES_FACTORIES = hasattr(uvicorn.Config, "get_loop_factory")

pytestmark = pytest.mark.timeout(60)


class Server(uvicorn.Server):
    """A uvicorn server in a thread, on a loop that uvicorn makes itself."""

    def __init__(self, **options):
        super().__init__(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", **options))
        self.up = threading.Event()
        self.error = None

    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        self.port = self.servers[0].sockets[0].getsockname()[1]
        self.up.set()

    def run_and_tell(self):
        try:
            self.run()
        except BaseException as error:
            self.error = error
        finally:
            self.up.set()

    def __enter__(self):
        self.thread = threading.Thread(target=self.run_and_tell)
        self.thread.start()
        assert self.up.wait(20) and self.error is None, self.error
        return self

    def __exit__(self, *args):
        self.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive() and self.error is None, self.error


@pytest.fixture
def server():
    if not TAKES_FACTORIES:
        pytest.skip("this uvicorn is older than 0.36 and takes no loop factory")
    with Server(loop="csploop:new_event_loop") as server:
        yield f"http://127.0.0.1:{server.port}"


def test_the_server_runs_on_csploop(server):
    with httpx.Client(base_url=server) as client:
        assert client.get("/loop").text.startswith("csploop.")


def test_requests_over_one_connection(server):
    with httpx.Client(base_url=server) as client:
        for _ in range(200):
            assert client.get("/").text == "hello"


def test_a_large_upload(server):
    payload = bytes(range(256)) * (64 << 10)
    with httpx.Client(base_url=server, timeout=30) as client:
        answer = client.post("/upload", content=payload).json()
    assert answer == {"size": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}


def test_a_large_download(server):
    with httpx.Client(base_url=server, timeout=30) as client:
        assert client.get("/download").content == b"d" * (256 * 65536)


def test_many_clients_at_once_from_a_csploop_loop(server):
    import csploop

    async def main():
        async with httpx.AsyncClient(base_url=server, timeout=30) as client:
            return await asyncio.gather(*(client.get("/") for _ in range(100)))

    assert [answer.text for answer in csploop.run(main())] == ["hello"] * 100


def test_websockets_through_uvicorn(server):
    import csploop

    async def main():
        async with websockets.connect(server.replace("http", "ws")) as socket:
            for number in range(50):
                await socket.send(f"message {number}")
                assert await socket.recv() == f"MESSAGE {number}"

    csploop.run(main())


def test_serve_inside_a_running_loop():
    import csploop

    async def main():
        server = Server(lifespan="on")
        task = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.001)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
            answer = await client.get("/loop")
        server.should_exit = True
        await task
        return answer.text

    assert csploop.run(main()).startswith("csploop.")


@pytest.mark.skipif(not TAKES_FACTORIES, reason="this uvicorn is older than 0.36 and takes no loop factory")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=lambda end: end.name)
def test_the_command_line(end):
    command = [sys.executable, "-m", "uvicorn", "uvicorn_app:app", "--loop", "csploop:new_event_loop"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--app-dir", HERE],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    with process:
        address = None
        for line in process.stderr:
            if match := re.search(r"http://127\.0\.0\.1:\d+", line):
                address = match.group()
                break
        assert address, "uvicorn did not tell its address"
        with httpx.Client(base_url=address) as client:
            assert client.get("/loop").text.startswith("csploop.")
            assert client.get("/").text == "hello"
        process.send_signal(end)
        log = process.stderr.read()
        code = process.wait(20)
    # uvicorn shuts down in order and then gives the signal back to the process.
    assert "Finished server process" in log, log
    assert code in (0, -end), log
