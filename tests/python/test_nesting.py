"""nest_asyncio and its kin let a loop run inside itself; they are refused, and all loops work afterwards."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
import textwrap
from unittest import mock

import pytest

TOOLS = ("nest_asyncio", "nest_asyncio2")
REFUSAL = "cannot run inside itself"

# The tools change asyncio for the whole process, so each has one of its own.
PROGRAM = """
import asyncio, sys, warnings
sys.path[:0] = {path!r}
warnings.simplefilter("ignore")
import csploop, {tool} as tool

def refused(call, *args):
    try:
        call(*args)
    except RuntimeError as exc:
        assert {refusal!r} in str(exc), exc
        return True
    return False

async def main():
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"hello")
    line = await reader.readexactly(5)
    writer.close()
    await writer.wait_closed()
    return await asyncio.wait_for(asyncio.sleep(0.001, line), 60)

async def serve():
    global address

    async def echo(reader, writer):
        writer.write(await reader.readexactly(5))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    async with server:
        return await main()

async def inside():
    loop = asyncio.get_running_loop()
    assert refused(tool.apply)
    inner = asyncio.sleep(0)
    try:
        loop.run_until_complete(inner)
    except RuntimeError:
        inner.close()
    return await serve()

other = csploop.new_event_loop()
assert {first}
assert csploop.run(serve()) == b"hello"
assert csploop.run(inside()) == b"hello"
assert other.run_until_complete(serve()) == b"hello"
other.close()
for make in (csploop.new_event_loop, asyncio.SelectorEventLoop):
    loop = make()
    assert loop.run_until_complete(serve()) == b"hello"
    loop.close()
assert "run_forever" in csploop.Loop.__dict__ and csploop.Loop.run_forever.__module__.startswith("csploop")
print("unharmed")
"""


def run(tool, first):
    if importlib.util.find_spec(tool) is None:
        pytest.skip(f"{tool} is not installed")
    if tool == "nest_asyncio" and sys.version_info >= (3, 14):
        pytest.skip("nest_asyncio breaks asyncio's own tasks on this Python")
    source = textwrap.dedent(PROGRAM).format(path=sys.path, tool=tool, refusal=REFUSAL, first=first)
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=55)


@pytest.mark.parametrize("tool", TOOLS)
def test_applying_it_to_a_loop_is_refused_and_harms_none(tool):
    done = run(tool, "refused(tool.apply, other)")
    assert done.stdout == "unharmed\n", done.stderr


@pytest.mark.parametrize("tool", TOOLS)
def test_applying_it_to_asyncios_loop_leaves_ours_alone(tool):
    done = run(tool, "tool.apply(asyncio.SelectorEventLoop()) is None")
    assert done.stdout == "unharmed\n", done.stderr


@pytest.mark.ours("asyncio's loops have no such refusal")
def test_whoever_looks_at_all_attributes_meets_no_refusal(loop):
    assert "_nest_patched" not in dir(loop)
    assert dict(inspect.getmembers(loop))["_closed"] is False
    mock.create_autospec(type(loop))
    mock.create_autospec(loop)


@pytest.mark.ours("a csploop loop has no single turn")
def test_a_single_turn_by_hand_is_refused(loop):
    with pytest.raises(RuntimeError, match=REFUSAL):
        loop._run_once()
