"""The end of a Trio task that asyncio code waits for.

Its caller goes on when the loop is turned next: by the pump in the first calls, and in the ended task's own
last step when calls have come one by one for a while. Most of the tests run in both states.
"""

from __future__ import annotations

import asyncio
import contextvars
import signal
import sys
import threading
import weakref

import csploop.trio
import pytest
import trio
import trio.testing
from csploop._loop import driver
from csploop.trio import aio_as_trio, current_loop, run_aio_future, trio_as_aio
from csploop.trio._driving import ALONE, LOOK_EVERY
from sniffio import thread_local
from support.peers import adopt
from support.protocols import Echo

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

# After so many calls, one by one, the next ones are completed in the task's last step.
WHILE = ALONE + LOOK_EVERY

both = pytest.mark.parametrize("before", [0, WHILE], ids=["at_first", "later"])


async def nothing():
    pass


async def value(result):
    return result


async def fails():
    raise KeyError("there")


async def one_by_one(count):
    for _ in range(count):
        await trio_as_aio(nothing)()


def in_asyncio(function):
    """A test whose body is asyncio code, in both states."""

    @both
    async def test(before):
        async def body():
            await one_by_one(before)
            await function()

        await aio_as_trio(body)()

    test.__name__ = function.__name__
    test.__doc__ = function.__doc__
    return test


class Rounds(trio.abc.Instrument):
    """Counts the rounds of a Trio run and the steps of its tasks."""

    def __init__(self):
        self.count = 0
        self.steps = 0

    def before_io_wait(self, timeout):
        self.count += 1

    def before_task_step(self, task):
        self.steps += 1


@pytest.fixture
def unhurried(monkeypatch):
    """A turn may last: on a busy machine it is else left to the pump, and the counts are another's."""
    for limit in ("POLL_EVERY", "LAZY_POLL_EVERY"):
        monkeypatch.setattr(driver, limit, 60.0)


async def test_calls_one_by_one_take_one_round_of_trio_each(unhurried):
    rounds = Rounds()
    calls = 100

    async def counted():
        await one_by_one(WHILE)
        trio.lowlevel.add_instrument(rounds)
        await one_by_one(calls)
        trio.lowlevel.remove_instrument(rounds)

    await aio_as_trio(counted)()
    # Some leave the turn to the pump.
    assert calls - 1 <= rounds.count < calls * 3 // 2


async def test_calls_side_by_side_share_the_turns_of_the_loop(unhurried):
    """Also when calls came one by one before."""
    tasks, calls = 20, 20
    driving = current_loop.get()._driving
    turns = []

    async def side_by_side():
        await one_by_one(WHILE)
        await asyncio.gather(*(one_by_one(WHILE) for _ in range(tasks)))
        turns.append(driving.turns)
        await asyncio.gather(*(one_by_one(calls) for _ in range(tasks)))
        turns.append(driving.turns)

    await aio_as_trio(side_by_side)()
    # At best one turn for all that run side by side.
    assert turns[1] - turns[0] < tasks * calls // 2


@pytest.mark.parametrize("tasks", [2, 50])
@both
async def test_tasks_that_end_in_one_round_all_go_on(tasks, before):
    gate = trio.Event()
    begun = []

    async def waits(number):
        begun.append(number)
        await gate.wait()
        return number

    async def caller(number):
        first = await trio_as_aio(waits)(number)
        return first, await trio_as_aio(value)(first + 1)

    async def opens():
        while len(begun) < tasks:
            await trio.lowlevel.checkpoint()
        gate.set()

    async def main():
        await one_by_one(before)
        found = await asyncio.gather(*map(caller, range(tasks)), trio_as_aio(opens)())
        assert found[:-1] == [(number, number + 1) for number in range(tasks)]

    await aio_as_trio(main)()


@in_asyncio
async def test_callbacks_keep_their_order():
    loop = asyncio.get_running_loop()
    seen = []

    async def schedules():
        loop.call_soon(seen.append, "before")

    future = trio_as_aio(schedules)()
    future.add_done_callback(lambda _: seen.append("first"))
    future.add_done_callback(lambda _: loop.call_soon(seen.append, "after"))
    future.add_done_callback(lambda _: seen.append("second"))
    await future
    seen.append("caller")
    await asyncio.sleep(0)
    assert seen == ["before", "first", "second", "caller", "after"]


@in_asyncio
async def test_completing_a_future_runs_no_callback_at_once():
    loop = asyncio.get_running_loop()
    seen = []
    other = loop.create_future()
    other.add_done_callback(lambda _: seen.append("callback"))
    await trio_as_aio(nothing)()
    other.set_result(None)
    seen.append("completed")
    await asyncio.sleep(0)
    assert seen == ["completed", "callback"]


