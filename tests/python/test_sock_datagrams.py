"""loop.sock_recvfrom, sock_recvfrom_into and sock_sendto on bare sockets."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

pytestmark = pytest.mark.io


@pytest.fixture(autouse=True)
def implemented(loop_kind):
    if loop_kind.name == "uvloop":
        pytest.xfail("not run: has none of the three")


@pytest.fixture(autouse=True)
def is_in_asyncio(loop):
    if not hasattr(asyncio.AbstractEventLoop, "sock_recvfrom") and not type(loop).__module__.startswith(
        "csploop"
    ):
        pytest.skip("new in Python 3.11")


@pytest.fixture(params=["udp", "unix"])
def ends(request, tmp_path):
    """Two bound non-blocking datagram sockets."""
    family = socket.AF_INET if request.param == "udp" else socket.AF_UNIX
    with (
        socket.socket(family, socket.SOCK_DGRAM) as first,
        socket.socket(family, socket.SOCK_DGRAM) as second,
    ):
        for number, sock in enumerate((first, second)):
            sock.setblocking(False)
            sock.bind(("127.0.0.1", 0) if request.param == "udp" else str(tmp_path / str(number)))
        yield first, second


async def test_recvfrom_gives_what_is_there_and_its_sender(loop, ends):
    first, second = ends
    second.sendto(b"there already", first.getsockname())
    assert await loop.sock_recvfrom(first, 100) == (b"there already", second.getsockname())


async def test_recvfrom_waits_for_what_is_not_there(loop, ends):
    first, second = ends
    for number in range(50):
        task = loop.create_task(loop.sock_recvfrom(first, 100))
        await asyncio.sleep(0)
        assert not task.done()
        second.sendto(b"%d" % number, first.getsockname())
        assert await task == (b"%d" % number, second.getsockname())


async def test_an_empty_datagram_is_one(loop, ends):
    first, second = ends
    task = loop.create_task(loop.sock_recvfrom(first, 100))
    await asyncio.sleep(0)
    assert await loop.sock_sendto(second, b"", first.getsockname()) == 0
    assert await task == (b"", second.getsockname())


async def test_what_is_longer_than_asked_for_is_cut(loop, ends):
    first, second = ends
    second.sendto(b"abcdef", first.getsockname())
    second.sendto(b"next", first.getsockname())
    assert (await loop.sock_recvfrom(first, 3))[0] == b"abc"
    assert (await loop.sock_recvfrom(first, 100))[0] == b"next"


@pytest.mark.parametrize("wait", [False, True])
async def test_recvfrom_into(loop, ends, wait):
    first, second = ends
    buffer = bytearray(10)
    if not wait:
        second.sendto(b"12345", first.getsockname())
    task = loop.create_task(loop.sock_recvfrom_into(first, buffer))
    await asyncio.sleep(0)
    if wait:
        second.sendto(b"12345", first.getsockname())
    assert await task == (5, second.getsockname())
    assert buffer == b"12345\0\0\0\0\0"


async def test_recvfrom_into_no_more_than_asked_for(loop, ends):
    first, second = ends
    buffer = bytearray(10)
    second.sendto(b"12345", first.getsockname())
    assert await loop.sock_recvfrom_into(first, buffer, 2) == (2, second.getsockname())
    assert buffer == b"12\0\0\0\0\0\0\0\0"


async def test_sendto_tells_how_much_was_sent(loop, ends):
    first, second = ends
    assert await loop.sock_sendto(first, b"hello", second.getsockname()) == 5
    assert second.recvfrom(10) == (b"hello", first.getsockname())


async def test_sendto_waits_for_room(loop, tmp_path):
    # Unix datagrams wait for their receiver; UDP throws away.
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(str(tmp_path / "receiver"))
        for each in (sock, receiver):
            each.setblocking(False)
        address = receiver.getsockname()
        # The kernel tells a sender of room only at the receiver that it is connected to.
        sock.connect(address)
        sent = 0
        while True:
            task = loop.create_task(loop.sock_sendto(sock, b"%d" % sent, address))
            await asyncio.sleep(0)
            if not task.done():
                break
            await task
            sent += 1
            assert sent < 100_000
        for number in range(sent):
            assert receiver.recv(100) == b"%d" % number
        assert await task == len(b"%d" % sent)
        assert receiver.recv(100) == b"%d" % sent


async def test_a_cancelled_recvfrom_takes_nothing(loop, ends):
    first, second = ends
    task = loop.create_task(loop.sock_recvfrom(first, 100))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    second.sendto(b"for the next", first.getsockname())
    assert await loop.sock_recvfrom(first, 100) == (b"for the next", second.getsockname())


async def test_errors_come_from_the_system(loop, ends, tmp_path):
    first, _ = ends
    with pytest.raises(OSError) as caught:
        if first.family == socket.AF_UNIX:
            await loop.sock_sendto(first, b"x", str(tmp_path / "nobody"))
        else:
            await loop.sock_sendto(first, b"x" * 100_000, first.getsockname())
    assert caught.value.errno in (errno.ENOENT, errno.EMSGSIZE)


async def test_a_blocking_socket_is_a_value_error_in_debug_mode(loop):
    loop.set_debug(True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for call in (
            lambda: loop.sock_recvfrom(sock, 1),
            lambda: loop.sock_recvfrom_into(sock, bytearray(1)),
            lambda: loop.sock_sendto(sock, b"x", ("127.0.0.1", 1)),
        ):
            with pytest.raises(ValueError, match="must be non-blocking"):
                await call()
