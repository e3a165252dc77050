"""A signal's exception may leave a turn at any of the points where Python looks for signals. Nothing that the
loop was given or that came from the kernel is lost by that, and nothing happens twice.

Each trial runs the same scene on a fresh loop and raises at one such point more than the one before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dis
import functools
import inspect
import itertools
import platform
import socket
import sys
from collections import Counter

import csploop
import pytest
from csploop._loop import datagrams, debug, gather, records, timers, turn
from csploop._loop.words import REFERENCE_BYTES
from support.protocols import Recorder

pytestmark = [
    pytest.mark.ours("about the steps of csploop's own turn"),
    pytest.mark.skipif(
        platform.python_implementation() != "CPython", reason="only CPython looks for signals at known points"
    ),
]

LIMIT = 5_000  # turns that what is under way may take

# The loop's own part of a turn. Its callers and the called have user code, where the user gets the exception.
TURNING = {
    turn.__file__: {"_turns", "_take", "_dispatch", "_dispatch_rest", "_relieve", "_map_slab", "_run_ready"},
    records.__file__: {"unpack_items", "<listcomp>", "load_items", "take_datagram"},
    gather.__file__: {name for name in vars(gather.GatherMixin) if name.startswith("_")} - {"_on_rejected"},
    timers.__file__: {"_add_timers", "_cancel_timers", "_reserve_ids"},
    datagrams.__file__: {"_gather_datagrams"},
    debug.__file__: {"_run_ready_checked", "_dispatch_checked", "_dispatch_one", "_run_handle"},
}


class Interrupted(KeyboardInterrupt):
    """What the trials raise, so that a real Ctrl-C still ends them."""


@functools.cache
def start_of(code):
    """Where a function's beginning looks for signals: from 3.11 on at the instruction RESUME."""
    return next((each.offset for each in dis.get_instructions(code) if each.opname == "RESUME"), 0)


class Points:
    """A trace function that raises at the given one of the points: after calls, at jumps back and starts."""

    def __init__(self, number):
        self.left = number
        self.frames = {}
        self.where = None

    def _is_ours(self, frame):
        return frame is not None and frame.f_code.co_name in TURNING.get(frame.f_code.co_filename, ())

    def __call__(self, frame, event, argument):
        # Of what the loop calls in its own package, the start counts, too.
        ours = self._is_ours(frame)
        if not ours and not (self._is_ours(frame.f_back) and "csploop" in frame.f_code.co_filename):
            return None
        if frame.f_code.co_flags & inspect.CO_COROUTINE:
            return None  # a task's affair
        if frame.f_code.co_name == "__del__":
            return None  # Python keeps to itself what leaves a finalizer
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        self.point(frame)
        if not ours:
            return None
        self.frames[frame] = start_of(frame.f_code)
        return self.inside

    def inside(self, frame, event, argument):
        if event == "opcode":
            before = self.frames[frame]
            code, here = frame.f_code.co_code, frame.f_lasti
            name = dis.opname[code[before]]
            called = name.startswith("CALL") and "INTRINSIC" not in name
            self.frames[frame] = here
            if called or (here < before and "JUMP" in name):
                self.point(frame)
        elif event == "return":
            self.frames.pop(frame, None)
        return self.inside

    def point(self, frame):
        if self.left == 0:
            self.where = f"{frame.f_code.co_name}:{frame.f_lineno}"
            self.left = -1
            raise Interrupted(self.where)
        self.left -= 1


