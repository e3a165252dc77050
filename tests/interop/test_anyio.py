"""anyio: its asyncio backend on a csploop loop, and its ways to start one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import csploop
import pytest
from anyio.abc import SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream

pytestmark = pytest.mark.timeout(60)
ON_CSPLOOP = {"backend": "asyncio", "backend_options": {"loop_factory": csploop.new_event_loop}}


async def echo(stream):
    async with stream:
        async for data in stream:
            await stream.send(data)


async def test_tasks_of_a_group_end_together(loop):
    ended = []

    async def wait(name):
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(name)

    with pytest.raises(BaseException) as caught:
        async with anyio.create_task_group() as group:
            group.start_soon(wait, "first")
            group.start_soon(wait, "second")
            await anyio.lowlevel.checkpoint()
            raise LookupError("as planned")
    assert type(caught.value).__name__ == "ExceptionGroup"
    assert sorted(ended) == ["first", "second"]


async def test_timeouts(loop):
    with anyio.move_on_after(0.01) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    with pytest.raises(TimeoutError):
        with anyio.fail_after(0.01):
            await anyio.sleep_forever()
    with anyio.move_on_after(0.01):
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.02)
            survived = True
        await anyio.sleep_forever()
    assert survived


@contextlib.asynccontextmanager
async def echoing(listener):
    """Serves until the body ends; by then its clients must have gone."""
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, echo)
        yield listener.extra(SocketAttribute.local_address)
        group.cancel_scope.cancel()


async def end(stream):
    """Ends a stream with an echo; returns when the other end has."""
    await stream.send_eof()
    with pytest.raises(anyio.EndOfStream):
        await stream.receive()
    await stream.aclose()


async def send_and_receive(stream, payload):
    async with anyio.create_task_group() as group:
        group.start_soon(stream.send, payload)
        assert await BufferedByteReceiveStream(stream).receive_exactly(len(payload)) == payload
    await end(stream)


async def test_a_tcp_server(loop):
    async with echoing(await anyio.create_tcp_listener(local_host="127.0.0.1")) as address:
        stream = await anyio.connect_tcp(*address)
        for number in range(100):
            await stream.send(b"%d" % number)
            assert await stream.receive() == b"%d" % number
        await end(stream)


async def test_many_clients_at_once(loop):
    async def talk(address):
        await send_and_receive(await anyio.connect_tcp(*address), bytes(range(256)) * 1024)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with echoing(listener) as address, anyio.create_task_group() as clients:
        for _ in range(50):
            clients.start_soon(talk, address)


async def test_a_unix_server(loop, tmp_path):
    async with echoing(await anyio.create_unix_listener(tmp_path / "s")) as address:
        await send_and_receive(await anyio.connect_unix(address), bytes(range(256)) * 4096)


async def test_descriptors_are_sent_over_a_unix_socket(loop, tmp_path):
    (tmp_path / "file").write_text("passed on")

    async def send_file(stream):
        async with stream:
            with open(tmp_path / "file") as file:
                await stream.send_fds(b"here", [file])

    async with (
        await anyio.create_unix_listener(tmp_path / "s") as listener,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, send_file)
        async with await anyio.connect_unix(tmp_path / "s") as stream:
            data, fds = await stream.receive_fds(10, 1)
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
        with open(fds[0]) as file:
            assert (data, file.read()) == (b"here", "passed on")
        group.cancel_scope.cancel()


async def test_a_receive_that_is_cancelled_loses_nothing(loop):
    async with echoing(await anyio.create_tcp_listener(local_host="127.0.0.1")) as address:
        stream = await anyio.connect_tcp(*address)
        for number in range(20):
            with anyio.move_on_after(0.001):
                await stream.receive()
                pytest.fail("nothing was sent")
            await stream.send(b"%d" % number)
            assert await stream.receive() == b"%d" % number
        await end(stream)


async def test_threads_both_ways(loop):
    def work(number):
        assert threading.get_ident() != owner
        return anyio.from_thread.run(answer, number)

    async def answer(number):
        assert asyncio.get_running_loop() is loop
        await anyio.sleep(0)
        return number * 2

    owner, results = threading.get_ident(), {}

    async def ask(number):
        results[number] = await anyio.to_thread.run_sync(work, number)

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(ask, number)
    assert results == {number: number * 2 for number in range(50)}


async def test_memory_streams(loop):
    received = []

    async def take(stream):
        async with stream:
            async for item in stream:
                received.append(item)

    sender, receiver = anyio.create_memory_object_stream(3)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(take, receiver.clone())
        receiver.close()
        async with sender:
            for number in range(100):
                await sender.send(number)
    assert sorted(received) == list(range(100))


async def test_waiting_for_a_socket(loop):
    first, second = socket.socketpair()
    with first, second:
        first.setblocking(False)
        await anyio.wait_writable(first)
        with anyio.move_on_after(0.01) as scope:
            await anyio.wait_readable(first)
        assert scope.cancelled_caught
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.wait_readable, first)
            await anyio.lowlevel.checkpoint()
            second.send(b"x")
        assert first.recv(10) == b"x"


async def test_files(loop, tmp_path):
    path = anyio.Path(tmp_path / "file")
    assert await path.write_text("one\ntwo\n") == 8
    async with await anyio.open_file(path) as file:
        assert [line async for line in file] == ["one\n", "two\n"]


async def test_datagrams(loop):
    async with await anyio.create_udp_socket(local_host="127.0.0.1") as server:
        address = server.extra(SocketAttribute.local_address)
        async with await anyio.create_connected_udp_socket(*address) as client:
            for number in range(100):
                await client.send(b"%d" % number)
                data, sender = await server.receive()
                await server.sendto(data * 2, *sender)
                assert await client.receive() == b"%d" % number * 2


async def test_a_process(loop):
    copy = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.exit(3)"
    payload = bytes(range(256)) * 4096
    done = await anyio.run_process([sys.executable, "-c", copy], input=payload, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, payload, b"")


async def test_a_process_that_is_terminated(loop):
    wait = "import os; os.write(1, b'up'); os.read(0, 1)"
    async with await anyio.open_process([sys.executable, "-c", wait]) as process:
        assert await process.stdout.receive() == b"up"
        with anyio.move_on_after(0.01) as scope:
            await process.wait()
        assert scope.cancelled_caught
        process.terminate()
        assert await process.wait() == -signal.SIGTERM


async def test_signals(loop):
    received = []
    with anyio.open_signal_receiver(signal.SIGUSR1, signal.SIGUSR2) as signals:
        for number in (signal.SIGUSR2, signal.SIGUSR1):
            os.kill(os.getpid(), number)
            async for got in signals:
                received.append(got)
                break
    assert received == [signal.SIGUSR2, signal.SIGUSR1]


async def test_names(loop):
    found = await anyio.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
    assert {address for *_, address in found} == {("127.0.0.1", 80)}


def test_run_with_a_loop_factory():
    async def main():
        await anyio.sleep(0)
        return type(asyncio.get_running_loop())

    assert anyio.run(main, **ON_CSPLOOP) is csploop.Loop


def test_a_portal_for_a_synchronous_program():
    async def on_loop(number):
        await anyio.sleep(0)
        return number, type(asyncio.get_running_loop()), threading.get_ident()

    with anyio.from_thread.start_blocking_portal(**ON_CSPLOOP) as portal:
        futures = [portal.start_task_soon(on_loop, number) for number in range(100)]
        answers = [future.result(20) for future in futures]
        assert portal.call(on_loop, -1)[0] == -1
    assert [number for number, _, _ in answers] == list(range(100))
    assert {kind for _, kind, _ in answers} == {csploop.Loop}
    assert threading.get_ident() not in {thread for *_, thread in answers}
