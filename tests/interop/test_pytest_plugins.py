"""pytest-asyncio and anyio's pytest plugin, each running a small suite on csploop."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pytest_asyncio import plugin

pytestmark = pytest.mark.timeout(120)

HEADER = """
import asyncio

import csploop
import pytest
"""

BY_FACTORY = """
def pytest_asyncio_loop_factories(config, item):
    return {"csploop": csploop.new_event_loop}
"""

BY_POLICY = """
@pytest.fixture(scope="session")
def event_loop_policy():
    return csploop.EventLoopPolicy()
"""

FOR_PYTEST_ASYNCIO = """
import pytest_asyncio


@pytest_asyncio.fixture
async def server():
    async def echo(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        assert type(asyncio.get_running_loop()) is csploop.Loop
        yield server.sockets[0].getsockname()[1]


@pytest.mark.asyncio
async def test_on_csploop():
    assert type(asyncio.get_running_loop()) is csploop.Loop
    await asyncio.sleep(0.001)


@pytest.mark.asyncio
async def test_with_an_async_fixture(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server)
    writer.write(b"line\\n")
    assert await reader.read() == b"line\\n"
    writer.close()
    await writer.wait_closed()


@pytest.mark.asyncio(loop_scope="class")
class TestOneLoopForAClass:
    seen = set()

    async def test_first(self):
        self.seen.add(asyncio.get_running_loop())

    async def test_second(self):
        self.seen.add(asyncio.get_running_loop())
        assert [type(loop) for loop in self.seen] == [csploop.Loop]


@pytest.mark.asyncio
async def test_that_fails():
    await asyncio.sleep(0)
    raise LookupError("as planned")
"""

FOR_ANYIO = """
import anyio


@pytest.fixture
def anyio_backend():
    return "asyncio", {"loop_factory": csploop.new_event_loop}


@pytest.fixture
async def stream():
    sender, receiver = anyio.create_memory_object_stream(1)
    async with sender, receiver:
        await sender.send(type(asyncio.get_running_loop()))
        yield receiver


@pytest.mark.anyio
async def test_on_csploop():
    assert type(asyncio.get_running_loop()) is csploop.Loop
    await anyio.sleep(0.001)


@pytest.mark.anyio
async def test_with_an_async_fixture(stream):
    assert await stream.receive() is csploop.Loop


@pytest.mark.anyio
async def test_with_a_task_group():
    done = []

    async def work(number):
        await anyio.sleep(0)
        done.append(number)

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(work, number)
    assert sorted(done) == list(range(10))


@pytest.mark.anyio
async def test_that_fails():
    await anyio.sleep(0)
    raise LookupError("as planned")
"""


def run_suite(directory, conftest, tests, *options):
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "conftest.py").write_text(HEADER + conftest)
    (directory / "test_inner.py").write_text(HEADER + tests)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *options]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=100, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("way", ["policy", "factory"])
def test_pytest_asyncio(tmp_path, way):
    if way == "factory" and not hasattr(plugin, "PytestAsyncioSpecs"):
        pytest.skip("this pytest-asyncio knows no loop factories")
    conftest = BY_FACTORY if way == "factory" else BY_POLICY
    options = ["-p", "no:anyio", "-o", "asyncio_default_fixture_loop_scope=function"]
    if way == "policy":
        # Where there are factories, policies still work but are called obsolete.
        options += ["-W", "ignore::pytest.PytestDeprecationWarning"]
    output = run_suite(tmp_path, conftest, FOR_PYTEST_ASYNCIO, *options)
    # That one fails shows that the bodies ran.
    assert "1 failed, 4 passed" in output, output
    assert "LookupError: as planned" in output


def test_the_plugin_of_anyio(tmp_path):
    output = run_suite(tmp_path, "", FOR_ANYIO, "-p", "no:asyncio")
    assert "1 failed, 3 passed" in output, output
    assert "LookupError: as planned" in output
