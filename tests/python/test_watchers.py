"""add_reader, add_writer, remove_reader, remove_writer."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading

import csploop
import pytest
from csploop._ffi import lib
from support.peers import adopt
from support.protocols import Recorder

pytestmark = pytest.mark.io


@pytest.fixture
def ends():
    a, b = socket.socketpair()
    a.setblocking(False)
    b.setblocking(False)
    with a, b:
        yield a, b


async def turns(count=6):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_reader_is_called_as_long_as_there_is_something_to_read(loop, ends):
    a, b = ends
    seen = []
    loop.add_reader(a, seen.append, "readable")
    await turns()
    assert seen == []
    b.send(b"xy")
    while len(seen) < 3:
        await asyncio.sleep(0)
    a.recv(10)
    await turns(2)
    count = len(seen)
    await turns()
    assert len(seen) == count
    assert loop.remove_reader(a) is True


async def test_a_writer_is_called_as_long_as_there_is_room(loop, ends):
    a, b = ends
    seen = []
    loop.add_writer(a, seen.append, 1)
    while len(seen) < 3:
        await asyncio.sleep(0)
    assert loop.remove_writer(a) is True
    count = len(seen)
    await turns()
    assert len(seen) == count


async def test_reader_and_writer_of_one_descriptor_are_independent(loop, ends):
    a, b = ends
    read, wrote = [], []
    loop.add_reader(a, lambda: read.append(a.recv(10)))
    loop.add_writer(a, lambda: wrote.append(1))
    b.send(b"hello")
    while not (read and wrote):
        await asyncio.sleep(0)
    assert loop.remove_writer(a)
    b.send(b"again")
    while len(read) < 2:
        await asyncio.sleep(0)
    assert read == [b"hello", b"again"]
    assert loop.remove_reader(a)


async def test_removing_tells_whether_there_was_one(loop, ends):
    a, _ = ends
    assert loop.remove_reader(a) is False
    assert loop.remove_writer(a) is False
    loop.add_reader(a, print)
    assert loop.remove_writer(a) is False
    assert loop.remove_reader(a) is True
    assert loop.remove_reader(a) is False


async def test_a_second_reader_replaces_the_first(loop, ends):
    a, b = ends
    seen = []
    loop.add_reader(a, seen.append, "first")
    loop.add_reader(a, lambda: seen.append(a.recv(10)))
    b.send(b"x")
    while not seen:
        await asyncio.sleep(0)
    assert seen == [b"x"]
    assert loop.remove_reader(a) is True
    assert loop.remove_reader(a) is False


@pytest.mark.parametrize("form", ["socket", "number"])
async def test_sockets_and_numbers_name_the_same(loop, ends, form):
    a, b = ends
    what = a if form == "socket" else a.fileno()
    seen = []
    loop.add_reader(what, lambda: seen.append(a.recv(1)))
    b.send(b"x")
    while not seen:
        await asyncio.sleep(0)
    assert loop.remove_reader(a.fileno()) is True


async def test_a_removed_reader_is_not_called_even_if_it_was_ready_already(loop):
    pairs = [socket.socketpair() for _ in range(5)]
    seen = []

    def readable(number):
        seen.append(number)
        for other, _ in pairs:
            loop.remove_reader(other)

    for number, (a, b) in enumerate(pairs):
        b.send(b"x")
        loop.add_reader(a, readable, number)
    while not seen:
        await asyncio.sleep(0)
    await turns()
    assert len(seen) == 1
    for a, b in pairs:
        a.close()
        b.close()


async def test_pipes_can_be_watched(loop):
    reading, writing = os.pipe()
    seen = []
    loop.add_reader(reading, lambda: seen.append(os.read(reading, 10)))
    os.write(writing, b"through a pipe"[:10])
    while not seen:
        await asyncio.sleep(0)
    assert seen == [b"through a "]
    assert loop.remove_reader(reading)
    os.close(reading)
    os.close(writing)


async def test_the_end_of_a_pipe_makes_it_readable(loop):
    reading, writing = os.pipe()
    ended = loop.create_future()

    def readable():
        if not os.read(reading, 10):
            loop.remove_reader(reading)
            ended.set_result(None)

    loop.add_reader(reading, readable)
    await turns()
    os.close(writing)
    await ended
    os.close(reading)


def errors_of(loop, what):
    """What both calls raise for something that cannot be watched."""
    found = []
    for call in (loop.add_reader, loop.add_writer):
        try:
            call(what, print)
        except Exception as error:
            found.append((type(error), getattr(error, "errno", None)))
        else:
            found.append(None)
    return found


@pytest.mark.parametrize("what", [-1, 999_999, "text", None, 1.5, object()], ids=repr)
async def test_what_is_no_open_descriptor_is_refused_as_by_asyncio(loop, what):
    reference = asyncio.SelectorEventLoop()
    try:
        assert errors_of(loop, what) == errors_of(reference, what)
    finally:
        reference.close()


async def test_a_regular_file_cannot_be_watched(loop, tmp_path):
    with open(tmp_path / "file", "wb") as file:
        for call in (loop.add_reader, loop.add_writer):
            with pytest.raises(PermissionError) as caught:
                call(file, print)
            assert caught.value.errno == errno.EPERM
        assert loop.remove_reader(file) is False


async def test_a_closed_socket_is_a_value_error(loop):
    sock = socket.socket()
    sock.close()
    with pytest.raises(ValueError):
        loop.add_reader(sock, print)


@pytest.mark.parametrize("side", ["reader", "writer"])
async def test_a_socket_that_is_closed_already_can_still_be_removed(loop, side):
    a, b = socket.socketpair()
    with a, b:
        getattr(loop, f"add_{side}")(a, print)
        a.close()
        removed = getattr(loop, f"remove_{side}")(a)
        assert removed in (True, None)  # uvloop does not tell
        with pytest.raises(ValueError):
            getattr(loop, f"add_{side}")(a, print)


async def test_the_descriptor_of_a_transport_is_refused(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    fd = transport.get_extra_info("socket").fileno()
    for call in (
        lambda: loop.add_reader(fd, print),
        lambda: loop.add_writer(fd, print),
        lambda: loop.remove_reader(fd),
        lambda: loop.remove_writer(fd),
    ):
        with pytest.raises(RuntimeError, match="is used by transport"):
            call()
    transport.abort()
    await recorder.until_lost()
    peer.close()


async def test_a_descriptor_can_be_watched_again_after_its_transport_is_gone(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    fd = transport.get_extra_info("socket").fileno()
    transport.abort()
    await recorder.until_lost()
    await turns()
    a, b = socket.socketpair()
    with a, b:
        numbers = {a.fileno(), b.fileno()}
        watched = a if a.fileno() == fd or fd not in numbers else b
        loop.add_writer(watched, int)
        assert loop.remove_writer(watched)
    peer.close()


async def test_a_reused_number_is_watched_anew(loop):
    for number in range(10):
        a, b = socket.socketpair()
        seen = []
        loop.add_reader(a, lambda a=a, seen=seen: seen.append(a.recv(10)))
        b.send(b"%d" % number)
        while not seen:
            await asyncio.sleep(0)
        assert seen == [b"%d" % number]
        loop.remove_reader(a)
        a.close()
        b.close()


async def test_a_failing_watcher_is_reported_and_stays(loop, ends, reports):
    a, b = ends

    def readable():
        raise LookupError("as planned")

    loop.add_reader(a, readable)
    b.send(b"x")
    while len(reports) < 2:
        await asyncio.sleep(0)
    loop.remove_reader(a)
    for report in reports.take_all():
        assert isinstance(report["exception"], LookupError)


async def test_sock_recv_and_a_writer_share_a_socket(loop, ends):
    a, b = ends
    wrote = []
    receiving = loop.create_task(loop.sock_recv(a, 10))
    await asyncio.sleep(0)
    loop.add_writer(a, wrote.append, 1)
    while not wrote:
        await asyncio.sleep(0)
    b.send(b"hello")
    assert await receiving == b"hello"
    assert loop.remove_writer(a)


async def test_a_reader_that_never_reads_starves_nobody(loop, ends):
    a, b = ends
    b.send(b"x")
    count = [0]

    def readable():
        count[0] += 1

    loop.add_reader(a, readable)
    await asyncio.sleep(0.002)  # a timer comes through
    while count[0] < 2:  # it is told for as long as it lasts, however few turns the timer took
        await asyncio.sleep(0)
    loop.remove_reader(a)


def run_beside(loop, other):
    """Runs the loop until another thread, which begins when the loop runs, has done `other`."""
    running = threading.Event()

    def work():
        assert running.wait(30)
        try:
            other()
        finally:
            loop.call_soon_threadsafe(loop.stop)

    loop.call_soon(running.set)
    thread = threading.Thread(target=work)
    thread.start()
    loop.run_forever()
    thread.join()


def test_another_thread_may_add_and_remove_while_the_loop_waits(loop, ends):
    # asyncio does not promise it, but programs do so (Jupyter's kernel among them), and it works there.
    ours, theirs = ends
    room, came, answers = threading.Event(), threading.Event(), []

    def writable():
        loop.remove_writer(ours)
        room.set()

    def readable():
        answers.append(ours.recv(10))
        answers.append(threading.get_ident())
        came.set()

    def other():
        answers.append(loop.remove_reader(ours))
        loop.add_reader(ours, readable)
        loop.add_writer(ours, writable)
        answers.append(room.wait(30))
        theirs.send(b"hello")
        answers.append(came.wait(30))
        answers.append(loop.remove_reader(ours))
        answers.append(loop.remove_reader(ours))
        theirs.send(b"more")

    run_beside(loop, other)
    assert answers == [False, True, b"hello", threading.get_ident(), True, True, False]
    assert ours.recv(10) == b"more"
    assert not loop.remove_writer(ours)


def test_what_another_thread_may_not_watch_is_refused_at_once(loop, tmp_path):
    errors = []

    def other():
        with (tmp_path / "file").open("wb") as file:
            gone = os.dup(file.fileno())
            os.close(gone)
            for what in (gone, file, -1, "no file"):
                try:
                    loop.add_reader(what, errors.append, "called")
                except (OSError, ValueError) as exc:
                    errors.append((type(exc), getattr(exc, "errno", None)))

    run_beside(loop, other)
    assert errors == [
        (OSError, errno.EBADF),
        (PermissionError, errno.EPERM),
        (ValueError, None),
        (ValueError, None),
    ]


@pytest.mark.parametrize("first", ["reader", "writer"])
def test_the_loop_and_another_thread_share_a_descriptor(loop, ends, first):
    # What the other thread asked for waits for the loop's next turn, which comes only when both have asked.
    ours, theirs = ends
    theirs.send(b"x")
    called = []

    def readable():
        called.append("reader")
        loop.remove_reader(ours)

    def writable():
        called.append("writer")
        loop.remove_writer(ours)

    watch = {"reader": (loop.add_reader, readable), "writer": (loop.add_writer, writable)}

    async def main():
        add, callback = watch.pop(first)
        thread = threading.Thread(target=add, args=(ours, callback))
        thread.start()
        thread.join()
        ((add, callback),) = watch.values()
        add(ours, callback)
        while len(called) < 2:
            await asyncio.sleep(0)
        loop.add_reader(ours, called.append, "again")
        thread = threading.Thread(target=loop.remove_reader, args=(ours,))
        thread.start()
        thread.join()
        loop.add_writer(ours, writable)
        while len(called) < 3:
            await asyncio.sleep(0)

    loop.run_until_complete(asyncio.wait_for(main(), 30))
    assert sorted(called) == ["reader", "writer", "writer"]


def test_a_descriptor_that_is_closed_before_the_loop_hears_of_it_is_reported(loop, ends, reports):
    ours, _ = ends

    async def main():
        copy = ours.dup()
        thread = threading.Thread(target=loop.add_reader, args=(copy.fileno(), print))
        thread.start()
        thread.join()
        number = copy.fileno()
        copy.close()
        await turns()
        return number

    number = loop.run_until_complete(main())
    assert reports.take()["exception"].errno == errno.EBADF
    assert not loop.remove_reader(number)


def test_another_thread_may_add_and_remove_while_a_run_begins(ends):
    ours, theirs = ends
    theirs.send(b"x")
    begun, added, answers = threading.Event(), threading.Event(), []

    class Slow(csploop.Loop):
        def _open_signal_gate(self):
            begun.set()  # the core belongs to this thread by now, and nobody else knows
            answers.append(added.wait(30))
            return super()._open_signal_gate()

    def other():
        assert begun.wait(30)
        answers.append(loop.remove_reader(theirs))
        loop.add_reader(ours, loop.stop)
        added.set()

    loop = Slow()
    try:
        loop.add_reader(theirs, answers.append, "called")
        thread = threading.Thread(target=other)
        thread.start()
        loop.run_forever()
        thread.join()
        assert loop.remove_reader(ours)
    finally:
        loop.close()
    assert answers == [True, True]


@pytest.mark.ours("looks inside: what is tested is a moment in the midst of a call")
def test_a_reader_added_while_the_loop_removes_the_writer_is_not_lost(ends):
    ours, theirs = ends
    came = threading.Event()

    class Library:
        """The core's, with another thread that comes in the midst of the call that ends a watcher."""

        def __getattr__(self, name):
            return getattr(lib, name)

        def csploop_unwatch(self, core, id):
            if thread.ident is None:
                thread.start()
                added.wait(0.05)  # as much of a chance as it needs, where it does not have to wait for us
            return lib.csploop_unwatch(core, id)

    def readable():
        loop.remove_reader(ours)
        came.set()
        loop.stop()

    def add():
        loop.add_reader(ours, readable)
        added.set()

    loop = csploop.Loop()
    added, thread = threading.Event(), threading.Thread(target=add)
    try:
        loop.add_writer(ours, print)
        loop._lib = Library()
        loop.call_soon(loop.remove_writer, ours)
        theirs.send(b"x")
        loop.call_later(20, loop.stop)
        loop.run_forever()
        assert came.is_set()
    finally:
        thread.join()
        loop._lib = lib
        loop.close()