@in_asyncio
async def test_asyncio_code_has_one_trio_task_whoever_turns_the_loop():
    loop = asyncio.get_running_loop()
    tasks = {"at first": trio.lowlevel.current_task()}
    lock = trio.Lock()
    await trio_as_aio(nothing)()
    tasks["after a call"] = trio.lowlevel.current_task()
    lock.acquire_nowait()
    await asyncio.sleep(0.001)
    tasks["after a timer"] = trio.lowlevel.current_task()
    lock.release()
    await loop.run_in_executor(None, int)
    tasks["after a thread"] = trio.lowlevel.current_task()
    transport, _, peer = await adopt(loop, Echo)
    await peer.send(b"x")
    assert await peer.recv(1) == b"x"
    tasks["after a read"] = trio.lowlevel.current_task()
    transport.abort()
    peer.close()
    assert set(tasks.values()) == {tasks["at first"]}, tasks


@both
async def test_the_trio_task_is_itself_again_when_it_exits(before):
    hooks, loop = sys.get_asyncgen_hooks(), current_loop.get()
    seen = []

    class Exits(trio.abc.Instrument):
        def task_exited(self, task):
            if task.name.endswith(".value"):
                seen.append(trio.lowlevel.current_task() is task)
                seen.append(asyncio._get_running_loop() is loop)
                seen.append(thread_local.name == "trio")
                seen.append(sys.get_asyncgen_hooks() == hooks)

    async def calls():
        await one_by_one(before)
        await trio_as_aio(value)(1)

    instrument = Exits()
    trio.lowlevel.add_instrument(instrument)
    await aio_as_trio(calls)()
    trio.lowlevel.remove_instrument(instrument)
    assert seen == [True] * 4


@in_asyncio
async def test_contexts_stay_apart():
    variable = contextvars.ContextVar("variable", default="unset")

    async def changes():
        assert variable.get() == "caller's"
        variable.set("task's")
        return variable.get()

    variable.set("caller's")
    seen = []
    future = trio_as_aio(changes)()
    future.add_done_callback(lambda _: seen.append(variable.get()))
    assert await future == "task's"
    assert variable.get() == "caller's"
    assert seen == ["caller's"]


@in_asyncio
async def test_an_error_is_no_context_of_what_runs_next():
    loop = asyncio.get_running_loop()
    reports = []
    loop.set_exception_handler(lambda _, context: reports.append(context["exception"]))
    future = trio_as_aio(fails)()
    future.add_done_callback(lambda _: int("no number"))
    with pytest.raises(KeyError):
        await future
    assert sys.exc_info() == (None, None, None)
    (report,) = reports
    assert isinstance(report, ValueError)
    assert report.__context__ is None


@in_asyncio
async def test_the_ended_task_holds_nothing_any_more():
    class Thing:
        pass

    async def takes(thing):
        return Thing()

    argument, gone = Thing(), []
    weakref.finalize(argument, gone.append, "argument")
    future = trio_as_aio(takes)(argument)
    del argument
    result = await future
    assert gone == ["argument"]
    weakref.finalize(result, gone.append, "result")
    weakref.finalize(future, gone.append, "future")
    del result, future
    # The callback that went on with this task may hold the future until it returns.
    await asyncio.sleep(0)
    assert sorted(gone) == ["argument", "future", "result"]


@in_asyncio
async def test_an_error_goes_with_its_last_reference():
    """The ended task's frame is in the traceback, and must not refer to the error."""
    gone = []

    class Failure(Exception):
        pass

    async def fails():
        raise Failure

    async def calls():
        try:
            await trio_as_aio(fails)()
        except Failure as error:
            weakref.finalize(error, gone.append, True)

    await calls()
    await asyncio.sleep(0)
    assert gone == [True]


@in_asyncio
async def test_cancelling_what_has_its_result_on_the_way():
    """The task was rescheduled before it was cancelled, meets no checkpoint any more, and returns."""
    gate = trio.Event()
    begun = trio.Event()

    async def waits():
        begun.set()
        await gate.wait()
        return 42

    future = trio_as_aio(waits)()
    await trio_as_aio(begun.wait)()
    await trio_as_aio(trio.testing.wait_all_tasks_blocked)()
    gate.set()
    assert future.cancel()
    assert not future.done()
    assert await future == 42
    assert not future.cancel()


