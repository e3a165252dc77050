"""csploop beside sub-interpreters: isolated ones refuse it, those that share everything run its loops."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys

import pytest

MAKERS = ("_interpreters", "_xxsubinterpreters")  # as of 3.13, and before
MAKER = next((name for name in MAKERS if importlib.util.find_spec(name)), None)

pytestmark = [
    pytest.mark.skipif(MAKER is None, reason="this Python has no sub-interpreters"),
    pytest.mark.timeout(150),
]

# Runs code in a new interpreter and tells the message of its exception.
IN_ANOTHER = f"""
import asyncio, sys
import {MAKER} as interpreters

def in_another(code, isolated):
    if sys.version_info < (3, 13):
        interpreter = interpreters.create(isolated=isolated)
    else:
        interpreter = interpreters.create("isolated" if isolated else "legacy")
    try:
        if sys.version_info < (3, 13):
            try:
                interpreters.run_string(interpreter, code)
            except interpreters.RunFailedError as error:
                return str(error)
        else:
            failure = interpreters.exec(interpreter, code)
            if failure is not None:
                return failure.msg
    finally:
        interpreters.destroy(interpreter)

SERVE = '''
import asyncio, csploop, sys

async def main():
    async def answer(reader, writer):
        writer.write(await reader.readexactly(5))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello")
    data = await reader.read()
    writer.close()
    server.close()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "raise SystemExit(3)")
    return data, await child.wait(), await asyncio.to_thread(pow, 2, 5)

assert csploop.run(main()) == (b"hello", 3, 32)
'''
"""


def run(program: str) -> str:
    """In a process of its own: an interpreter that goes wrong takes all others with it."""
    result = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER + program], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before Python 3.12 no interpreter is so isolated")
@pytest.mark.parametrize("imported", [False, True], ids=["first", "after_the_main_one"])
def test_an_isolated_interpreter_says_that_csploop_is_not_for_it(imported):
    first = "import csploop\n" if imported else ""
    told = run(first + "print(in_another('import csploop', isolated=True))")
    assert "csploop cannot be imported in an isolated sub-interpreter" in told
    assert "run its loops in threads or processes" in told


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before Python 3.12 no interpreter is so isolated")
def test_the_main_interpreter_is_none_the_worse_for_the_refusal():
    run("assert in_another('import csploop', isolated=True)\nexec(SERVE)")


def test_an_interpreter_that_shares_everything_runs_a_loop():
    # Such as a host makes that embeds Python, before the main one or after it.
    run("for _ in range(2): assert in_another(SERVE, isolated=False) is None\nexec(SERVE)")
    run("exec(SERVE)\nassert in_another(SERVE, isolated=False) is None")


@pytest.mark.skipif(sys.version_info < (3, 14), reason="InterpreterPoolExecutor is new in Python 3.14")
async def test_jobs_of_a_loop_run_in_interpreters(loop):
    from concurrent.futures import InterpreterPoolExecutor

    with InterpreterPoolExecutor(2) as pool:
        jobs = [loop.run_in_executor(pool, divmod, 17, number) for number in (5, 3)]
        assert await asyncio.gather(*jobs) == [(3, 2), (5, 2)]
