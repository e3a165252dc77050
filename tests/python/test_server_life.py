"""Server.close, wait_closed, serve_forever and friends."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest
from support.peers import Peer
from support.protocols import Echo, Recorder

pytestmark = pytest.mark.io


async def started(loop, factory=Echo, **options):
    server = await loop.create_server(factory, "127.0.0.1", 0, **options)
    return server, server.sockets[0].getsockname()


async def test_close_refuses_new_clients(loop):
    server, address = await started(loop)
    server.close()
    server.close()
    await server.wait_closed()
    assert not server.is_serving()
    with socket.socket() as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(address)


async def test_close_leaves_connections_alone(loop):
    server, address = await started(loop)
    with Peer(socket.create_connection(address)) as peer:
        await peer.send(b"before")
        assert await peer.recv(6) == b"before"
        server.close()
        await asyncio.sleep(0)
        await peer.send(b"after")
        assert await peer.recv(5) == b"after"
    await server.wait_closed()
    for _ in range(5):
        await asyncio.sleep(0)


async def test_sockets_of_a_closed_server_are_gone(loop):
    server, _ = await started(loop)
    listed = server.sockets
    assert len(listed) == 1
    server.close()
    assert not server.sockets
    await server.wait_closed()


async def test_a_server_is_a_context_manager(loop):
    async with (await started(loop))[0] as server:
        assert server.is_serving()
    assert not server.is_serving()


async def test_serve_forever_serves_until_it_is_cancelled(loop):
    server, address = await started(loop, start_serving=False)
    task = loop.create_task(server.serve_forever())
    await asyncio.sleep(0)
    assert server.is_serving()
    with Peer(socket.create_connection(address)) as peer:
        await peer.send(b"hello")
        assert await peer.recv(5) == b"hello"
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not server.is_serving()


async def test_serve_forever_of_a_closed_server_is_an_error(loop):
    server, _ = await started(loop)
    server.close()
    with pytest.raises(RuntimeError, match="is closed"):
        await server.serve_forever()
    await server.wait_closed()


async def test_serve_forever_twice_is_an_error(loop):
    server, _ = await started(loop)
    task = loop.create_task(server.serve_forever())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="already being awaited"):
        await server.serve_forever()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_closing_during_serve_forever_cancels_it(loop):
    server, _ = await started(loop)
    task = loop.create_task(server.serve_forever())
    await asyncio.sleep(0)
    server.close()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.skipif(sys.version_info < (3, 12, 1), reason="before 3.12.1 wait_closed did not wait")
async def test_wait_closed_waits_for_the_connections(loop):
    made = loop.create_future()
    server, address = await started(loop, lambda: Recorder(on={"made": made.set_result}))
    peer = Peer(socket.create_connection(address))
    recorder = await made
    server.close()
    waiting = loop.create_task(server.wait_closed())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    peer.close()
    await waiting
    await recorder.until_lost()


@pytest.mark.skipif(
    sys.version_info < (3, 13), reason="close_clients and abort_clients are new in Python 3.13"
)
@pytest.mark.parametrize("how", ["close_clients", "abort_clients"])
async def test_clients_can_be_closed_with_the_server(loop, how):
    made = []
    server, address = await started(loop, lambda: Recorder(on={"made": made.append}))
    peers = [Peer(socket.create_connection(address)) for _ in range(3)]
    while len(made) < 3:
        await asyncio.sleep(0)
    server.close()
    getattr(server, how)()
    await server.wait_closed()
    for recorder, peer in zip(made, peers):
        await recorder.until_lost()
        assert await peer.recv_end() == b""
        peer.close()


@pytest.mark.skipif(sys.version_info < (3, 14), reason="serve_forever closes its clients since Python 3.14")
async def test_serve_forever_that_is_cancelled_closes_its_clients(loop):
    made = []
    server, address = await started(loop, lambda: Recorder(on={"made": made.append}), start_serving=False)
    task = loop.create_task(server.serve_forever())
    await asyncio.sleep(0)
    peers = [Peer(socket.create_connection(address)) for _ in range(3)]
    while len(made) < 3:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for recorder, peer in zip(made, peers):
        await recorder.until_lost()
        assert await peer.recv_end() == b""
        peer.close()


async def test_get_loop_and_close_inside_connection_made(loop):
    made = loop.create_future()

    def stop_serving(recorder):
        server.close()
        made.set_result(recorder)

    server, address = await started(loop, lambda: Recorder(on={"made": stop_serving}))
    assert server.get_loop() is loop
    with Peer(socket.create_connection(address)) as peer:
        recorder = await made
        recorder.transport.write(b"still here")
        assert await peer.recv(10) == b"still here"
    await recorder.until_lost()
    await server.wait_closed()


async def test_a_port_is_free_again_after_close(loop):
    server, address = await started(loop)
    for _ in range(3):
        with Peer(socket.create_connection(address)) as peer:
            await peer.send(b"x")
            assert await peer.recv(1) == b"x"
        server.close()
        await server.wait_closed()
        server = await loop.create_server(Echo, *address)
    for _ in range(5):
        await asyncio.sleep(0)
    server.close()
    await server.wait_closed()
