"""Driver: a loop that a host turns. The host here is a few lines around poll()."""

from __future__ import annotations

import asyncio
import gc
import select
import signal
import socket
import sys
import threading

import pytest
from csploop._loop.driver import Driver
from support.peers import adopt
from support.protocols import Echo

pytestmark = [pytest.mark.io, pytest.mark.ours("asyncio has no such thing")]


class Host:
    """Sleeps in poll() until the loop wants a step; counts what it was asked."""

    def __init__(self, loop):
        self.steps = 0
        self.rearmed = 0
        self.driver = Driver(loop, rearm=self._rearm, on_stop=self._stop)
        self.stopped = False

    def _rearm(self):
        self.rearmed += 1

    def _stop(self):
        self.stopped = True

    def sleep(self):
        """Waits until a step is wanted; True if it was the descriptor that said so."""
        poll = select.poll()
        poll.register(self.driver.fileno(), select.POLLIN)
        timeout = self.driver.timeout()
        return bool(poll.poll(None if timeout is None else timeout * 1000 + 1))

    def turn(self):
        self.sleep()
        self.steps += 1
        self.driver.step()

    def until(self, awaitable):
        future = asyncio.ensure_future(awaitable, loop=self.driver.loop)
        while not future.done():
            self.turn()
        return future.result()


@pytest.fixture
def host(loop):
    host = Host(loop)
    with host.driver:
        yield host


def test_timers_tasks_and_threads_work(host):
    loop = host.driver.loop

    async def main():
        await asyncio.sleep(0.01)
        assert asyncio.get_running_loop() is loop
        return await loop.run_in_executor(None, threading.get_ident)

    assert host.until(main()) != threading.get_ident()
    host.until(loop.shutdown_default_executor())


def test_streams_work(host):
    loop = host.driver.loop

    async def main():
        transport, _, peer = await adopt(loop, Echo)
        await peer.send(b"x" * 100_000)
        assert await peer.recv(100_000) == b"x" * 100_000
        transport.close()
        peer.close()

    host.until(main())
    host.until(loop.shutdown_default_executor())


def test_an_idle_loop_wants_no_step(host):
    loop = host.driver.loop
    while host.driver.timeout() is not None:
        host.driver.step()
    poll = select.poll()
    poll.register(host.driver.fileno(), select.POLLIN)
    assert not poll.poll(0)
    loop.call_later(3600, print).cancel()
    assert host.driver.timeout() is None or host.driver.timeout() > 3000


def test_a_call_from_another_thread_ends_the_hosts_sleep(host):
    loop = host.driver.loop
    future = loop.create_future()
    assert host.driver.timeout() is None
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(future.set_result, 1))
    thread.start()
    assert host.sleep()
    while not future.done():
        host.driver.step()
    thread.join()
    assert host.rearmed == 0, "the descriptor tells of it, so nobody needs to be called"


@pytest.mark.parametrize(
    "what", ["call_soon", "call_soon_threadsafe", "call_later", "add_reader", "write", "close"]
)
def test_what_the_host_schedules_between_steps_rearms_once(host, what):
    loop = host.driver.loop
    transport, _, peer = host.until(adopt(loop, Echo, "unix"))
    while host.driver.timeout() is not None:
        host.driver.step()
    before = host.rearmed
    ours, theirs = socket.socketpair()
    for _ in range(3):
        if what.startswith("call_soon"):
            getattr(loop, what)(int)
        elif what == "call_later":
            loop.call_later(0.001, int)
        elif what == "add_reader":
            loop.add_reader(ours, int)
        elif what == "write":
            transport.write(b"x")
        else:
            transport.close()
    assert host.rearmed == before + 1
    host.driver.timeout()
    loop.call_soon(int)
    assert host.rearmed == before + 2, "after the next question it is asked again"
    if what == "write":
        assert peer.read_exactly(3) == b"xxx"
    loop.remove_reader(ours)
    transport.close()
    peer.close()
    ours.close()
    theirs.close()
    while transport._sock is not None:
        host.turn()


def test_nothing_inside_a_step_rearms(host):
    async def main():
        for _ in range(5):
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)

    task = host.driver.loop.create_task(main())
    before = host.rearmed
    while not task.done():
        host.turn()
    assert host.rearmed == before


def test_deadlines_are_on_the_loops_clock(host):
    loop = host.driver.loop
    when = loop.time() + 1000
    handle = loop.call_at(when, print)
    deadline = host.driver.next_deadline()
    assert deadline == pytest.approx(when * 1e9, abs=1000)
    handle.cancel()


def test_the_loop_counts_as_running(host):
    loop = host.driver.loop
    assert loop.is_running()
    with pytest.raises(RuntimeError, match="already running"):
        loop.run_forever()
    with pytest.raises(RuntimeError, match="running"):
        loop.close()
    with pytest.raises(RuntimeError, match="already running"):
        Driver(loop, rearm=int).open()


def test_stop_is_the_hosts_matter(host):
    host.driver.loop.call_soon(host.driver.loop.stop)
    host.turn()
    assert host.stopped
    host.driver._on_stop = None
    with pytest.raises(RuntimeError, match="driven by a host"):
        host.driver.loop.stop()


def test_a_step_inside_a_step_is_an_error(host, reports):
    loop = host.driver.loop
    errors = []

    def inner():
        for act in (host.driver.step, host.driver.close):
            with pytest.raises(RuntimeError, match="inside"):
                act()
        errors.append(True)

    loop.call_soon(inner)
    host.turn()
    assert errors


