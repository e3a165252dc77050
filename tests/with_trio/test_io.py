"""The loop inside Trio is the ordinary one: its sleep, signals, threads, descriptors, processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time

import csploop.trio
import pytest
import sniffio
import trio
import trio.testing
from csploop.trio import TrioExecutor, aio_as_trio, current_loop, open_loop, trio_as_aio


async def settled():
    """The present loop, when it has nothing to do any more; how often it has been turned by then."""
    loop = current_loop.get()
    await loop.synchronize()
    await trio.testing.wait_all_tasks_blocked(0.01)
    return loop, loop._driving.turns


async def test_an_idle_loop_is_not_turned():
    loop, before = await settled()
    timer = loop.call_later(3600, int)
    await trio.testing.wait_all_tasks_blocked(0.01)
    armed = loop._driving.turns
    assert armed <= before + 1
    for _ in range(50):
        await trio.lowlevel.checkpoint()
    await trio.testing.wait_all_tasks_blocked(0.05)
    assert loop._driving.turns == armed
    timer.cancel()


async def test_each_event_costs_few_turns():
    loop, before = await settled()
    await aio_as_trio(asyncio.sleep)(0.01)
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert loop._driving.turns - before <= 6
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    loop, before = await settled()
    task = loop.create_task(loop.sock_recv(ours, 10))
    await trio.testing.wait_all_tasks_blocked(0.01)
    theirs.send(b"x")
    assert await csploop.trio.run_aio_future(task) == b"x"
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert loop._driving.turns - before <= 8
    ours.close()
    theirs.close()


async def test_no_thread_helps():
    before = threading.active_count()
    await aio_as_trio(asyncio.sleep)(0.01)
    assert threading.active_count() == before


async def test_busy_asyncio_code_leaves_trio_its_turns():
    loop = current_loop.get()
    rounds = 0
    busy = True

    def again():
        nonlocal rounds
        rounds += 1
        if busy:
            loop.call_soon(again)

    again()
    for _ in range(20):
        await trio.lowlevel.checkpoint()
    busy = False
    assert rounds > 20
    ours, theirs = socket.socketpair()
    busy = True
    again()
    seen = asyncio.Event()
    loop.add_reader(ours, seen.set)
    theirs.send(b"x")
    await aio_as_trio(seen.wait)()  # and so it does I/O and timers
    await aio_as_trio(asyncio.sleep)(0.001)
    busy = False
    loop.remove_reader(ours)
    ours.close()
    theirs.close()


async def test_timers_are_never_early():
    loop = current_loop.get()
    for delay in (0.0005, 0.003, 0.02):
        due = loop.time() + delay
        future = loop.create_future()
        loop.call_at(due, future.set_result, None)
        await csploop.trio.run_aio_future(future)
        assert loop.time() >= due


async def test_an_earlier_timer_replaces_the_alarm():
    loop = current_loop.get()
    late = loop.call_later(3600, int)
    await trio.testing.wait_all_tasks_blocked(0.01)
    event = trio.Event()
    loop.call_later(0.01, event.set)
    await event.wait()
    late.cancel()


async def test_sniffio_is_right_in_callbacks():
    loop = current_loop.get()
    seen = {}

    def note(name):
        seen[name] = sniffio.current_async_library()

    loop.call_soon(note, "soon")
    loop.call_later(0.001, note, "timer")
    loop.call_soon_threadsafe(note, "thread")
    future = csploop.trio.run_trio(trio.sleep, 0)
    future.add_done_callback(lambda _: note("done"))
    ours, theirs = socket.socketpair()

    def readable():
        note("reader")
        loop.remove_reader(ours)

    loop.add_reader(ours, readable)
    theirs.send(b"x")
    while len(seen) < 5:
        assert sniffio.current_async_library() == "trio"
        await trio.sleep(0.001)
    assert set(seen.values()) == {"asyncio"}
    ours.close()
    theirs.close()


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals")
async def test_signal_handlers():
    loop = current_loop.get()
    event = trio.Event()
    seen = []

    def handler(argument):
        seen.append((argument, sniffio.current_async_library()))
        event.set()

    loop.add_signal_handler(signal.SIGUSR1, handler, 1)
    await trio.testing.wait_all_tasks_blocked(0.01)
    os.kill(os.getpid(), signal.SIGUSR1)
    await event.wait()
    assert seen == [(1, "asyncio")]
    assert loop.remove_signal_handler(signal.SIGUSR1)


CTRL_C = """
    import asyncio, sys, trio
    import csploop.trio

    async def aio_busy():
        print("ready", flush=True)
        while True:
            await asyncio.sleep({seconds})

    async def main():
        try:
            await csploop.trio.aio_as_trio(aio_busy)()
        finally:
            print("cleaned up", flush=True)

    try:
        csploop.trio.run(main)
    except BaseException as error:
        while isinstance(error, getattr(__builtins__, "BaseExceptionGroup", ())) or hasattr(error,
        "exceptions"):
            error = error.exceptions[0]
        print(type(error).__name__, flush=True)
