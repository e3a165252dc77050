"""A program that turns warnings into errors gets none from csploop, but where it installs a policy."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

MAIN = """
import asyncio, sys

async def echo(reader, writer):
    writer.write(await reader.readexactly(2))
    writer.close()
    await writer.wait_closed()

async def main():
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hi")
    assert await reader.read() == b"hi"
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(1)", stdout=-1)
    assert (await child.communicate())[0].split() == [b"1"]
    await loop.run_in_executor(None, int)
    loop.call_soon_threadsafe(int)
    await asyncio.gather(*(asyncio.sleep(0) for _ in range(3)))
"""
POLICIES_WARN = pytest.mark.skipif(
    not (3, 14) <= sys.version_info < (3, 16), reason="only 3.14 and 3.15 have policies and warn of them"
)


def run(program):
    command = [sys.executable, "-W", "error", "-c", MAIN + textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


PROGRAMS = {
    "import": """
        import csploop
        assert "csploop.policy" not in sys.modules
        assert dir(csploop)
    """,
    "run": "import csploop; csploop.run(main())",
    "debug": "import csploop; csploop.run(main(), debug=True)",
    "runner": """
        import csploop
        with csploop.Runner() as runner:
            runner.run(main())
    """,
    "new_event_loop": """
        import csploop
        loop = csploop.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
    """,
    "asyncio.run": """
        import csploop
        asyncio.run(main(), loop_factory=csploop.new_event_loop)
    """,
    "lowlevel": "import csploop.lowlevel",
    "simulated": """
        from csploop._loop.simulated import SimulatedLoop
        loop = SimulatedLoop()
        loop.run_until_complete(asyncio.sleep(5))
        loop.close()
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_warns(name):
    if name == "asyncio.run" and sys.version_info < (3, 12):
        pytest.skip("asyncio.run takes a loop_factory since Python 3.12")
    ended = run(PROGRAMS[name])
    assert (ended.returncode, ended.stderr) == (0, "")


@POLICIES_WARN
@pytest.mark.parametrize("call", ["install", "uninstall"])
def test_the_calls_that_set_a_policy_warn_in_words_of_their_own(call):
    ended = run(f"import csploop; csploop.{call}()")
    assert ended.stderr.splitlines()[-1].startswith(
        f"DeprecationWarning: csploop.{call}() sets an event loop policy"
    )


@POLICIES_WARN
def test_looking_at_the_policy_does_not_warn():
    ended = run("import csploop; assert not csploop.is_installed(); csploop.EventLoopPolicy")
    assert (ended.returncode, ended.stderr) == (0, "")
