"""asyncio's streams on the loop."""

from __future__ import annotations

import asyncio
import sys

import pytest

pytestmark = pytest.mark.io


async def serving(handler, **options):
    server = await asyncio.start_server(handler, "127.0.0.1", 0, **options)
    return server, server.sockets[0].getsockname()


async def end(server):
    server.close()
    await server.wait_closed()
    for _ in range(10):
        await asyncio.sleep(0)


async def upper(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_lines_back_and_forth(loop):
    server, address = await serving(upper)
    reader, writer = await asyncio.open_connection(*address)
    for number in range(200):
        writer.write(b"line %d\n" % number)
        await writer.drain()
        assert await reader.readline() == b"LINE %d\n" % number
    writer.close()
    await writer.wait_closed()
    await end(server)


async def test_write_eof_ends_the_servers_reading(loop):
    async def collect(reader, writer):
        data = await reader.read()
        writer.write(b"%d" % len(data))
        writer.close()
        await writer.wait_closed()

    server, address = await serving(collect)
    reader, writer = await asyncio.open_connection(*address)
    assert writer.can_write_eof()
    writer.write(b"x" * 1_000_000)
    writer.write_eof()
    assert await reader.read() == b"1000000"
    assert reader.at_eof()
    writer.close()
    await writer.wait_closed()
    await end(server)


async def test_readexactly_readuntil_and_read(loop):
    async def send(reader, writer):
        writer.writelines([b"abcdef", b"until;", b"rest"])
        writer.close()
        await writer.wait_closed()

    server, address = await serving(send)
    reader, writer = await asyncio.open_connection(*address)
    assert await reader.readexactly(6) == b"abcdef"
    assert await reader.readuntil(b";") == b"until;"
    assert await reader.read(2) == b"re"
    assert await reader.read() == b"st"
    with pytest.raises(asyncio.IncompleteReadError):
        await reader.readexactly(1)
    writer.close()
    await writer.wait_closed()
    await end(server)


async def test_a_line_over_the_limit_is_an_error(loop):
    async def send(reader, writer):
        writer.write(b"x" * 5000 + b"\n")
        writer.close()
        await writer.wait_closed()

    server, address = await serving(send)
    reader, writer = await asyncio.open_connection(*address, limit=1000)
    with pytest.raises(ValueError):
        await reader.readline()
    writer.close()
    await writer.wait_closed()
    await end(server)


async def test_a_slow_reader_pauses_its_transport_and_loses_nothing(loop):
    async def send(reader, writer):
        for number in range(500):
            writer.write(b"%04d" % number * 1000)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server, address = await serving(send)
    reader, writer = await asyncio.open_connection(*address, limit=4096)
    received = []
    for _ in range(500):
        received.append((await reader.readexactly(4000))[:4])
        await asyncio.sleep(0)
    assert received == [b"%04d" % number for number in range(500)]
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    await end(server)


async def test_a_reset_is_raised_to_the_reader(loop):
    async def reset(reader, writer):
        import socket
        import struct

        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    server, address = await serving(reset)
    reader, writer = await asyncio.open_connection(*address)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    with pytest.raises(ConnectionResetError):
        await writer.wait_closed()
    await end(server)


async def test_a_handler_that_fails_is_reported(loop, reports):
    async def fail(reader, writer):
        writer.close()
        raise LookupError("as planned")

    server, address = await serving(fail)
    reader, writer = await asyncio.open_connection(*address)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    await end(server)
    if sys.version_info < (3, 12):
        import gc

        for _ in range(3):
            gc.collect()
    assert isinstance(reports.take()["exception"], LookupError)


async def test_a_cancelled_reader_can_read_again(loop):
    server, address = await serving(upper)
    reader, writer = await asyncio.open_connection(*address)
    task = loop.create_task(reader.readline())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    writer.write(b"again\n")
    assert await reader.readline() == b"AGAIN\n"
    writer.close()
    await writer.wait_closed()
    await end(server)