"""


@pytest.mark.parametrize("seconds", [0, 3600], ids=["busy", "asleep"])
def test_ctrl_c_ends_the_run(seconds):
    program = textwrap.dedent(CTRL_C.format(seconds=seconds))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=50)
        finally:
            process.kill()
    assert output.split("\n")[:2] == ["cleaned up", "KeyboardInterrupt"]


async def test_executors():
    loop = current_loop.get()
    where = await csploop.trio.run_aio_future(loop.run_in_executor(None, threading.get_ident))
    assert where != threading.get_ident()
    executor = TrioExecutor(max_workers=1)
    running, most = 0, 0

    def job():
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.001)
        running -= 1

    async def jobs():
        await asyncio.gather(*(loop.run_in_executor(executor, job) for _ in range(5)))
        assert await asyncio.to_thread(lambda: 5) == 5

    await aio_as_trio(jobs)()
    assert most == 1
    assert TrioExecutor(trio.CapacityLimiter(3), "unused")._limiter.total_tokens == 3
    loop.set_default_executor(executor)
    with pytest.warns(RuntimeWarning, match="not used"):
        loop.set_default_executor(object())
    with pytest.raises(TypeError, match="TrioExecutor"):
        loop.run_in_executor(object(), int)
    with pytest.raises(ValueError, match="no number"):
        await csploop.trio.run_aio_future(loop.run_in_executor(None, int, "no number"))
    executor.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        await csploop.trio.run_aio_future(loop.run_in_executor(executor, int))
    await aio_as_trio(loop.shutdown_default_executor)()


def test_autoclose():
    async def main():
        pairs = [socket.socketpair() for _ in range(3)]
        watched, unmarked, unwatched = (ours.detach() for ours, _ in pairs)
        async with open_loop() as loop:
            for fd in (watched, unmarked):
                loop.add_reader(fd, int)
            for fd in (watched, unmarked, unwatched):
                loop.autoclose(fd)
            loop.autoclose(watched)
            loop.no_autoclose(unmarked)
            with pytest.raises(KeyError):
                loop.no_autoclose(unmarked)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(watched)
        os.close(unmarked)
        os.close(unwatched)
        for _, theirs in pairs:
            theirs.close()

    trio.run(main)


async def test_processes():
    async def child():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print(input())", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        output, _ = await process.communicate(b"hello\n")
        return output, await process.wait()

    assert await aio_as_trio(child)() == (b"hello\n", 0)


async def test_streams_between_the_worlds():
    """A server of asyncio's and a client of Trio's, one thread, one loop."""

    async def serve(reader, writer):
        while data := await reader.readline():
            writer.write(data.upper())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await aio_as_trio(asyncio.start_server)(serve, "127.0.0.1", 0)
    stream = await trio.open_tcp_stream(*server.sockets[0].getsockname())
    async with stream:
        for _ in range(20):
            await stream.send_all(b"hello\n")
            assert await stream.receive_some() == b"HELLO\n"
    server.close()
    await aio_as_trio(server.wait_closed)()


async def test_writes_of_trio_code_go_out():
    loop = current_loop.get()
    ours, theirs = socket.socketpair()
    transport, _ = await aio_as_trio(loop.create_connection)(asyncio.Protocol, sock=ours)
    transport.write(b"from Trio's side")
    peer = trio.socket.from_stdlib_socket(theirs)
    assert await peer.recv(100) == b"from Trio's side"
    transport.close()
    assert await peer.recv(1) == b""
    peer.close()
    await trio.testing.wait_all_tasks_blocked(0.01)


async def test_the_modules_that_need_the_current_task_work():
    async def with_timeout():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(3600), 0.001)
        return ssl.OPENSSL_VERSION is not None

    assert await aio_as_trio(with_timeout)()


async def test_debug_mode():
    loop = current_loop.get()
    loop.set_debug(True)
    assert await aio_as_trio(asyncio.sleep)(0.001, 1) == 1

    async def back():
        await trio_as_aio(trio.sleep)(0)

    await aio_as_trio(back)()
    loop.set_debug(False)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Trio's idle workers, in 3.12
def test_a_fork_in_the_block_leaves_the_parent_alone():
    async def main():
        async with open_loop():
            pid = os.fork()
            if not pid:
                os._exit(7)
            _, status = os.waitpid(pid, 0)
            assert os.WEXITSTATUS(status) == 7
            await aio_as_trio(asyncio.sleep)(0.001)

    trio.run(main)
