"""Unix sockets: servers, connections, paths."""

from __future__ import annotations

import asyncio
import os
import pathlib
import socket
import stat
import sys

import pytest
from support.peers import Peer
from support.protocols import Echo, Recorder

pytestmark = [
    pytest.mark.io,
    pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets on this system"),
]


@pytest.fixture
def path(tmp_path):
    # Long temporary directories do not fit a socket address: use a relative one.
    before = os.getcwd()
    os.chdir(tmp_path)
    yield "socket"
    os.chdir(before)


async def echoes(address):
    with Peer(socket.socket(socket.AF_UNIX)) as peer:
        peer.sock.connect(address)
        await peer.send(b"hello")
        return await peer.recv(5) == b"hello"


async def end(server):
    server.close()
    await server.wait_closed()
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("convert", [str, pathlib.Path, os.fsencode], ids=["str", "Path", "bytes"])
async def test_it_serves_on_a_path_of_any_type(loop, path, convert):
    server = await loop.create_unix_server(Echo, convert(path))
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    assert await echoes(path)
    await end(server)


@pytest.mark.ours("asyncio looks whether an old socket is in the way before it binds")
@pytest.mark.parametrize("cleanup", [False, True])
async def test_a_path_that_is_free_needs_no_os_stat(loop, path, monkeypatch, cleanup):
    # Tests of others forbid it on the loop's thread, but for where asyncio has it.
    monkeypatch.setattr(os, "stat", None)
    server = await loop.create_unix_server(Echo, path, cleanup_socket=cleanup)
    transport, recorder = await loop.create_unix_connection(Recorder, path)
    transport.close()
    await recorder.until_lost()
    await end(server)
    assert not server.sockets
    monkeypatch.undo()
    assert os.path.exists(path) is not cleanup


async def test_connecting_to_a_path(loop, path):
    server = await loop.create_unix_server(Echo, path)
    transport, recorder = await loop.create_unix_connection(Recorder, path)
    transport.write(b"over a path")
    await recorder.until_received(11)
    assert recorder.data == b"over a path"
    assert transport.get_extra_info("peername") == path
    assert transport.get_extra_info("sockname") == ""
    transport.close()
    await recorder.until_lost()
    await end(server)


@pytest.mark.skipif(sys.platform != "linux", reason="abstract addresses are Linux's")
async def test_abstract_addresses(loop):
    name = f"\0csploop-test-{os.getpid()}-{id(loop)}"
    server = await loop.create_unix_server(Echo, name)
    assert await echoes(name)
    transport, recorder = await loop.create_unix_connection(Recorder, name)
    transport.write(b"x")
    await recorder.until_received(1)
    transport.close()
    await recorder.until_lost()
    await end(server)


async def test_a_stale_socket_file_is_replaced(loop, path):
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    server = await loop.create_unix_server(Echo, path)
    assert await echoes(path)
    await end(server)


async def test_a_regular_file_in_the_way_is_an_error(loop, path):
    pathlib.Path(path).write_text("not a socket")
    with pytest.raises(OSError, match=r"[Aa]ddress .*socket.* is already in use"):
        await loop.create_unix_server(Echo, path)
    assert pathlib.Path(path).read_text() == "not a socket"


async def test_a_missing_directory_is_an_error(loop, path):
    with pytest.raises(FileNotFoundError):
        await loop.create_unix_server(Echo, "missing/socket")
    with pytest.raises(FileNotFoundError):
        await loop.create_unix_connection(Recorder, "missing/socket")


async def test_nobody_listening_is_refused(loop, path):
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(path)
    dead.close()
    with pytest.raises(ConnectionRefusedError):
        await loop.create_unix_connection(Recorder, path)


async def test_sockets_passed_in(loop, path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    server = await loop.create_unix_server(Echo, sock=sock)
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    client.setblocking(False)
    transport, recorder = await loop.create_unix_connection(Recorder, sock=client)
    transport.write(b"given")
    await recorder.until_received(5)
    transport.close()
    await recorder.until_lost()
    await end(server)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"path": "x", "sock": "tcp"},
        {"sock": "tcp"},
        {"sock": "datagram"},
    ],
    ids=["nothing", "both", "tcp", "datagram"],
)
async def test_wrong_sockets_and_paths_are_value_errors(loop, path, arguments):
    kinds = {"tcp": (socket.AF_INET, socket.SOCK_STREAM), "datagram": (socket.AF_UNIX, socket.SOCK_DGRAM)}
    with socket.socket(*kinds[arguments.get("sock", "tcp")]) as sock:
        given = {**arguments, "sock": sock} if "sock" in arguments else arguments
        with pytest.raises(ValueError):
            await loop.create_unix_server(Echo, **given)
        with pytest.raises(ValueError):
            await loop.create_unix_connection(Recorder, **given)


async def test_start_serving_false(loop, path):
    server = await loop.create_unix_server(Echo, path, start_serving=False)
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(path)
    await server.start_serving()
    assert await echoes(path)
    await end(server)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="cleanup_socket is new in Python 3.13")
@pytest.mark.parametrize("cleanup", [True, False])
async def test_cleanup_socket_removes_the_path_on_close(loop, path, cleanup):
    server = await loop.create_unix_server(Echo, path, cleanup_socket=cleanup)
    await end(server)
    assert os.path.exists(path) != cleanup


async def test_streams_over_unix_sockets(loop, path):
    async def serve(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(serve, path)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"hello\n")
    assert await reader.read() == b"HELLO\n"
    writer.close()
    await writer.wait_closed()
    await end(server)
