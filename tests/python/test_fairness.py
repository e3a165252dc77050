"""Callbacks that are always ready must not starve I/O, timers or other threads."""

from __future__ import annotations

import asyncio
import threading

import pytest
from support.peers import adopt
from support.protocols import Echo, Recorder

pytestmark = pytest.mark.io

BOUND = 200_000  # turns until something is called starved; a few are usual


class Busy:
    """A callback that is ready in every turn, and counts the turns."""

    def __init__(self, loop):
        self.loop = loop
        self.turns = 0
        self.on = True
        loop.call_soon(self)

    def __call__(self):
        self.turns += 1
        if self.on:
            self.loop.call_soon(self)


async def until(busy, test):
    while not test():
        await asyncio.sleep(0)
        assert busy.turns < BOUND, "starved"


async def test_data_arrives_while_callbacks_are_always_ready(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    busy = Busy(loop)
    for number in range(1, 20):
        peer.send_now(b"x")
        await until(busy, lambda number=number: recorder.received >= number)
    busy.on = False
    transport.abort()
    await recorder.until_lost()
    peer.close()


async def test_timers_fire_while_callbacks_are_always_ready(loop):
    busy = Busy(loop)
    fired = []
    loop.call_later(0.001, fired.append, 1)
    await until(busy, lambda: fired)
    busy.on = False


async def test_other_threads_get_through_while_callbacks_are_always_ready(loop):
    busy = Busy(loop)
    arrived = []
    thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(arrived.append, 1))
    thread.start()
    await until(busy, lambda: arrived)
    busy.on = False
    thread.join()


async def test_writes_leave_while_callbacks_are_always_ready(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    busy = Busy(loop)
    transport.write(b"x" * (8 << 20))
    reading = loop.create_task(peer.recv(8 << 20))
    await reading
    busy.on = False
    transport.abort()
    await recorder.until_lost()
    peer.close()


async def test_due_timers_do_not_starve_io(loop):
    transport, echo, peer = await adopt(loop, Echo)
    on = [True]
    count = [0]

    def always_due():
        count[0] += 1
        if on[0]:
            loop.call_later(0, always_due)

    loop.call_later(0, always_due)
    for _ in range(10):
        await peer.send(b"x")
        assert await peer.recv(1) == b"x"
    on[0] = False
    transport.abort()
    peer.close()


async def test_every_ready_stream_is_served_before_any_is_served_twice(loop):
    order = []
    made = []
    for number in range(20):

        def data(recorder, data, number=number):
            order.append(number)

        made.append(await adopt(loop, lambda data=data: Recorder(on={"data": data})))
    for _ in range(2):
        for _, _, peer in made:
            peer.send_now(b"x")
        await asyncio.gather(*(recorder.until_received(1) for _, recorder, _ in made))
        assert sorted(order[:20]) == list(range(20))
        del order[:]
        for _, recorder, _ in made:
            recorder.received = 0
    for transport, recorder, peer in made:
        transport.abort()
        await recorder.until_lost()
        peer.close()
