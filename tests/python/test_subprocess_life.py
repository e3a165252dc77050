"""A child's life as its transport sees it: order of events, closing, many children, neighbours, threads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading

import pytest

pytestmark = pytest.mark.io

PIPE = subprocess.PIPE
DEVNULL = subprocess.DEVNULL


class Watching(asyncio.SubprocessProtocol):
    def __init__(self):
        self.events = []
        self.data = {1: b"", 2: b""}
        self.exited = asyncio.get_running_loop().create_future()
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.events.append("made")

    def pipe_data_received(self, fd, data):
        self.data[fd] += data
        self.events.append(("data", fd))

    def pipe_connection_lost(self, fd, exc):
        self.events.append(("pipe lost", fd))

    def process_exited(self):
        self.events.append("exited")
        self.exited.set_result(self.transport.get_returncode())

    def connection_lost(self, exc):
        self.events.append("lost")
        self.lost.set_result(exc)


def let_exit(pid):
    """Waits for the exit and leaves the status to whoever is to report it, unless that has happened."""
    if hasattr(os, "waitid"):
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def watch(loop, *args, **options):
    for name in ("stdin", "stdout", "stderr"):
        options.setdefault(name, None)
    return await loop.subprocess_exec(Watching, *args, **options)


async def test_events_come_in_order(loop):
    transport, protocol = await watch(loop, "sh", "-c", "echo out; echo err >&2", stdout=PIPE, stderr=PIPE)
    assert await protocol.lost is None
    events = protocol.events
    assert events[0] == "made"
    assert events[-1] == "lost"
    assert events.count("exited") == 1
    for fd in (1, 2):
        assert events.index(("data", fd)) < events.index(("pipe lost", fd)) < events.index("lost")
    assert protocol.data == {1: b"out\n", 2: b"err\n"}
    assert transport.get_returncode() == 0
    transport.close()


async def test_a_child_without_pipes(loop):
    transport, protocol = await watch(loop, "true")
    assert await protocol.lost is None
    assert protocol.events == ["made", "exited", "lost"]
    transport.close()


async def test_the_transport_tells_about_its_child(loop):
    transport, protocol = await watch(loop, "cat", stdin=PIPE, stdout=PIPE)
    popen = transport.get_extra_info("subprocess")
    assert isinstance(popen, subprocess.Popen)
    assert transport.get_pid() == popen.pid
    assert transport.get_returncode() is None
    assert transport.get_protocol() is protocol
    assert not transport.is_closing()
    assert isinstance(transport, asyncio.SubprocessTransport)
    assert isinstance(transport.get_pipe_transport(0), asyncio.WriteTransport)
    assert isinstance(transport.get_pipe_transport(1), asyncio.ReadTransport)
    assert transport.get_pipe_transport(2) is None
    assert f"pid={popen.pid}" in repr(transport)
    assert "running" in repr(transport)
    transport.get_pipe_transport(0).write(b"x")
    transport.get_pipe_transport(0).close()
    await protocol.lost
    assert "returncode=0" in repr(transport)
    assert protocol.data[1] == b"x"
    transport.close()


async def test_close_kills_a_running_child(loop):
    transport, protocol = await watch(loop, "sleep", "100", stdin=PIPE, stdout=PIPE)
    transport.close()
    transport.close()
    assert transport.is_closing()
    await protocol.lost
    assert transport.get_returncode() == -signal.SIGKILL


async def test_close_after_the_exit_that_was_not_noticed_yet(loop):
    transport, protocol = await watch(loop, "true")
    let_exit(transport.get_pid())
    transport.close()
    await protocol.lost


async def test_children_that_outlive_their_parent_keep_the_pipe(loop):
    """The child exits; the pipe ends when the grandchild, which has it too, does."""
    inner, outer = os.pipe()
    try:
        transport, protocol = await watch(
            loop, "sh", "-c", "exec 3<&0; cat <&3 & exit 4", stdin=inner, stdout=PIPE
        )
        assert await protocol.exited == 4
        assert "lost" not in protocol.events
        os.write(outer, b"still here")
    finally:
        os.close(inner)
        os.close(outer)
    await protocol.lost
    assert protocol.data[1] == b"still here"
    transport.close()


async def test_a_cancelled_start_leaves_nothing(loop):
    for turns in range(4):
        task = asyncio.ensure_future(watch(loop, "sleep", "100", stdin=PIPE, stdout=PIPE))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_writes_of_the_same_turn_go_out_before_the_child_starts(loop):
    inner, outer = os.pipe()
    transport, protocol = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(outer, "wb", 0))
    os.set_blocking(inner, False)
    transport.write(b"before")

    def look():
        # In the child, between fork and exec, while the parent waits.
        if os.read(inner, 100) != b"before":
            raise ValueError

    process = await asyncio.create_subprocess_exec("true", preexec_fn=look)
    assert await process.wait() == 0
    transport.close()
    for _ in range(3):
        await asyncio.sleep(0)
    os.close(inner)


async def test_a_popen_beside_the_loop_keeps_its_children(loop):
    with subprocess.Popen(["sh", "-c", "exit 11"]) as neighbour:
        process = await asyncio.create_subprocess_exec("sh", "-c", "exit 12")
        assert await process.wait() == 12
        assert neighbour.wait() == 11


async def test_no_signal_handler_is_installed(loop):
    before = signal.getsignal(signal.SIGCHLD)
    process = await asyncio.create_subprocess_exec("true")
    assert signal.getsignal(signal.SIGCHLD) is before
    assert await process.wait() == 0
    assert signal.getsignal(signal.SIGCHLD) is before


@pytest.mark.ours("about what csploop relies on in the standard library")
async def test_a_popen_waits_for_its_child_under_the_lock_that_the_loop_takes(loop):
    transport, protocol = await watch(loop, "cat", stdin=subprocess.PIPE)
    popen = transport.get_extra_info("subprocess")
    waiting = loop.run_in_executor(None, popen.wait)
    while not popen._waitpid_lock.locked():
        await asyncio.sleep(0)
    transport.get_pipe_transport(0).close()
    assert await asyncio.gather(waiting, protocol.exited) == [0, 0]
    await protocol.lost
    transport.close()


@pytest.mark.ours("asyncio and uvloop take the status where the Popen cannot see it")
@pytest.mark.parametrize(
    "limit", [None, 50], ids=["wait", "wait_with_a_limit"]
)  # which is another way, by 3.15
async def test_whoever_asks_the_popen_first_the_status_is_not_lost(loop, limit):
    for _ in range(20):
        transport, protocol = await watch(loop, "sh", "-c", "exit 21")
        popen = transport.get_extra_info("subprocess")
        codes = await asyncio.gather(loop.run_in_executor(None, popen.wait, limit), protocol.exited)
        assert codes == [21, 21]
        await protocol.lost
        transport.close()


@pytest.mark.heavy
@pytest.mark.timeout(100)
async def test_a_thousand_short_children(loop):
    many = asyncio.Semaphore(20)

    async def child(number):
        async with many:
            process = await asyncio.create_subprocess_exec(
                "sh", "-c", f"echo {number}; exit {number % 100}", stdout=PIPE
            )
            out, _ = await process.communicate()
            assert int(out) == number
            assert process.returncode == number % 100

    # PyPy forks its whole heap for each, which takes a hundred times as long.
    count = 1000 if sys.implementation.name == "cpython" else 200
    await asyncio.gather(*(child(number) for number in range(count)))


def test_children_of_a_loop_in_another_thread(loop_kind):
    results = []

    async def main():
        process = await asyncio.create_subprocess_shell("cat; exit 6", stdin=PIPE, stdout=PIPE)
        out, _ = await process.communicate(b"in a thread")
        return out, process.returncode

    def work():
        loop = loop_kind.new()
        try:
            results.append(loop.run_until_complete(main()))
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(b"in a thread", 6)] * 3


@pytest.mark.ours("uvloop and older asyncio fail when such a transport is collected")
def test_a_loop_may_be_closed_before_its_child_ends(loop):
    transport, protocol = loop.run_until_complete(watch(loop, "sleep", "100", stdin=PIPE, stdout=PIPE))
    popen = transport.get_extra_info("subprocess")
    pipes = [transport.get_pipe_transport(fd) for fd in (0, 1)]
    loop.close()
    transport.close()
    for pipe in pipes:
        pipe.close()
    assert popen.wait() == -signal.SIGKILL


@pytest.mark.ours("breaks into the loop")
async def test_a_pipe_that_cannot_be_connected_ends_the_child(loop, monkeypatch):
    def fail(*args):
        raise MemoryError

    monkeypatch.setattr(loop, "_make_read_pipe_transport", fail)
    with pytest.raises(MemoryError):
        await asyncio.create_subprocess_exec("sleep", "100", stdin=PIPE, stdout=PIPE)


@pytest.mark.ours("asyncio has child watchers for this")
async def test_a_thread_waits_where_there_is_no_pidfd(loop, monkeypatch):
    import csploop._transports.process as process_module

    def refuse(pid):
        raise OSError("no pidfd")

    for replacement in (None, refuse):
        monkeypatch.setattr(process_module, "pidfd_open", replacement)
        process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        assert any(thread.name == f"csploop-wait-{process.pid}" for thread in threading.enumerate())
        assert await process.communicate(b"x") == (b"x", None)
        assert process.returncode == 0
        process = await asyncio.create_subprocess_exec("sleep", "100")
        process.terminate()
        assert await process.wait() == -signal.SIGTERM


@pytest.mark.ours("asyncio has child watchers for this")
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="a waiting thread cannot tell who took the status")
async def test_a_status_that_a_stranger_took_is_reported_as_unknown(loop, caplog):
    inner, outer = os.pipe()
    transport, protocol = await watch(loop, "cat", stdin=inner)
    os.close(inner)
    os.close(outer)
    os.waitpid(transport.get_pid(), 0)
    assert await protocol.exited == 255
    assert "exit status already read" in caplog.text
    await protocol.lost
    transport.close()