@in_asyncio
async def test_cancelling_the_caller_when_its_task_has_ended():
    """From a Trio task of the same round, before or after: what the ended task returned is not lost."""
    gates = [trio.Event() for _ in range(20)]
    begun = []
    ends = []

    async def waits(number):
        begun.append(number)
        await gates[number].wait()
        return number

    async def caller(number):
        try:
            ends.append(await trio_as_aio(waits)(number))
            await asyncio.sleep(0)
        finally:
            ends.append("end")

    async def cancels(number, task):
        await waits(number)
        task.cancel()

    for number, gate in enumerate(gates):
        await one_by_one(WHILE)
        task = asyncio.ensure_future(caller(number))
        loop = asyncio.get_running_loop()
        loop.run_trio_task(cancels, number, task)
        while begun.count(number) < 2:
            await asyncio.sleep(0)
        await trio_as_aio(trio.testing.wait_all_tasks_blocked)()
        gate.set()
        await asyncio.wait([task])
        assert ends in ([number, "end"], ["end"])
        ends.clear()


@both
def test_a_caller_may_stop_the_loop(before):
    async def main():
        async with csploop.trio.open_loop() as loop:
            seen = []

            async def stops():
                await one_by_one(before)
                await trio_as_aio(nothing)()
                loop.stop()
                seen.append("stopped")

            task = loop.create_task(stops())
            await loop.wait_stopped()
            assert seen == ["stopped"]
            assert task.done()

    trio.run(main)


@both
def test_a_caller_may_end_the_program(before):
    async def main():
        async with csploop.trio.open_loop() as loop:

            def leave(_):
                raise SystemExit(3)

            async def calls():
                await one_by_one(before)
                future = trio_as_aio(nothing)()
                future.add_done_callback(leave)
                await asyncio.sleep(3600)

            loop.create_task(calls())
            await trio.sleep_forever()

    with pytest.raises(BaseException) as caught:
        trio.run(main)
    assert [type(error) for error in caught.value.exceptions] == [SystemExit]
    assert caught.value.exceptions[0].code == 3


@both
def test_ctrl_c_interrupts_no_callback(before):
    """Trio raises it in its main task, as everywhere."""
    seen = []

    async def main():
        def interrupt(_):
            signal.raise_signal(signal.SIGINT)
            # Python calls the handler at a function's beginning at the latest.
            seen.append(len(seen))

        async def calls():
            await one_by_one(before)
            future = trio_as_aio(nothing)()
            future.add_done_callback(interrupt)
            await future
            seen.append("caller")

        await aio_as_trio(calls)()
        await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        csploop.trio.run(main)
    assert seen[0] == 0


@both
def test_a_future_that_somebody_else_completed(before):
    """A fault of theirs, which ends the block as an error ends any nursery."""

    async def main():
        async with csploop.trio.open_loop():

            async def calls():
                await one_by_one(before)
                future = trio_as_aio(nothing)()
                future.set_result("mine")

            await aio_as_trio(calls)()
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    error = caught.value
    while isinstance(error, ExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, asyncio.InvalidStateError)


@in_asyncio
async def test_what_the_caller_asks_for_next_is_seen():
    """Timers, writes and threads, though nobody was woken for the turn in which it asked."""
    loop = asyncio.get_running_loop()
    transport, _, peer = await adopt(loop, Echo)

    await one_by_one(WHILE)
    await asyncio.sleep(0.001)

    await one_by_one(WHILE)
    peer.send_now(b"x" * 100)
    assert await peer.recv(100) == b"x" * 100

    await one_by_one(WHILE)
    transport.write(b"y")
    received = peer.recv(1)
    await one_by_one(1)
    assert await received == b"y"

    await one_by_one(WHILE)
    done = loop.create_future()
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(done.set_result, 42))
    thread.start()
    assert await done == 42
    thread.join()

    await one_by_one(WHILE)
    for _ in range(1000):
        await asyncio.sleep(0)
    transport.abort()
    peer.close()


@pytest.mark.parametrize("where", ["call", "timer", "read"])
@both
async def test_a_cancelled_scope_in_a_callback_leaves_the_loop_its_timers(where, before):
    loop = current_loop.get()
    scopes = []

    def cancels(*_):
        with trio.CancelScope() as scope:
            scope.cancel()
        scopes.append(scope)

    class Reads(asyncio.Protocol):
        def data_received(self, data):
            cancels()

    async def calls():
        await one_by_one(before)
        if where == "call":
            future = trio_as_aio(nothing)()
            future.add_done_callback(cancels)
            await future
        elif where == "timer":
            loop.call_later(0.001, cancels)
        else:
            transport, _, peer = await adopt(loop, Reads)
            await peer.send(b"x")
            while not scopes:
                await asyncio.sleep(0.001)
            transport.abort()
            peer.close()
        while not scopes:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.005)
        assert len(scopes) == 1

    await aio_as_trio(calls)()


@both
async def test_a_future_that_nobody_waits_for(before):
    await aio_as_trio(one_by_one)(before)
    future = trio_as_aio(value)(42)
    while not future.done():
        await trio.lowlevel.checkpoint()
    assert await run_aio_future(future) == 42
