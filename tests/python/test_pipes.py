"""connect_read_pipe and connect_write_pipe: pipes, FIFOs, terminals, sockets, character devices."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import socket
import tempfile
import tty

import pytest
from support.kinds import ASYNCIO_PAUSES
from support.protocols import Recorder

pytestmark = pytest.mark.io

CAPACITY = 64 * 1024

# A mark, and nothing more where asyncio can do it.
pausing = pytest.mark.io if ASYNCIO_PAUSES else pytest.mark.ours("this asyncio is older, and starts reading")


@contextlib.contextmanager
def closing(*fds):
    try:
        yield
    finally:
        for fd in fds:
            with contextlib.suppress(OSError):
                os.close(fd)


async def read_pipe(loop, factory=Recorder):
    """A transport over a pipe's reading end, and the other end's descriptor."""
    inner, outer = os.pipe()
    transport, protocol = await loop.connect_read_pipe(factory, os.fdopen(inner, "rb", 0))
    return transport, protocol, outer


async def write_pipe(loop, factory=Recorder):
    outer, inner = os.pipe()
    transport, protocol = await loop.connect_write_pipe(factory, os.fdopen(inner, "wb", 0))
    return transport, protocol, outer


async def in_thread(function, *args):
    return await asyncio.get_running_loop().run_in_executor(None, function, *args)


def read_exactly(fd, count):
    parts = []
    while count:
        data = os.read(fd, min(count, 1 << 16))
        if not data:
            raise EOFError(f"{count} bytes short")
        parts.append(data)
        count -= len(data)
    return b"".join(parts)


def read_to_end(fd):
    parts = []
    while True:
        data = os.read(fd, 1 << 16)
        if not data:
            return b"".join(parts)
        parts.append(data)


async def test_reading_tells_data_end_and_loss_in_order(loop):
    transport, recorder, outer = await read_pipe(loop)
    os.write(outer, b"one")
    await recorder.until_received(3)
    os.write(outer, b"two")
    await recorder.until_received(6)
    os.close(outer)
    await recorder.until_lost()
    assert recorder.data == b"onetwo"
    assert recorder.events == ["made", "data", "data", "eof", "lost"]
    assert recorder.error is None
    assert transport.is_closing()


async def test_the_pipe_is_in_the_extra_information_and_is_closed_at_the_end(loop):
    inner, outer = os.pipe()
    with os.fdopen(inner, "rb", 0) as reader, os.fdopen(outer, "wb", 0) as writer:
        reading, read_end = await loop.connect_read_pipe(Recorder, reader)
        writing, write_end = await loop.connect_write_pipe(Recorder, writer)
        assert reading.get_extra_info("pipe") is reader
        assert writing.get_extra_info("pipe") is writer
        assert isinstance(reading, asyncio.ReadTransport)
        assert not isinstance(reading, asyncio.WriteTransport)
        assert isinstance(writing, asyncio.WriteTransport)
        assert reading.get_protocol() is read_end
        assert writing.get_protocol() is write_end
        assert writing.can_write_eof()
        writing.write(b"through")
        writing.close()
        await write_end.until_lost()
        await read_end.until_lost()
        assert read_end.data == b"through"
        assert reader.closed
        assert writer.closed
    with pytest.raises(OSError):
        os.fstat(inner)
    with pytest.raises(OSError):
        os.fstat(outer)


async def test_connection_lost_is_never_called_inside_close(loop):
    transport, recorder, outer = await read_pipe(loop)
    transport.close()
    transport.close()
    assert not recorder.lost
    await recorder.until_lost()
    assert recorder.events == ["made", "lost"]
    os.close(outer)
    for how in ("close", "abort", "write_eof"):
        transport, recorder, outer = await write_pipe(loop)
        getattr(transport, how)()
        assert transport.is_closing()
        assert not recorder.lost
        await recorder.until_lost()
        assert recorder.events == ["made", "lost"]
        assert recorder.error is None
        assert os.read(outer, 1) == b""
        os.close(outer)


async def test_nothing_is_received_after_close(loop):
    transport, recorder, outer = await read_pipe(loop)
    os.write(outer, b"waits in the kernel")
    transport.close()
    await recorder.until_lost()
    assert recorder.events == ["made", "lost"]
    os.close(outer)


@pausing
async def test_pausing_holds_data_and_the_end_back(loop):
    transport, recorder, outer = await read_pipe(loop)
    transport.pause_reading()
    transport.pause_reading()
    assert not transport.is_reading()
    os.write(outer, b"later")
    os.close(outer)
    for _ in range(10):
        await asyncio.sleep(0)
    assert recorder.events == ["made"]
    transport.resume_reading()
    transport.resume_reading()
    await recorder.until_lost()
    assert recorder.data == b"later"
    assert recorder.events == ["made", "data", "eof", "lost"]


@pausing
async def test_pausing_in_data_received_stops_the_very_next_call(loop):
    def data(recorder, data):
        recorder.transport.pause_reading()

    transport, recorder, outer = await read_pipe(loop, lambda: Recorder(on={"data": data}))
    sent = 0
    for step in range(1, 4):
        os.write(outer, b"x" * 1000)
        sent += 1000
        await recorder.until(lambda recorder, step=step: len(recorder.chunks) == step)
        assert not transport.is_reading()
        transport.resume_reading()
    assert recorder.received == sent
    os.close(outer)
    await recorder.until_lost()


@pausing
async def test_pausing_in_connection_made(loop):
    def made(recorder):
        recorder.transport.pause_reading()

    transport, recorder, outer = await read_pipe(loop, lambda: Recorder(on={"made": made}))
    os.write(outer, b"x")
    for _ in range(10):
        await asyncio.sleep(0)
    assert recorder.events == ["made"]
    transport.resume_reading()
    await recorder.until_received(1)
    transport.close()
    await recorder.until_lost()
    os.close(outer)


async def test_a_failing_protocol_is_reported_and_reading_goes_on(loop, reports):
    def data(recorder, data):
        if data == b"bad":
            raise ZeroDivisionError("bad")

    transport, recorder, outer = await read_pipe(loop, lambda: Recorder(on={"data": data}))
    os.write(outer, b"bad")
    await recorder.until_received(3)
    os.write(outer, b"good")
    await recorder.until_received(7)
    os.close(outer)
    await recorder.until_lost()
    assert recorder.error is None
    assert isinstance(reports.take()["exception"], ZeroDivisionError)


async def test_set_protocol_takes_over(loop):
    transport, first, outer = await read_pipe(loop)
    second = Recorder()
    transport.set_protocol(second)
    assert transport.get_protocol() is second
    os.write(outer, b"for the second")
    os.close(outer)
    await second.until_lost()
    assert first.events == ["made"]
    assert second.data == b"for the second"


async def test_large_transfer_through_a_pipe(loop):
    inner, outer = os.pipe()
    reading, sink = await loop.connect_read_pipe(Recorder, os.fdopen(inner, "rb", 0))
    writing, source = await loop.connect_write_pipe(Recorder, os.fdopen(outer, "wb", 0))
    payload = os.urandom(1 << 20) * 8
    writing.write(payload[:10])
    writing.write(bytearray(payload[10:1000]))
    writing.write(memoryview(payload)[1000:])
    assert writing.get_write_buffer_size() > 0
    writing.close()
    writing.write(b"dropped")
    await sink.until_lost()
    await source.until_lost()
    assert source.error is None
    assert sink.data == payload
    assert source.events == ["made", "pause", "resume", "lost"]


async def test_flow_control(loop):
    transport, recorder, outer = await write_pipe(loop)
    low, high = 1000, 5000
    transport.set_write_buffer_limits(high=high, low=low)
    transport.write(b"x" * CAPACITY)
    assert "pause" not in recorder.events
    transport.write(b"y" * (high + 1))
    assert recorder.events == ["made", "pause"]
    assert transport.get_write_buffer_size() > high
    assert await in_thread(read_exactly, outer, CAPACITY + high + 1) == b"x" * CAPACITY + b"y" * (high + 1)
    await recorder.until_event("resume")
    assert transport.get_write_buffer_size() <= low
    transport.close()
    await recorder.until_lost()
    os.close(outer)


async def test_abort_drops_what_was_not_sent(loop):
    transport, recorder, outer = await write_pipe(loop)
    transport.write(b"x" * (1 << 20))
    transport.close()
    assert transport.is_closing()
    transport.abort()
    await recorder.until_lost()
    assert recorder.error is None
    assert 0 < len(await in_thread(read_to_end, outer)) < 1 << 20
    os.close(outer)


async def test_an_idle_writer_notices_that_the_reader_is_gone(loop):
    transport, recorder, outer = await write_pipe(loop)
    os.close(outer)
    await recorder.until_lost()
    assert recorder.error is None
    assert recorder.events == ["made", "lost"]


async def test_a_writer_with_unsent_bytes_is_told_that_the_pipe_broke(loop):
    for close_first in (False, True):
        transport, recorder, outer = await write_pipe(loop)
        transport.write(b"x" * (1 << 20))
        for _ in range(3):
            await asyncio.sleep(0)
        assert transport.get_write_buffer_size() > 0
        if close_first:
            transport.close()
        os.close(outer)
        await recorder.until_lost()
        assert type(recorder.error) is BrokenPipeError
        assert recorder.events[-1] == "lost"


async def test_a_write_into_a_pipe_that_nobody_reads_breaks_it(loop):
    transport, recorder, outer = await write_pipe(loop)
    os.close(outer)
    transport.write(b"x")
    transport.close()
    await recorder.until_lost()
    assert type(recorder.error) is BrokenPipeError


async def test_writes_to_a_lost_pipe_are_counted_and_warned_of(loop, caplog):
    transport, recorder, outer = await write_pipe(loop)
    os.close(outer)
    await recorder.until_lost()
    for _ in range(10):
        transport.write(b"x")
        transport.write(b"")
    assert "pipe closed by peer or os.write(pipe, data) raised exception." in caplog.text


@pytest.mark.parametrize("data", ["text", None, 1, [b"x"]])
async def test_only_bytes_can_be_written(loop, data):
    transport, recorder, outer = await write_pipe(loop)
    with pytest.raises(AssertionError):
        transport.write(data)
    transport.close()
    await recorder.until_lost()
    os.close(outer)


async def test_writelines(loop):
    transport, recorder, outer = await write_pipe(loop)
    transport.writelines([b"a", bytearray(b"b"), memoryview(b"c")])
    transport.close()
    assert await in_thread(read_to_end, outer) == b"abc"
    await recorder.until_lost()
    os.close(outer)


async def test_the_user_may_change_a_buffer_after_write(loop):
    transport, recorder, outer = await write_pipe(loop)
    data = bytearray(b"before")
    transport.write(data)
    data[:] = b"after!"
    transport.close()
    assert await in_thread(read_to_end, outer) == b"before"
    await recorder.until_lost()
    os.close(outer)


async def test_regular_files_are_refused_and_stay_open(loop):
    with tempfile.TemporaryFile() as file:
        with pytest.raises(ValueError, match="Pipe transport is for pipes/sockets only"):
            await loop.connect_read_pipe(asyncio.Protocol, file)
        with pytest.raises(
            ValueError, match="Pipe transport is only for pipes, sockets and character devices"
        ):
            await loop.connect_write_pipe(asyncio.Protocol, file)
        assert not file.closed


async def test_what_is_no_file_is_refused(loop):
    for connect in (loop.connect_read_pipe, loop.connect_write_pipe):
        with pytest.raises(AttributeError):
            await connect(asyncio.Protocol, 5)


async def test_the_descriptor_is_made_nonblocking(loop):
    transport, recorder, outer = await read_pipe(loop)
    fd = transport.get_extra_info("pipe").fileno()
    assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK
    transport.close()
    await recorder.until_lost()
    os.close(outer)


async def test_fifo(loop, tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", 0)
    writer = os.fdopen(os.open(path, os.O_WRONLY), "wb", 0)
    reading, sink = await loop.connect_read_pipe(Recorder, reader)
    writing, source = await loop.connect_write_pipe(Recorder, writer)
    for number in range(100):
        writing.write(b"%03d" % number)
    await sink.until_received(300)
    writing.write_eof()
    await sink.until_lost()
    await source.until_lost()
    assert sink.data == b"".join(b"%03d" % number for number in range(100))


async def test_sockets(loop):
    ours, theirs = socket.socketpair()
    reader = ours.dup()
    with theirs:
        reading, sink = await loop.connect_read_pipe(Recorder, reader)
        theirs.sendall(b"in")
        await sink.until_received(2)
        reading.close()
        await sink.until_lost()
        assert sink.data == b"in"
        writing, source = await loop.connect_write_pipe(Recorder, ours)
        writing.write(b"out")
        assert await in_thread(theirs.recv, 3) == b"out"
    await source.until_lost()
    assert source.error is None


async def test_a_socket_to_write_to_that_gets_data_is_closed(loop):
    ours, theirs = socket.socketpair()
    with theirs:
        transport, recorder = await loop.connect_write_pipe(Recorder, ours)
        theirs.sendall(b"unexpected")
        await recorder.until_lost()
        assert recorder.error is None


async def test_writing_to_the_null_device(loop):
    null = os.fdopen(os.open(os.devnull, os.O_WRONLY), "wb", 0)
    transport, recorder = await loop.connect_write_pipe(Recorder, null)
    transport.write(b"x" * 1_000_000)
    transport.close()
    await recorder.until_lost()
    assert recorder.error is None


async def test_a_terminal_for_reading(loop):
    master, slave = pty.openpty()
    with closing(master, slave):
        tty.setraw(slave)
        transport, recorder = await loop.connect_read_pipe(Recorder, os.fdopen(master, "rb", 0))
        os.write(slave, b"typed")
        await recorder.until_received(5)
        os.close(slave)
        await recorder.until_lost()
        assert recorder.data == b"typed"
        assert isinstance(recorder.error, OSError)  # how Linux says that the other side is gone


async def test_a_terminal_for_writing(loop):
    master, slave = pty.openpty()
    with closing(master):
        tty.setraw(slave)
        transport, recorder = await loop.connect_write_pipe(Recorder, os.fdopen(slave, "wb", 0))
        transport.write(b"1")
        assert await in_thread(os.read, master, 100) == b"1"
        payload = os.urandom(1 << 18)
        transport.write(payload)
        assert await in_thread(read_exactly, master, len(payload)) == payload
        transport.close()
        await recorder.until_lost()
        assert recorder.error is None


async def test_one_terminal_for_both_directions(loop):
    master, slave = pty.openpty()
    with closing(master):
        tty.setraw(slave)
        writer = os.fdopen(os.dup(slave), "wb", 0)
        writing, source = await loop.connect_write_pipe(Recorder, writer)
        reading, sink = await loop.connect_read_pipe(Recorder, os.fdopen(slave, "rb", 0))
        await converse(master, reading, sink, writing, source)


async def test_one_descriptor_for_both_directions(loop):
    master, slave = pty.openpty()
    with closing(master, slave):
        tty.setraw(slave)
        reading, sink = await loop.connect_read_pipe(Recorder, os.fdopen(slave, "rb", 0, closefd=False))
        writing, source = await loop.connect_write_pipe(Recorder, os.fdopen(slave, "wb", 0, closefd=False))
        await converse(master, reading, sink, writing, source)


async def converse(master, reading, sink, writing, source):
    for number in range(1, 6):
        writing.write(b"%04d" % number)
        assert await in_thread(read_exactly, master, 4) == b"%04d" % number
        os.write(master, b"answer")
        await sink.until_received(6 * number)
    writing.close()
    await source.until_lost()
    os.write(master, b"more")
    await sink.until_received(34)
    reading.close()
    await sink.until_lost()
    assert source.error is None
    assert sink.error is None


async def test_stream_reader_and_writer_over_pipes(loop):
    inner, outer = os.pipe()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(inner, "rb", 0))
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(loop=loop), os.fdopen(outer, "wb", 0)
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)

    async def write():
        for number in range(1000):
            writer.write(b"%0999d\n" % number)
            await writer.drain()
        writer.close()

    writing = asyncio.ensure_future(write())
    for number in range(1000):
        assert await reader.readline() == b"%0999d\n" % number
    assert await reader.read() == b""
    await writing
    for _ in range(3):
        await asyncio.sleep(0)


async def test_callbacks_run_in_the_context_of_the_connecting_task(loop):
    import contextvars

    name = contextvars.ContextVar("name", default="unset")
    seen = []

    def note(recorder, *args):
        seen.append(name.get())

    name.set("ours")
    transport, recorder, outer = await read_pipe(
        loop, lambda: Recorder(on={"made": note, "data": note, "eof": note, "lost": note})
    )
    name.set("changed")
    os.write(outer, b"x")
    os.close(outer)
    await recorder.until_lost()
    assert seen == ["ours"] * 4


async def test_the_repr_tells_the_state(loop):
    transport, recorder, outer = await read_pipe(loop)
    assert "ReadPipeTransport" in repr(transport)
    assert f"fd={transport.get_extra_info('pipe').fileno()}" in repr(transport)
    transport.close()
    assert "closing" in repr(transport)
    await recorder.until_lost()
    await asyncio.sleep(0)
    assert "closed" in repr(transport)
    os.close(outer)
