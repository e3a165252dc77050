"""Programs under `python -W error`, in development mode: csploop itself gives no warning on any Python."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from support.certificates import server_certificate

pytestmark = pytest.mark.timeout(150)

ENTRANCES = {
    "run": "csploop.run(main())",
    "run_debug": "csploop.run(main(), debug=True)",
    "runner": "with csploop.Runner() as runner:\n    runner.run(main())",
    "new_event_loop": """
        loop = csploop.new_event_loop()
        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    """,
    "asyncio_runner": """
        with asyncio.Runner(loop_factory=csploop.new_event_loop) as runner:
            runner.run(main())
    """,
    "asyncio_run": "asyncio.run(main(), loop_factory=csploop.new_event_loop)",
}
POLICIES_WARN = pytest.mark.skipif(
    not (3, 14) <= sys.version_info < (3, 16), reason="only 3.14 and 3.15 have policies and warn of them"
)
SINCE = {"asyncio_runner": (3, 11), "asyncio_run": (3, 12)}

PROGRAM = """
import asyncio, os, signal, socket, ssl, sys
import csploop, csploop.lowlevel, csploop.__main__

async def talk(loop, server, client):
    async def answer(reader, writer):
        writer.write(await reader.readexactly(5))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server) as listening:
        address = listening.sockets[0].getsockname()
        name = "localhost" if client else None
        reader, writer = await asyncio.open_connection(*address, ssl=client, server_hostname=name)
        writer.write(b"hello")
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()

async def secure(loop):
    pem, key = {certificate!r}
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, key)
    await talk(loop, server, ssl.create_default_context(cafile=pem))

async def datagrams(loop):
    class Echo(asyncio.DatagramProtocol):
        def datagram_received(self, data, address):
            came.set_result(data)
    came = loop.create_future()
    there, _ = await loop.create_datagram_endpoint(Echo, ("127.0.0.1", 0))
    here, _ = await loop.create_datagram_endpoint(Echo, remote_addr=there.get_extra_info("sockname"))
    here.sendto(b"datagram")
    assert await came == b"datagram"
    here.close()
    there.close()

async def children(loop):
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(input())", stdin=-1, stdout=-1)
    assert (await child.communicate(b"typed\\n"))[0] == b"typed\\n"

async def signals(loop):
    came = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, came.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await came.wait()
    assert loop.remove_signal_handler(signal.SIGUSR1)

async def sockets(loop):
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        readable = asyncio.Event()
        loop.add_reader(here, readable.set)
        there.send(b"x")
        await readable.wait()
        loop.remove_reader(here)
        assert await loop.sock_recv(here, 5) == b"x"

async def main():
    loop = asyncio.get_running_loop()
    assert isinstance(loop, csploop.Loop)
    await talk(loop, None, None)
    await secure(loop)
    await datagrams(loop)
    await children(loop)
    await signals(loop)
    await sockets(loop)
    assert await asyncio.to_thread(pow, 2, 5) == 32
    await loop.getaddrinfo("127.0.0.1", 80)
    for _ in range(5):
        await asyncio.sleep(0)

"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_a_program_that_does_a_bit_of_everything(entrance):
    if sys.version_info < SINCE.get(entrance, (3, 9)):
        pytest.skip(f"this entrance is new in Python {'.'.join(map(str, SINCE[entrance]))}")
    program = PROGRAM.format(certificate=server_certificate()) + textwrap.dedent(ENTRANCES[entrance])
    result = run("-c", program)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_module_as_a_program():
    result = run("-m", "csploop")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("csploop ")


IMPORTS = {
    "package": "import csploop, sys; assert dir(csploop); assert 'csploop.policy' not in sys.modules",
    "lowlevel": "import csploop.lowlevel",
    "simulated": """
        import asyncio
        from csploop._loop.simulated import SimulatedLoop
        loop = SimulatedLoop()
        loop.run_until_complete(asyncio.sleep(5))
        loop.close()
    """,
}


@pytest.mark.parametrize("name", IMPORTS)
def test_a_part_by_itself(name):
    result = run("-c", textwrap.dedent(IMPORTS[name]))
    assert (result.returncode, result.stderr) == (0, "")


@POLICIES_WARN
@pytest.mark.parametrize("call", ["install", "uninstall"])
def test_the_calls_that_set_a_policy_warn_in_words_of_their_own(call):
    last = run("-c", f"import csploop; csploop.{call}()").stderr.splitlines()[-1]
    assert last.startswith(f"DeprecationWarning: csploop.{call}() sets an event loop policy")


@POLICIES_WARN
def test_looking_at_the_policy_does_not_warn():
    result = run("-c", "import csploop; assert not csploop.is_installed(); csploop.EventLoopPolicy()")
    assert (result.returncode, result.stderr) == (0, "")
