"""Who awaits whom: asyncio's call graph from inside, and `python -m asyncio ps` and `pstree` from outside."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="call graphs are new in Python 3.14")


def names(graph):
    """The functions of a graph's coroutines, the innermost first."""
    return [entry.frame.f_code.co_name for entry in graph.call_stack]


async def test_a_coroutine_captures_its_own_graph(loop):
    async def inner():
        return asyncio.capture_call_graph()

    async def outer():
        return await inner()

    async def parent():
        async with asyncio.TaskGroup() as group:
            task = group.create_task(outer(), name="child")
        return task, task.result()

    me = asyncio.current_task()
    task, graph = await parent()
    assert graph.future is task
    assert names(graph) == ["inner", "outer"]
    (awaiting,) = graph.awaited_by
    assert awaiting.future is me
    assert "parent" in names(awaiting)


async def test_the_graph_of_a_task_that_waits_for_io(loop):
    async def answer(reader, writer):
        await looked.wait()
        writer.write(b"line\n")
        writer.close()
        await writer.wait_closed()

    async def ask():
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        loop.call_soon(waits.set)
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return line

    waits, looked = asyncio.Event(), asyncio.Event()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    task = loop.create_task(ask(), name="asks")
    await waits.wait()
    text = asyncio.format_call_graph(task)
    assert "asks" in text
    assert "ask()" in text
    assert "StreamReader.readline()" in text
    assert asyncio.capture_call_graph(task).awaited_by == ()
    looked.set()
    assert await task == b"line\n"
    server.close()
    await server.wait_closed()
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_graph_can_be_printed(loop):
    async def show():
        asyncio.print_call_graph(file=text)

    text = io.StringIO()
    await loop.create_task(show(), name="printer")
    assert re.search(r"Task\(name='printer'", text.getvalue())
    assert "show()" in text.getvalue()


PROGRAM = """
import asyncio, sys
sys.path[:0] = {path!r}
from support.kinds import KINDS

async def sleeps():
    told = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: print("ready", flush=True))
    await told

async def works():
    await sleeps()

async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(works(), name="the first")
        group.create_task(works(), name="the second")

loop = KINDS[{kind!r}].new()
loop.run_until_complete(main())
"""


def look_at(kind: str, command: str) -> subprocess.CompletedProcess[str]:
    """What the command tells of such a program when that has nothing more to do than to wait."""
    program = PROGRAM.format(path=sys.path, kind=kind)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in range(2)] == [b"ready\n"] * 2
            return subprocess.run(
                [sys.executable, "-m", "asyncio", command, str(process.pid)],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            process.kill()


@pytest.mark.io
@pytest.mark.ours("asyncio's own program is the control in its body")
@pytest.mark.timeout(150)
@pytest.mark.parametrize("command", ["ps", "pstree"])
def test_the_tasks_of_another_process_are_listed(loop_kind, command):
    control = look_at("asyncio", command)
    if control.returncode != 0:
        pytest.skip(f"this system lets nobody look: {(control.stdout + control.stderr).strip()[:200]}")
    result = look_at(loop_kind.name, command)
    assert result.returncode == 0, result.stdout + result.stderr
    for word in ("the first", "the second", "works", "sleeps", "main"):
        assert word in control.stdout
        assert word in result.stdout
    # But for threads, addresses and the like it is the same text.
    anonymous = [
        re.sub(r"0x[0-9a-f]+|^\d+", "", text, flags=re.M) for text in (control.stdout, result.stdout)
    ]
    assert [line.split() for line in anonymous[0].splitlines()] == [
        line.split() for line in anonymous[1].splitlines()
    ]
