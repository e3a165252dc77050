"""An anyio program on either side of the border: it finds its backend by the flavour of who calls."""

from __future__ import annotations

import sys

import anyio
import csploop
import csploop.trio
import pytest
import sniffio
from anyio.streams.memory import MemoryObjectReceiveStream
from csploop.trio import aio_as_trio, run_guest, trio_as_aio


async def program():
    """Task groups, cancellation, streams, threads, files, sockets; returns the backend's name."""
    send, receive = anyio.create_memory_object_stream[int](1)
    total = 0

    async def producer():
        async with send:
            for number in range(5):
                await send.send(number)

    async def consumer(stream: MemoryObjectReceiveStream[int]):
        nonlocal total
        async with stream:
            async for number in stream:
                total += number

    async with anyio.create_task_group() as group:
        group.start_soon(producer)
        group.start_soon(consumer, receive)
    assert total == 10
    with anyio.move_on_after(0.002) as scope:
        await anyio.sleep(3600)
    assert scope.cancelled_caught
    assert await anyio.to_thread.run_sync(lambda: 5) == 5

    async def serve(client):
        async with client:
            await client.send((await client.receive()).upper())

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    address = listener.extra(anyio.abc.SocketAttribute.local_address)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        async with await anyio.connect_tcp(*address) as client:
            await client.send(b"hello")
            assert await client.receive() == b"HELLO"
        group.cancel_scope.cancel()
    result = await anyio.run_process([sys.executable, "-c", "print('child')"])
    assert result.stdout == b"child\n"
    return sniffio.current_async_library()


async def test_on_trios_side():
    assert await program() == "trio"


async def test_on_asyncios_side():
    assert await aio_as_trio(program)() == "asyncio"


async def test_across_twice():
    async def in_asyncio():
        return await program(), await trio_as_aio(program)()

    assert await aio_as_trio(in_asyncio)() == ("asyncio", "trio")


@pytest.mark.parametrize("times", [1, 2])
def test_in_a_guest_run(times):
    async def main():
        for _ in range(times):
            assert await program() == "asyncio"
            assert await run_guest(program) == "trio"

    csploop.run(main())