def test_a_step_may_run_several_rounds(host):
    loop = host.driver.loop
    seen = []

    def again(left):
        seen.append(left)
        if left:
            loop.call_soon(again, left - 1)

    loop.call_soon(again, 3)
    host.driver.step()
    assert seen == [3], "only the turn, unless it is asked for"
    while seen[-1]:
        before = len(seen)
        host.driver.step(rounds=True)
        assert len(seen) > before


def test_rounds_end_and_leave_the_host_its_turn(host):
    loop = host.driver.loop
    going = True

    def again():
        if going:
            loop.call_soon(again)

    again()
    for _ in range(3):
        host.driver.step(rounds=True)
        host.driver.step(lazily=True)
    assert host.driver.timeout() == 0
    going = False
    host.driver.step()


def test_rounds_end_where_something_waits_to_be_sent(host):
    """A callback may count on it that what was written in the round before is with the core."""
    loop = host.driver.loop
    transport, _, peer = host.until(adopt(loop, Echo, "unix"))
    waiting = []

    def write():
        transport.write(b"x")
        loop.call_soon(look)

    def look():
        waiting.append(len(loop._dirty))

    loop.call_soon(write)
    while not waiting:
        host.driver.step(rounds=True)
    assert waiting == [0]
    assert peer.read_exactly(1) == b"x"
    transport.close()
    peer.close()
    while transport._sock is not None:
        host.turn()


def test_a_lazy_step_runs_what_is_ready_and_leaves_the_kernel_for_later(host):
    loop = host.driver.loop
    seen = []
    ours, theirs = socket.socketpair()
    loop.add_reader(ours, seen.append, "readable")
    while host.driver.timeout() is not None:
        host.driver.step()
    theirs.send(b"x")
    loop.call_soon(seen.append, "ready")
    host.driver.step(lazily=True)
    assert "ready" in seen
    while "readable" not in seen:
        host.driver.step(lazily=True)  # with nothing ready it asks
    loop.remove_reader(ours)
    ours.close()
    theirs.close()


def test_stop_ends_the_rounds(host):
    loop = host.driver.loop
    seen = []
    loop.call_soon(loop.stop)
    loop.call_soon(lambda: loop.call_soon(seen.append, "later"))
    host.driver.step(rounds=True)
    assert host.stopped
    assert host.driver.stopped
    assert not seen
    host.driver.step()
    assert seen == ["later"]


def test_a_driven_loop_may_share_its_thread_with_a_running_one(loop_kind):
    outer, inner = loop_kind.new(), loop_kind.new()

    async def main():
        host = Host(inner)
        with host.driver:
            host.until(asyncio.wait_for(inside(), 5))
            with pytest.raises(RuntimeError, match="already running"):
                Driver(inner, rearm=int).open()

    async def inside():
        assert asyncio.get_running_loop() is inner

    outer.run_until_complete(main())
    for loop in (outer, inner):
        loop.close()


def test_keyboard_interrupt_leaves_the_step_and_loses_nothing(host):
    loop = host.driver.loop
    seen = []

    def interrupt():
        raise KeyboardInterrupt

    loop.call_soon(seen.append, 1)
    loop.call_soon(interrupt)
    loop.call_soon(seen.append, 2)
    with pytest.raises(KeyboardInterrupt):
        host.turn()
    assert host.driver.timeout() == 0
    host.turn()
    assert seen == [1, 2]


def test_a_signal_makes_the_descriptor_readable(host):
    seen = []
    host.driver.loop.add_signal_handler(signal.SIGUSR1, seen.append, 1)
    assert host.driver.timeout() is None
    signal.raise_signal(signal.SIGUSR1)
    assert host.sleep()
    while not seen:
        host.driver.step()
    host.driver.loop.remove_signal_handler(signal.SIGUSR1)
    while host.driver.timeout() == 0:
        host.driver.step()


def test_a_loop_stepped_inside_another_loop_leaves_that_one_as_it_was(loop_kind, host):
    inner = host.driver.loop
    outer = loop_kind.new()

    async def inside():
        return asyncio.get_running_loop(), asyncio.current_task()

    async def main():
        me = asyncio.current_task()
        hooks = sys.get_asyncgen_hooks()
        task = inner.create_task(inside())
        while not task.done():
            host.turn()
        assert task.result() == (inner, task)
        assert asyncio.get_running_loop() is outer
        assert asyncio.current_task() is me
        assert sys.get_asyncgen_hooks() == hooks

    outer.run_until_complete(main())
    outer.close()


def test_debug_mode_can_change_while_driven(host):
    loop = host.driver.loop
    for debug in (True, False):
        loop.set_debug(debug)
        host.until(asyncio.sleep(0.001))
        before = host.rearmed
        host.driver.timeout()
        loop.call_soon(int)
        assert host.rearmed == before + 1
        host.turn()


def test_the_loop_runs_by_itself_before_and_after(loop):
    loop.run_until_complete(asyncio.sleep(0))
    host = Host(loop)
    for _ in range(2):
        with host.driver:
            host.until(asyncio.sleep(0.001))
        assert not loop.is_running()
        loop.run_until_complete(asyncio.sleep(0))
        rearmed = host.rearmed
        loop.call_soon(int)
        assert host.rearmed == rearmed


def test_what_was_scheduled_before_opening_is_due_at_once(loop):
    seen = []
    loop.call_soon(seen.append, 1)
    host = Host(loop)
    with host.driver:
        assert host.driver.timeout() == 0
        host.driver.step()
    assert seen == [1]


def test_a_driver_keeps_nothing_alive(loop_kind):
    loop = loop_kind.new()
    host = Host(loop)
    with host.driver:
        host.until(asyncio.sleep(0))
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        host.driver.open()
    del host, loop
    gc.collect()
