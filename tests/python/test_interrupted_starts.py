"""What is being made when its task is cancelled, or when its run ends, is ended with it: nothing is left."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys

import pytest
from support.certificates import client_context

PIPE = subprocess.PIPE
TURNS = range(9)

CHILD = [sys.executable, "-c", "import sys; sys.stdin.read()"]
# The shell has a child of its own, which keeps the pipes when the shell is killed and ends with its input.
SHELL = "cat; true"


async def start_exec():
    return await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE, stderr=PIPE)


async def start_shell():
    return await asyncio.create_subprocess_shell(SHELL, stdin=PIPE, stdout=PIPE, stderr=PIPE)


async def start_without_pipes():
    return await asyncio.create_subprocess_exec("sleep", "100")


STARTS = {"exec": start_exec, "shell": start_shell, "no pipes": start_without_pipes}


@pytest.fixture
def children(monkeypatch):
    """What was started in the test."""
    started = []

    class Popen(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            started.append(self)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    return started


def all_ended(children):
    return all(child.returncode is not None for child in children)


async def live(start):
    """The child's whole life in one task, which ends it when it is cancelled."""
    process = await STARTS[start]()
    try:
        await asyncio.Event().wait()
    finally:
        process.kill()
        await process.wait()
        process._transport.close()


@pytest.mark.ours("before 3.15 asyncio waits for pipes that it has not connected")
@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("start", STARTS)
def test_a_run_that_ends_while_a_child_starts_leaves_nothing(loop_kind, children, start, turns):
    import csploop

    async def main():
        asyncio.ensure_future(live(start))
        for _ in range(turns):
            await asyncio.sleep(0)

    csploop.run(main(), loop_factory=loop_kind.new)
    assert all_ended(children)


@pytest.mark.ours("asyncio waits for the pipes that the shell's own child keeps, and for those not connected")
@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("start", STARTS)
async def test_a_start_that_is_cancelled_leaves_nothing(loop, children, start, turns):
    task = asyncio.ensure_future(live(start))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all_ended(children)


@pytest.mark.ours("asyncio gives up waiting when it is cancelled again")
@pytest.mark.parametrize("turns", range(1, 5))
async def test_cancelling_again_does_not_leave_the_child(loop, children, turns):
    task = asyncio.ensure_future(start_exec())
    for _ in range(turns):
        await asyncio.sleep(0)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all_ended(children)


@pytest.mark.ours("asyncio 3.11 to 3.13 waits for the pipes, too")
async def test_wait_is_for_the_child_and_not_for_its_children(loop):
    inner, outer = os.pipe()
    try:
        process = await asyncio.create_subprocess_shell(
            "exec 3<&0; cat <&3 & exit 4", stdin=inner, stdout=PIPE
        )
        assert await process.wait() == 4
        os.write(outer, b"still here")
    finally:
        os.close(inner)
        os.close(outer)
    assert await process.stdout.read() == b"still here"


@pytest.mark.ours("asyncio lets the pipes of a coroutine that is thrown away be collected")
def test_a_start_that_is_thrown_away_ends_the_child(loop, children):
    async def main():
        coroutine = loop.subprocess_exec(asyncio.SubprocessProtocol, *CHILD)
        coroutine.send(None)
        coroutine.close()
        (popen,) = children
        assert all(file.closed or file.fileno() in loop._streams for file in (popen.stdout, popen.stderr))
        while popen.returncode is None:
            await asyncio.sleep(0)

    loop.run_until_complete(main())


async def open_read_pipe(address):
    inner, outer = os.pipe()
    os.close(outer)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(asyncio.Protocol, os.fdopen(inner, "rb", 0))
    transport.close()


async def open_write_pipe(address):
    inner, outer = os.pipe()
    os.close(inner)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(outer, "wb", 0))
    transport.close()


async def open_connection(address):
    _, writer = await asyncio.open_connection(*address)
    writer.close()


async def open_tls(address):
    await asyncio.open_connection(*address, ssl=client_context(), server_hostname="localhost")


async def start_tls(address):
    _, writer = await asyncio.open_connection(*address)
    try:
        loop = asyncio.get_running_loop()
        await loop.start_tls(writer.transport, asyncio.Protocol(), client_context())
    finally:
        writer.close()


async def open_datagrams(address):
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address)
    transport.close()


async def look_up(address):
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)


async def receive(address):
    inner, outer = socket.socketpair()
    with inner, outer:
        inner.setblocking(False)
        await asyncio.get_running_loop().sock_recv(inner, 10)


OPENINGS = {
    opening.__name__: opening
    for opening in (
        open_read_pipe,
        open_write_pipe,
        open_connection,
        open_tls,
        start_tls,
        open_datagrams,
        look_up,
        receive,
    )
}


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("cancelled", [False, True], ids=["run ends", "cancelled"])
def test_an_interrupted_opening_leaves_nothing(loop_kind, opening, cancelled):
    import csploop

    async def main(turns):
        task = asyncio.ensure_future(OPENINGS[opening](address))
        for _ in range(turns):
            await asyncio.sleep(0)
        if cancelled and task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task

    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        address = listener.getsockname()
        for turns in TURNS:
            csploop.run(main(turns), loop_factory=loop_kind.new)
