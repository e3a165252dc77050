"""sendfile over transports and sock_sendfile over bare sockets, in the kernel and without it."""

from __future__ import annotations

import asyncio
import io
import os
import socket

import pytest
from support.certificates import client_context, server_context
from support.peers import Peer, adopt, pair
from support.protocols import Recorder

pytestmark = pytest.mark.io

SIZE = 3_000_001
CONTENT = bytes(range(251)) * (SIZE // 251) + b"." * (SIZE % 251)


@pytest.fixture(autouse=True)
def implemented(loop_kind):
    if loop_kind.name == "uvloop":
        pytest.xfail("not run: has neither method")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    with open(path, "rb") as file:
        yield file


@pytest.fixture(params=["tcp", "unix"])
def ends(request):
    ours, theirs = pair(request.param)
    ours.setblocking(False)
    with ours, Peer(theirs) as peer:
        yield ours, peer


@pytest.fixture(params=["tcp", "unix"])
def socket_name(request):
    return request.param


async def end(transport, recorder, peer):
    transport.close()
    await recorder.until_lost()
    peer.close()


# sock_sendfile


async def test_sock_sendfile_sends_the_whole_file(loop, ends, file):
    sock, peer = ends
    reading = loop.create_task(peer.recv(SIZE))
    assert await loop.sock_sendfile(sock, file) == SIZE
    assert await reading == CONTENT
    assert file.tell() == SIZE
    assert peer.nothing_waits()


@pytest.mark.parametrize(
    ("offset", "count", "expected"),
    [
        (0, 1000, CONTENT[:1000]),
        (2000, 1000, CONTENT[2000:3000]),
        (SIZE - 10, 1000, CONTENT[-10:]),
        (SIZE - 10, None, CONTENT[-10:]),
        (SIZE + 10, None, b""),
    ],
)
async def test_offset_and_count(loop, ends, file, offset, count, expected):
    sock, peer = ends
    assert await loop.sock_sendfile(sock, file, offset, count) == len(expected)
    assert peer.read_exactly(len(expected)) == expected
    if expected:  # else asyncio's older ones do not move it
        assert file.tell() == offset + len(expected)
    assert peer.nothing_waits()


async def test_an_empty_file(loop, ends, tmp_path):
    sock, peer = ends
    path = tmp_path / "empty"
    path.touch()
    with open(path, "rb") as file:
        assert await loop.sock_sendfile(sock, file) == 0
    assert peer.nothing_waits()


async def test_what_is_no_file_is_read_and_sent(loop, ends):
    sock, peer = ends
    reading = loop.create_task(peer.recv(SIZE))
    assert await loop.sock_sendfile(sock, io.BytesIO(CONTENT)) == SIZE
    assert await reading == CONTENT


async def test_without_a_fallback_it_says_so(loop, ends):
    sock, peer = ends
    with pytest.raises(asyncio.SendfileNotAvailableError, match="not a regular file"):
        await loop.sock_sendfile(sock, io.BytesIO(CONTENT), fallback=False)
    assert peer.nothing_waits()


async def test_wrong_arguments(loop, ends, file, tmp_path):
    sock, peer = ends
    path = tmp_path / "text"
    path.write_text("text")
    with open(path) as text, pytest.raises(ValueError, match="binary mode"):
        await loop.sock_sendfile(sock, text)
    for count in ("1", 1.5):
        with pytest.raises(TypeError, match="count must be a positive integer"):
            await loop.sock_sendfile(sock, file, 0, count)
    for count in (0, -1):
        with pytest.raises(ValueError, match="count must be a positive integer"):
            await loop.sock_sendfile(sock, file, 0, count)
    with pytest.raises(TypeError, match="offset must be a non-negative integer"):
        await loop.sock_sendfile(sock, file, "1")
    with pytest.raises(ValueError, match="offset must be a non-negative integer"):
        await loop.sock_sendfile(sock, file, -1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.setblocking(False)
        with pytest.raises(ValueError, match="only SOCK_STREAM"):
            await loop.sock_sendfile(datagrams, file)
    loop.set_debug(True)
    sock.setblocking(True)
    with pytest.raises(ValueError, match="must be non-blocking"):
        await loop.sock_sendfile(sock, file)
    assert peer.nothing_waits()


@pytest.mark.ours("asyncio may cancel after a part was sent, and not count it")
async def test_a_cancelled_sock_sendfile_leaves_the_position_after_what_was_sent(loop, ends, tmp_path):
    sock, peer = ends
    path = tmp_path / "large"
    with open(path, "wb") as large:
        large.truncate(64 << 20)
    with open(path, "rb") as file:
        task = loop.create_task(loop.sock_sendfile(sock, file))
        started = loop.create_task(peer.recv(1))
        await started
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        position = file.tell()
        sock.shutdown(socket.SHUT_WR)
        assert 1 + len(await peer.recv_end()) == position


async def test_a_peer_that_goes_away(loop, tmp_path):
    ours, theirs = pair("tcp")
    ours.setblocking(False)
    peer = Peer(theirs)
    path = tmp_path / "large"
    with open(path, "wb") as large:
        large.truncate(64 << 20)
    with ours, open(path, "rb") as file:
        task = loop.create_task(loop.sock_sendfile(ours, file))
        await peer.recv(1)
        peer.reset()
        with pytest.raises(ConnectionError):
            await task


# Where it begins and where it leaves the file


class Unmappable(io.RawIOBase):
    """A file that only Python can read, at a position of its own."""

    def __init__(self, content):
        self._inner = io.BytesIO(content)

    def readable(self):
        return True

    def seekable(self):
        return True

    def readinto(self, buffer):
        return self._inner.readinto(buffer)

    def seek(self, position, whence=os.SEEK_SET):
        return self._inner.seek(position, whence)


def regular_file(content, tmp_path):
    path = tmp_path / "some"
    path.write_bytes(content)
    return open(path, "rb")


FILES = {
    "regular": regular_file,
    "bytes": lambda content, tmp_path: io.BytesIO(content),
    "unmappable": lambda content, tmp_path: Unmappable(content),
}
OLDER = pytest.mark.ours("asyncio's older ones begin where the file is if the offset is 0")
BEGINNINGS = pytest.mark.parametrize(
    ("offset", "count", "expected"),
    [(0, None, b"0123456789"), (0, 4, b"0123"), (3, None, b"3456789"), (3, 4, b"3456"), (10, None, b"")],
)


@pytest.fixture(params=FILES)
def some_file(request, tmp_path):
    with FILES[request.param](b"0123456789", tmp_path) as file:
        file.seek(7)
        yield file


@OLDER
@BEGINNINGS
async def test_the_offset_counts_and_not_the_files_position(loop, ends, some_file, offset, count, expected):
    sock, peer = ends
    assert await loop.sock_sendfile(sock, some_file, offset, count) == len(expected)
    assert peer.read_exactly(len(expected)) == expected
    assert peer.nothing_waits()
    assert some_file.tell() == offset + len(expected)


@OLDER
@BEGINNINGS
async def test_the_offset_counts_over_a_transport(loop, socket_name, some_file, offset, count, expected):
    transport, recorder, peer = await adopt(loop, Recorder, socket_name)
    assert await loop.sendfile(transport, some_file, offset, count) == len(expected)
    transport.write(b".")
    assert await peer.recv(len(expected) + 1) == expected + b"."
    assert some_file.tell() == offset + len(expected)
    await end(transport, recorder, peer)


@OLDER
@BEGINNINGS
async def test_the_offset_counts_over_tls(loop, some_file, offset, count, expected):
    async def serve(reader, writer):
        sent = await loop.sendfile(writer.transport, some_file, offset, count)
        writer.write(b", %d" % sent)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context())
    reader, writer = await asyncio.open_connection(
        *server.sockets[0].getsockname(), ssl=client_context(), server_hostname="localhost"
    )
    assert await reader.read() == expected + b", %d" % len(expected)
    assert some_file.tell() == offset + len(expected)
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


@OLDER
async def test_what_python_has_read_ahead_does_not_count(loop, ends, file):
    sock, peer = ends
    assert file.read(10) == CONTENT[:10]  # and more, into its buffer
    assert await loop.sock_sendfile(sock, file, 20, 30) == 30
    assert peer.read_exactly(30) == CONTENT[20:50]
    assert file.tell() == 50
    assert file.read(10) == CONTENT[50:60]


@pytest.mark.ours("asyncio sends what is in the file already")
async def test_what_was_written_to_the_file_is_sent(loop, ends, tmp_path):
    sock, peer = ends
    with open(tmp_path / "both", "w+b") as file:
        file.write(b"written")
        assert await loop.sock_sendfile(sock, file) == 7
    assert peer.read_exactly(7) == b"written"


@pytest.mark.ours("asyncio takes a file that tells no size for an empty one")
async def test_a_pipe_is_read_until_its_end(loop, ends):
    sock, peer = ends
    reading, writing = os.pipe()
    with open(reading, "rb") as file:
        with open(writing, "wb") as other:
            other.write(b"through a pipe")
        assert await loop.sock_sendfile(sock, file) == 14
    assert peer.read_exactly(14) == b"through a pipe"


@pytest.mark.ours("asyncio takes a file that tells no size for an empty one")
@pytest.mark.skipif(not os.path.exists("/proc/version"), reason="this system has no such files")
async def test_a_file_of_the_kernels_that_tells_no_size(loop, socket_name):
    transport, recorder, peer = await adopt(loop, Recorder, socket_name)
    with open("/proc/version", "rb") as file:
        expected = file.read()
        assert await loop.sendfile(transport, file) == len(expected)
    assert await peer.recv(len(expected)) == expected
    await end(transport, recorder, peer)


async def test_a_pipe_has_no_offset(loop, ends):
    sock, peer = ends
    reading, writing = os.pipe()
    os.close(writing)
    with open(reading, "rb") as file, pytest.raises(OSError):
        await loop.sock_sendfile(sock, file, 5, 1)
    assert peer.nothing_waits()


class Failing(Unmappable):
    def readinto(self, buffer):
        if self._inner.tell():
            raise OSError("cannot be read")
        return super().readinto(memoryview(buffer)[:4])


@pytest.mark.ours("asyncio's older ones leave the position where reading has moved it")
@pytest.mark.parametrize("over", ["socket", "transport"])
async def test_an_error_leaves_the_position_behind_what_was_sent(loop, over):
    transport, recorder, peer = await adopt(loop, Recorder)
    file = Failing(b"0123456789")
    with pytest.raises(OSError, match="cannot be read"):
        if over == "transport":
            await loop.sendfile(transport, file)
        else:
            ours, theirs = pair("tcp")
            ours.setblocking(False)
            with ours, theirs:
                await loop.sock_sendfile(ours, file)
    assert file.tell() == 4
    if over == "transport":
        assert await peer.recv(4) == b"0123"
    await end(transport, recorder, peer)


@pytest.mark.ours("asyncio does not count a piece that waits in the transport")
async def test_a_cancelled_fallback_leaves_the_position_behind_what_was_written(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    file = io.BytesIO(bytes(64 << 20))
    sending = loop.create_task(loop.sendfile(transport, file))
    await peer.recv(1)
    while not transport._protocol_paused:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    position = file.tell()
    assert recorder.events[-1] == "pause"  # told now what it has missed
    transport.write(b"end")
    assert await peer.recv(position - 1 + 3) == b"\0" * (position - 1) + b"end"
    assert recorder.events[-1] == "resume"
    await end(transport, recorder, peer)


# sendfile


async def test_sendfile_over_a_transport(loop, socket_name, file):
    transport, recorder, peer = await adopt(loop, Recorder, socket_name)
    transport.write(b"before,")
    reading = loop.create_task(peer.recv(SIZE + 13))
    assert await loop.sendfile(transport, file) == SIZE
    transport.write(b",after")
    assert await reading == b"before," + CONTENT + b",after"
    assert file.tell() == SIZE
    await end(transport, recorder, peer)


@pytest.mark.parametrize("fallback", [True, False])
async def test_the_order_is_kept_behind_a_full_buffer(loop, file, fallback):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.write(b"x" * (8 << 20))
    sending = loop.create_task(loop.sendfile(transport, file, 100, 1000, fallback=fallback))
    await asyncio.sleep(0)
    assert not sending.done()
    assert await peer.recv((8 << 20) + 1000) == b"x" * (8 << 20) + CONTENT[100:1100]
    assert await sending == 1000
    await end(transport, recorder, peer)


async def test_what_is_no_file_over_a_transport(loop, socket_name):
    transport, recorder, peer = await adopt(loop, Recorder, socket_name)
    reading = loop.create_task(peer.recv(SIZE))
    assert await loop.sendfile(transport, io.BytesIO(CONTENT)) == SIZE
    assert await reading == CONTENT
    assert transport.get_protocol() is recorder
    with pytest.raises(asyncio.SendfileNotAvailableError):
        await loop.sendfile(transport, io.BytesIO(CONTENT), fallback=False)
    transport.write(b"still of use")
    assert await peer.recv(12) == b"still of use"
    await end(transport, recorder, peer)


async def test_writes_are_refused_while_it_runs(loop, file):
    transport, recorder, peer = await adopt(loop, Recorder)
    sending = loop.create_task(loop.sendfile(transport, file))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="sendfile is in progress"):
        transport.write(b"in between")
    with pytest.raises(RuntimeError, match="sendfile is in progress"):
        transport.writelines([b"in", b"between"])
    assert await peer.recv(SIZE) == CONTENT
    await sending
    transport.write(b"now")
    assert await peer.recv(3) == b"now"
    await end(transport, recorder, peer)


@pytest.mark.parametrize("paused", [True, False])
async def test_reading_pauses_and_goes_on(loop, tmp_path, paused):
    transport, recorder, peer = await adopt(loop, Recorder)
    path = tmp_path / "large"
    with open(path, "wb") as large:
        large.truncate(16 << 20)
    if paused:
        transport.pause_reading()
    with open(path, "rb") as file:
        sending = loop.create_task(loop.sendfile(transport, file))
        await peer.recv(1)
        assert not transport.is_reading()
        peer.send_now(b"question")
        assert await peer.recv((16 << 20) - 1) == b"\0" * ((16 << 20) - 1)
        await sending
    assert transport.is_reading() is not paused
    if paused:
        assert recorder.data == b""
        transport.resume_reading()
    await recorder.until_received(8)
    assert recorder.data == b"question"
    await end(transport, recorder, peer)


async def test_a_closing_transport_is_refused(loop, file):
    transport, recorder, peer = await adopt(loop, Recorder)
    transport.close()
    with pytest.raises(RuntimeError, match="Transport is closing"):
        await loop.sendfile(transport, file)
    await recorder.until_lost()
    peer.close()


async def test_a_peer_that_goes_away_over_a_transport(loop, tmp_path):
    transport, recorder, peer = await adopt(loop, Recorder)
    path = tmp_path / "large"
    with open(path, "wb") as large:
        large.truncate(64 << 20)
    with open(path, "rb") as file:
        task = loop.create_task(loop.sendfile(transport, file))
        await peer.recv(1)
        peer.reset()
        with pytest.raises(ConnectionError):
            await task
    transport.close()
    await recorder.until_lost()


@pytest.mark.ours("on asyncio, it never ends")
@pytest.mark.parametrize("how", ["abort", "close"])
async def test_it_ends_with_its_transport(loop, socket_name, tmp_path, how):
    transport, recorder, peer = await adopt(loop, Recorder, socket_name)
    path = tmp_path / "large"
    with open(path, "wb") as large:
        large.truncate(64 << 20)
    with open(path, "rb") as file:
        task = loop.create_task(loop.sendfile(transport, file))
        await peer.recv(1)
        getattr(transport, how)()
        with pytest.raises(ConnectionError):
            await task
    await recorder.until_lost()
    await peer.recv_end()
    peer.close()


@pytest.mark.ours("asyncio may cancel after a part was sent, and not count it")
async def test_a_cancelled_sendfile_leaves_the_transport_in_use(loop, tmp_path):
    transport, recorder, peer = await adopt(loop, Recorder)
    path = tmp_path / "large"
    with open(path, "wb") as large:
        large.truncate(64 << 20)
    with open(path, "rb") as file:
        task = loop.create_task(loop.sendfile(transport, file))
        await peer.recv(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        position = file.tell()
    transport.write(b"end")
    assert await peer.recv(position - 1 + 3) == b"\0" * (position - 1) + b"end"
    assert transport.is_reading()
    await end(transport, recorder, peer)


async def test_sendfile_over_a_stream_writer(loop, file):
    async def serve(reader, writer):
        writer.write(b"%d\n" % SIZE)
        await writer.drain()
        await loop.sendfile(writer.transport, file)
        writer.write(b"\nend")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert int(await reader.readline()) == SIZE
    assert await reader.readexactly(SIZE) == CONTENT
    assert await reader.read() == b"\nend"
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def test_over_tls_the_file_is_read_and_encrypted(loop, file):
    async def serve(reader, writer):
        with pytest.raises(RuntimeError, match="fallback is disabled"):
            await loop.sendfile(writer.transport, file, fallback=False)
        writer.write(b"%d\n" % await loop.sendfile(writer.transport, file))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context())
    reader, writer = await asyncio.open_connection(
        *server.sockets[0].getsockname(), ssl=client_context(), server_hostname="localhost"
    )
    assert await reader.readexactly(SIZE) == CONTENT
    assert await reader.read() == b"%d\n" % SIZE
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def test_two_files_at_once_over_two_transports(loop, file, tmp_path):
    both = [await adopt(loop, Recorder) for _ in range(2)]
    with open(tmp_path / "content", "rb") as second:
        readings = [loop.create_task(peer.recv(SIZE)) for _, _, peer in both]
        sizes = await asyncio.gather(*(loop.sendfile(each[0], f) for each, f in zip(both, (file, second))))
    assert sizes == [SIZE, SIZE]
    assert await asyncio.gather(*readings) == [CONTENT, CONTENT]
    for each in both:
        await end(*each)


@pytest.mark.skipif(not hasattr(os, "sendfile"), reason="this system has no sendfile")
@pytest.mark.ours("the fallback is what would pass unnoticed")
async def test_the_kernel_does_it(loop, file, monkeypatch):
    calls = []
    real = os.sendfile

    def counting(*args):
        calls.append(args)
        return real(*args)

    monkeypatch.setattr(os, "sendfile", counting)
    transport, recorder, peer = await adopt(loop, Recorder)
    reading = loop.create_task(peer.recv(SIZE))
    assert await loop.sendfile(transport, file, fallback=False) == SIZE
    assert await reading == CONTENT
    assert calls
    await end(transport, recorder, peer)
