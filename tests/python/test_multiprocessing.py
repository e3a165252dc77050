"""Processes of multiprocessing beside a loop, however they start: pools, children with loops of their own."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

pytestmark = [pytest.mark.io, pytest.mark.heavy, pytest.mark.timeout(200)]

# A file of its own: where a child does not fork, it imports its parent's main module.
PROGRAM = """
import asyncio, multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor
sys.path[:0] = {path!r}
from support.kinds import KINDS

def run(main):
    loop = KINDS[{kind!r}].new()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

async def talk():
    async def answer(reader, writer):
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\\n")
    assert await reader.read() == b"hello\\n"
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    for _ in range(5):
        await asyncio.sleep(0)

async def work(number):
    await talk()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "raise SystemExit(%d)" % number)
    assert await child.wait() == number
    await asyncio.to_thread(int)
    return number, os.getpid()

def job(number):
    return run(work(number))

def child(connection):
    connection.send(run(work(7)))
    connection.close()

async def beside_a_loop(context):
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        jobs = asyncio.gather(*(loop.run_in_executor(pool, job, number) for number in range(4)))
        while not jobs.done():
            await talk()  # the loop goes on meanwhile
        results = await jobs
    assert [number for number, _ in results] == list(range(4))
    assert os.getpid() not in [pid for _, pid in results]
    # And by hand, the pipe to the child watched by the loop.
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(there,))
    process.start()
    there.close()
    readable = asyncio.Event()
    loop.add_reader(here.fileno(), readable.set)
    await readable.wait()
    loop.remove_reader(here.fileno())
    assert here.recv() == (7, process.pid)
    here.close()
    exited = asyncio.Event()
    loop.add_reader(process.sentinel, exited.set)
    await exited.wait()
    loop.remove_reader(process.sentinel)
    process.join()
    assert process.exitcode == 0
    await talk()

if __name__ == "__main__":
    run(beside_a_loop(multiprocessing.get_context({method!r})))
    print("done")
"""


@pytest.mark.parametrize("method", ["default", *multiprocessing.get_all_start_methods()])
def test_pools_and_children_beside_a_loop(loop_kind, method, tmp_path):
    if method in ("spawn", "forkserver") and not hasattr(ProcessPoolExecutor, "_adjust_process_count"):
        pytest.skip("PyPy 3.9's ProcessPoolExecutor lacks a method that it calls unless children are forked")
    program = tmp_path / "program.py"
    how = None if method == "default" else method
    text = PROGRAM.format(path=sys.path, kind=loop_kind.name, method=how)
    program.write_text(text, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=180, check=False
    )
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(sys.version_info < (3, 14), reason="before Python 3.14 the default is fork")
def test_the_default_does_not_fork():
    # So that the test above says something about it.
    assert multiprocessing.get_context().get_start_method() == "forkserver"
