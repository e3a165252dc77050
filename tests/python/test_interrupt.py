"""KeyboardInterrupt and SystemExit leave a run in the middle; the rest survives."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import pytest
from support.peers import adopt
from support.protocols import Recorder

EXITS = pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit], ids=lambda kind: kind.__name__)


def leave(kind):
    raise kind("as planned")


@EXITS
def test_it_leaves_the_run_and_the_other_callbacks_run_in_the_next(loop, kind):
    seen = []
    loop.call_soon(seen.append, 1)
    loop.call_soon(leave, kind)
    loop.call_soon(seen.append, 2)
    with pytest.raises(kind, match="as planned"):
        loop.run_forever()
    loop.run_until_complete(asyncio.sleep(0))
    assert seen == [1, 2]


@EXITS
def test_timers_that_were_due_in_the_same_turn_fire_in_the_next_run(loop, loop_kind, kind):
    seen = []
    past = loop.time() - 1
    loop.call_at(past, seen.append, 1)
    loop.call_at(past + 0.01, leave, kind)
    loop.call_at(past + 0.02, seen.append, 2)
    with pytest.raises(kind):
        loop.run_forever()
    loop.run_until_complete(asyncio.sleep(0.001))
    assert seen == [1, 2]


@EXITS
def test_it_passes_through_run_until_complete_from_a_task(loop, kind):
    async def main():
        await asyncio.sleep(0)
        leave(kind)

    with pytest.raises(kind):
        loop.run_until_complete(main())
    assert loop.run_until_complete(asyncio.sleep(0, "goes on")) == "goes on"


@pytest.mark.io
@EXITS
def test_data_of_other_streams_in_the_same_batch_is_not_lost(loop, kind):
    # All peers write before the loop polls, so that one batch holds them all.
    async def connect():
        def data(recorder, data):
            if not raised:
                raised.append(1)
                leave(kind)

        return [await adopt(loop, lambda: Recorder(on={"data": data})) for _ in range(8)]

    raised = []
    made = loop.run_until_complete(connect())
    for number, (_, _, peer) in enumerate(made):
        peer.send_now(b"message %d" % number)
    with pytest.raises(kind):
        loop.run_forever()

    async def rest():
        for number, (transport, recorder, peer) in enumerate(made):
            await recorder.until_received(1)
            assert recorder.data == b"message %d" % number
            transport.abort()
            await recorder.until_lost()
            peer.close()

    loop.run_until_complete(rest())
    assert raised == [1]


@pytest.mark.io
@EXITS
def test_what_was_written_before_it_goes_out(loop, kind):
    transport, recorder, peer = loop.run_until_complete(adopt(loop, Recorder))

    def write_and_leave():
        transport.write(b"written before leaving")
        leave(kind)

    loop.call_soon(write_and_leave)
    with pytest.raises(kind):
        loop.run_forever()
    # The loop is not running now: the bytes are on their way already.
    assert peer.read_exactly(22) == b"written before leaving"
    transport.close()
    loop.run_until_complete(recorder.until_lost())
    peer.close()


@pytest.mark.io
@EXITS
def test_watchers_of_the_same_batch_are_called_in_the_next_run(loop, kind):
    pairs = [socket.socketpair() for _ in range(4)]
    seen = []

    def readable(number, sock):
        loop.remove_reader(sock)
        seen.append(number)
        if len(seen) == 1:
            leave(kind)

    for number, (a, b) in enumerate(pairs):
        loop.add_reader(a, readable, number, a)
        b.send(b"x")
    with pytest.raises(kind):
        loop.run_forever()
    assert len(seen) == 1
    while len(seen) < 4:
        loop.run_until_complete(asyncio.sleep(0))
    assert sorted(seen) == [0, 1, 2, 3]
    for a, b in pairs:
        a.close()
        b.close()


def test_other_base_exceptions_are_reported_and_the_run_goes_on(loop, reports):
    class Odd(BaseException):
        pass

    seen = []
    loop.call_soon(leave, Odd)
    loop.call_soon(seen.append, 1)
    loop.run_until_complete(asyncio.sleep(0))
    assert seen == [1]
    assert isinstance(reports.take()["exception"], Odd)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs pthread_kill to aim a signal")
def test_a_signal_reaches_its_handler_while_the_loop_waits(loop):
    seen = []

    def handler(number, frame):
        seen.append(number)
        loop.call_soon_threadsafe(loop.stop)

    before = signal.signal(signal.SIGUSR1, handler)
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    try:
        main = threading.get_ident()
        running = threading.Event()
        thread = threading.Thread(target=lambda: (running.wait(), signal.pthread_kill(main, signal.SIGUSR1)))
        thread.start()
        loop.call_soon(running.set)
        loop.run_forever()
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]
    now = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(now)
    assert now == wakeup


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to a single process there")
def test_ctrl_c_ends_a_program_that_waits(loop_kind):
    program = f"""
    import asyncio, functools, sys
    sys.path[:0] = {sys.path!r}
    from support.kinds import KINDS
    loop = KINDS[{loop_kind.name!r}].new()

    async def main():
        # Printed while this task waits already.
        loop.call_soon(functools.partial(print, "waiting", flush=True))
        try:
            await loop.create_future()
        finally:
            print("cleaned up", flush=True)

    task = loop.create_task(main())
    try:
        loop.run_forever()
    except KeyboardInterrupt:
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()
        print("interrupted", flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()
        assert process.wait(timeout=50) == 0
    assert output == "cleaned up\ninterrupted\n"
