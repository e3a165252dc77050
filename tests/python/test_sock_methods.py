"""loop.sock_*: receiving, sending, connecting, accepting on bare sockets."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys

import pytest
from support.peers import Peer, closed_port, pair

pytestmark = pytest.mark.io


@pytest.fixture(params=["tcp", "unix"])
def ends(request):
    """A non-blocking socket and its peer."""
    ours, theirs = pair(request.param)
    ours.setblocking(False)
    with ours, Peer(theirs) as peer:
        yield ours, peer


async def test_recv_gives_what_is_there_and_waits_for_what_is_not(loop, ends):
    sock, peer = ends
    peer.send_now(b"there already")
    assert await loop.sock_recv(sock, 100) == b"there already"
    task = loop.create_task(loop.sock_recv(sock, 100))
    await asyncio.sleep(0)
    assert not task.done()
    peer.send_now(b"late")
    assert await task == b"late"


async def test_recv_gives_no_more_than_asked_for(loop, ends):
    sock, peer = ends
    peer.send_now(b"abcdef")
    assert await loop.sock_recv(sock, 4) == b"abcd"
    assert await loop.sock_recv(sock, 4) == b"ef"


async def test_recv_of_an_ended_stream_is_empty(loop, ends):
    sock, peer = ends
    task = loop.create_task(loop.sock_recv(sock, 4))
    await asyncio.sleep(0)
    peer.end_writing()
    assert await task == b""
    assert await loop.sock_recv(sock, 4) == b""


async def test_recv_into_a_buffer(loop, ends):
    sock, peer = ends
    buffer = bytearray(10)
    task = loop.create_task(loop.sock_recv_into(sock, buffer))
    await asyncio.sleep(0)
    peer.send_now(b"12345")
    assert await task == 5
    assert buffer == b"12345\0\0\0\0\0"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_sendall_sends_everything(loop, ends, kind):
    sock, peer = ends
    payload = bytes(range(256)) * 40_000
    reading = loop.create_task(peer.recv(len(payload)))
    assert await loop.sock_sendall(sock, kind(payload)) is None
    assert await reading == payload


async def test_sending_and_receiving_at_once_on_one_socket(loop, ends):
    sock, peer = ends
    payload = b"z" * (16 << 20)
    receiving = loop.create_task(loop.sock_recv(sock, 10))
    sending = loop.create_task(loop.sock_sendall(sock, payload))
    await asyncio.sleep(0)
    peer.send_now(b"hello")
    assert await receiving == b"hello"
    assert not sending.done()
    assert await peer.recv(len(payload)) == payload
    await sending


async def test_many_rounds_of_waiting_on_one_socket(loop, ends):
    # Each round waits: an edge that is missed hangs it.
    sock, peer = ends
    for number in range(300):
        task = loop.create_task(loop.sock_recv(sock, 100))
        await asyncio.sleep(0)
        assert not task.done()
        peer.send_now(b"%d" % number)
        assert await task == b"%d" % number


async def test_a_partial_read_leaves_the_rest_for_the_next(loop, ends):
    sock, peer = ends
    task = loop.create_task(loop.sock_recv(sock, 1))
    await asyncio.sleep(0)
    peer.send_now(b"abc")
    assert await task == b"a"
    assert await loop.sock_recv(sock, 1) == b"b"
    assert await loop.sock_recv(sock, 1) == b"c"


async def test_a_cancelled_recv_takes_nothing(loop, ends):
    sock, peer = ends
    task = loop.create_task(loop.sock_recv(sock, 100))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    peer.send_now(b"for the next")
    assert await loop.sock_recv(sock, 100) == b"for the next"


@pytest.mark.ours("looks at what csploop keeps")
async def test_cancelled_recvs_of_a_silent_socket_leave_nothing_behind(loop, ends):
    a, _ = ends
    patient = loop.create_task(loop.sock_recv(a, 10))
    for _ in range(5):
        task = loop.create_task(loop.sock_recv(a, 10))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    watch = loop._socket_watches[a.fileno()]
    assert len(watch.readers) == 1
    patient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await patient
    assert not watch.readers


async def test_a_cancelled_sendall_can_be_followed_by_others(loop, ends):
    sock, peer = ends
    task = loop.create_task(loop.sock_sendall(sock, b"x" * (32 << 20)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    task = loop.create_task(loop.sock_sendall(sock, b"end"))
    data = b""
    while not data.endswith(b"end"):
        data += await peer._in_thread(peer.sock.recv, 1 << 20)
    await task
    assert data == b"x" * (len(data) - 3) + b"end"


async def test_a_recv_that_waits_is_told_of_a_reset(loop):
    ours, theirs = pair("tcp")
    ours.setblocking(False)
    with ours:
        task = loop.create_task(loop.sock_recv(ours, 10))
        await asyncio.sleep(0)
        Peer(theirs).reset()
        with pytest.raises(ConnectionResetError):
            await task


async def test_connect_and_accept(loop):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as sock:
        listener.setblocking(False)
        sock.setblocking(False)
        accepting = loop.create_task(loop.sock_accept(listener))
        await asyncio.sleep(0)
        assert await loop.sock_connect(sock, listener.getsockname()) is None
        accepted, address = await accepting
        with accepted:
            assert address == sock.getsockname()
            assert accepted.gettimeout() == 0
            await loop.sock_sendall(sock, b"hi")
            assert await loop.sock_recv(accepted, 2) == b"hi"


async def test_connecting_to_nobody_is_refused(loop):
    with socket.socket() as sock:
        sock.setblocking(False)
        with pytest.raises(ConnectionRefusedError):
            await loop.sock_connect(sock, ("127.0.0.1", closed_port()))


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy frees nothing before it collects")
async def test_the_future_of_a_failed_connect_is_in_no_cycle(loop):
    # Who has turned the collector off wants it gone with the last who knows it.
    def refused():
        ours = (each for each in gc.get_objects() if type(each) is asyncio.Future and each.get_loop() is loop)
        return [each for each in ours if each.done() and isinstance(each.exception(), ConnectionRefusedError)]

    gc.collect()
    gc.disable()
    try:
        with socket.socket() as sock:
            sock.setblocking(False)
            try:
                await loop.sock_connect(sock, ("127.0.0.1", closed_port()))
            except ConnectionRefusedError:
                connected = False
            else:
                connected = True
        await asyncio.sleep(0)  # the callback that woke this task has it as an argument
        assert not connected and refused() == []
    finally:
        gc.enable()


async def test_connecting_over_unix(loop, tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as sock:
        listener.bind(path)
        listener.listen()
        sock.setblocking(False)
        await loop.sock_connect(sock, path)
        listener.accept()[0].close()


async def test_a_reused_descriptor_number_is_a_new_socket(loop):
    numbers = set()
    for number in range(20):
        ours, theirs = pair("unix")
        ours.setblocking(False)
        with ours, Peer(theirs) as peer:
            numbers.add(ours.fileno())
            task = loop.create_task(loop.sock_recv(ours, 10))
            await asyncio.sleep(0)
            assert not task.done()
            peer.send_now(b"%d" % number)
            assert await task == b"%d" % number
    assert len(numbers) < 20


async def test_a_reused_number_whose_first_owner_was_never_told(loop):
    # The first socket goes away while nothing waits on it, without the loop being asked.
    first, other = pair("unix")
    first.setblocking(False)
    task = loop.create_task(loop.sock_recv(first, 10))
    await asyncio.sleep(0)
    other.send(b"x")
    assert await task == b"x"
    number = first.fileno()
    first.close()
    other.close()
    second, other = pair("unix")
    with second, Peer(other) as peer:
        assert second.fileno() == number
        second.setblocking(False)
        task = loop.create_task(loop.sock_recv(second, 10))
        await asyncio.sleep(0)
        peer.send_now(b"y")
        assert await task == b"y"


async def test_two_socket_objects_with_one_descriptor_both_wait(loop, ends):
    sock, peer = ends
    twin = socket.socket(sock.family, sock.type, sock.proto, fileno=sock.fileno())
    twin.setblocking(False)  # PyPy makes the descriptor block for each new object
    try:
        receiving = loop.create_task(loop.sock_recv(sock, 100))
        await asyncio.sleep(0)
        data = bytes(4 << 20)  # more than the kernel holds, so that the twin waits for the same descriptor
        sending = loop.create_task(loop.sock_sendall(twin, data))
        await asyncio.sleep(0)
        assert not receiving.done() and not sending.done()
        peer.send_now(b"for the first")
        assert await receiving == b"for the first"
        assert await peer.recv(len(data)) == data
        await sending
    finally:
        twin.detach()


async def test_a_socket_of_a_transport_is_refused(loop):
    from support.peers import adopt
    from support.protocols import Recorder

    transport, recorder, peer = await adopt(loop, Recorder)
    sock = transport.get_extra_info("socket")
    with socket.socket(fileno=sock.fileno()) as same:
        same.setblocking(False)
        try:
            with pytest.raises(RuntimeError, match="is used by transport"):
                await loop.sock_sendall(same, b"x" * (32 << 20))
        finally:
            same.detach()
    transport.abort()
    await recorder.until_lost()
    peer.close()


async def test_a_blocking_socket_is_a_value_error_in_debug_mode(loop):
    loop.set_debug(True)
    ours, theirs = pair("unix")
    with ours, theirs:
        for call in (
            lambda: loop.sock_recv(ours, 1),
            lambda: loop.sock_sendall(ours, b"x"),
            lambda: loop.sock_connect(ours, "x"),
            lambda: loop.sock_accept(ours),
            lambda: loop.sock_recv_into(ours, bytearray(1)),
        ):
            with pytest.raises(ValueError, match="must be non-blocking"):
                await call()