class Scene:
    """Something of everything that goes through a turn, to be seen exactly once."""

    def __init__(self, loop):
        self.loop = loop
        self.seen = Counter()
        self.expected = Counter()
        self.stack = contextlib.ExitStack()
        self.small, self.large = b"s" * 100, b"L" * REFERENCE_BYTES
        loop.run_until_complete(self.prepare())
        self.begin()

    def will(self, name):
        """A callback that must be called once."""
        self.expected[name] += 1
        return lambda *_: self.seen.update([name])

    def sockets(self):
        pair = socket.socketpair()
        for sock in pair:
            self.stack.callback(sock.close)
            sock.setblocking(False)
        return pair

    async def connect(self, **on):
        near, far = self.sockets()
        transport, protocol = await self.loop.create_connection(lambda: Recorder(on=on), sock=near)
        return transport, protocol, far

    async def prepare(self):
        loop = self.loop
        self.writers = [await self.connect() for _ in range(3)]
        for transport, _, _ in self.writers:
            transport.set_write_buffer_limits(1 << 20)  # so that nothing is sent inside write()
        self.closing, _, self.other_end = await self.connect(lost=self.will("lost by close"))
        _, self.reader, self.peer = await self.connect(
            data=self.will("data"), eof=self.will("eof"), lost=self.will("lost by eof")
        )
        self.datagrams, _ = await loop.create_datagram_endpoint(
            lambda: DatagramCounter(self), local_addr=("127.0.0.1", 0)
        )
        self.other = self.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.other.bind(("127.0.0.1", 0))
        self.other.setblocking(False)
        accepted = self.will("accepted")
        self.server = await loop.create_server(lambda: Recorder(on={"made": accepted}), "127.0.0.1", 0)
        near, self.far = self.sockets()
        self.receiving = loop.create_task(loop.sock_recv(near, 10))
        self.watched, self.rousing = self.sockets()
        loop.add_reader(self.watched, self.readable)
        self.expected["readable"] = 1
        self.later = loop.call_later(3600, self.seen.update, ["cancelled"])
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def begin(self):
        """What the trial's run finds to do."""
        loop = self.loop
        for number in range(3):
            loop.call_soon(self.will(f"soon {number}"))
            loop.call_at(loop.time() - 1, self.will(f"timer {number}"))
        loop.call_soon(self.later.cancel)
        loop.call_soon(self.write)
        self.peer.send(b"data")
        self.peer.close()
        self.far.send(b"for sock_recv")
        self.rousing.send(b"x")
        self.client = self.stack.enter_context(socket.create_connection(self.server.sockets[0].getsockname()))
        for number in range(2):
            self.expected[f"received {number}"] = 1
            self.other.sendto(b"received %d" % number, self.datagrams.get_extra_info("sockname"))

    def readable(self):
        self.loop.remove_reader(self.watched)
        self.seen["readable"] += 1

    def write(self):
        address = self.other.getsockname()
        for transport, _, _ in self.writers:
            transport.write(b"<" + self.small)
            transport.write(self.small + b">")
        transport.write(self.large)
        transport.write(self.small)
        transport.write(self.large)
        for number in range(3):
            self.expected[f"sent {number}"] = 1
            self.datagrams.sendto(b"sent %d" % number, address)
        self.closing.close()
        self.written = True

    written = False
    arrived = ()

    def look(self):
        """Takes what came to the other ends; True when everything has happened."""
        if not self.arrived:
            self.arrived = [bytearray() for _ in self.writers]
        for (_, _, far), arrived in zip(self.writers, self.arrived):
            with contextlib.suppress(BlockingIOError):
                arrived += far.recv(1 << 20)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.seen[self.other.recv(100).decode()] += 1
        return (
            self.written
            and self.receiving.done()
            and not self.missing()
            and sum(map(len, self.arrived)) >= len(self.writers) * 202 + 2 * len(self.large) + 100
        )

    def missing(self):
        return self.expected - self.seen

    def run(self):
        """To the end, unless it is interrupted."""

        def again():
            if self.finished:
                return
            if self.look():
                self.loop.stop()
            else:
                self.loop.call_soon(again)

        self.finished = False
        self.loop.call_soon(again)
        self.loop.run_forever()

    def finish(self):
        """What the trial's run left; then everything must have happened, once."""
        self.finished = True
        for _ in range(LIMIT):
            if self.look():
                break
            self.loop.run_until_complete(asyncio.sleep(0))
        # Once more around: what happens twice shows.
        for _ in range(3):
            self.loop.run_until_complete(asyncio.sleep(0))
        self.look()
        lost, twice = self.expected - self.seen, self.seen - self.expected
        assert not lost and not twice, f"lost: {[*lost]}, twice: {[*twice]}"
        both = b"<" + 2 * self.small + b">"
        assert self.arrived == [both, both, both + self.large + self.small + self.large]
        assert self.receiving.result() == b"for sock_r"
        assert self.reader.data == b"data"
        assert not self.loop._references
        assert not self.loop._timers

    def close(self):
        for transport, _, _ in self.writers:
            transport.abort()
        self.datagrams.close()
        self.server.close()
        self.loop.run_until_complete(asyncio.sleep(0))
        for listed in list(self.loop._streams.values()):
            listed.abort()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.stack.close()
        self.loop.close()


class DatagramCounter(asyncio.DatagramProtocol):
    def __init__(self, scene):
        self.scene = scene

    def datagram_received(self, data, address):
        self.scene.seen[data.decode()] += 1


def trial(number, debug):
    """Where the run was interrupted; None if it had ended before."""
    loop = csploop.Loop()
    loop.set_debug(debug)
    loop.slow_callback_duration = 3600
    scene = Scene(loop)
    points = Points(number)
    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # 3.12 looks for such frames when the tracing begins
    sys.settrace(points)
    try:
        scene.run()
    except Interrupted:
        pass
    finally:
        sys.settrace(before)
        points.frames.clear()
    try:
        scene.finish()
    except AssertionError as exc:
        raise AssertionError(f"interrupted at {points.where}: {exc}") from exc
    finally:
        scene.close()
    return points.where


@pytest.mark.timeout(120)
@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
def test_nothing_is_lost_or_doubled(debug):
    places = set()
    # Debug mode has twice the points, and takes longer for each.
    for number in itertools.count(step=3 if debug else 1):
        where = trial(number, debug)
        if where is None:
            break
        places.add(where.partition(":")[0])
    if not debug:
        assert {"_gather", "_gather_large", "_gather_datagrams", "_add_timers", "_take"} <= places
