"""run_forever, run_until_complete, stop: when a run ends and what it leaves."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest


def test_run_until_complete_returns_the_result(loop):
    async def main():
        await asyncio.sleep(0)
        return 42

    assert loop.run_until_complete(main()) == 42


def test_run_until_complete_raises_the_error(loop):
    async def main():
        await asyncio.sleep(0)
        raise LookupError("as planned")

    with pytest.raises(LookupError, match="as planned"):
        loop.run_until_complete(main())


def test_run_until_complete_takes_a_future_that_is_done(loop):
    future = loop.create_future()
    future.set_result(1)
    assert loop.run_until_complete(future) == 1


def test_run_until_complete_runs_no_step_too_far(loop):
    seen = []

    async def main():
        loop.call_soon(lambda: loop.call_soon(seen.append, "one turn too many"))
        seen.append("main")

    loop.run_until_complete(main())
    assert seen == ["main"]
    # What was left over belongs to the next run.
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    assert seen == ["main", "one turn too many"]


def test_the_number_of_turns_of_a_run_is_asyncios(loop, reports):
    def count(loop):
        ticks = []

        def tick():
            ticks.append(1)
            loop.call_soon(tick)

        async def main():
            for _ in range(5):
                await asyncio.sleep(0)

        loop.call_soon(tick)
        loop.run_until_complete(main())
        return len(ticks)

    reference = asyncio.SelectorEventLoop()
    try:
        assert count(loop) == count(reference)
    finally:
        reference.close()


def test_stop_before_a_run_gives_one_turn(loop):
    seen = []
    loop.call_soon(seen.append, 1)
    loop.stop()
    loop.run_forever()
    assert seen == [1]
    # and only that run
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_stopping_before_the_future_is_done_is_an_error(loop):
    future = loop.create_future()
    loop.call_soon(loop.stop)
    with pytest.raises(RuntimeError, match="Event loop stopped before Future completed"):
        loop.run_until_complete(future)
    assert not future.done()


@pytest.mark.io
def test_a_stopping_turn_still_polls(loop):
    a, b = socket.socketpair()
    with a, b:
        a.setblocking(False)
        b.send(b"x")
        seen = []

        def readable():
            seen.append(a.recv(1))
            loop.remove_reader(a)

        loop.add_reader(a, readable)
        loop.stop()
        loop.run_forever()
        loop.stop()
        loop.run_forever()
        loop.remove_reader(a)
    assert seen == [b"x"]


def test_a_stopping_turn_still_fires_due_timers(loop):
    seen = []
    loop.call_at(loop.time() - 1, seen.append, "due")
    loop.stop()
    loop.run_forever()
    loop.stop()
    loop.run_forever()
    assert seen == ["due"]


def test_a_loop_runs_again_after_it_ran(loop):
    for number in range(5):
        assert loop.run_until_complete(asyncio.sleep(0, number)) == number


def test_is_running_tells_the_truth(loop):
    assert not loop.is_running()
    seen = []
    loop.call_soon(lambda: seen.append(loop.is_running()))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == [True]
    assert not loop.is_running()


def test_get_running_loop_is_this_loop_only_while_it_runs(loop):
    async def main():
        return asyncio.get_running_loop()

    assert loop.run_until_complete(main()) is loop
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_a_run_inside_a_run_is_refused(loop):
    errors = []

    def nested():
        for run in (loop.run_forever, lambda: loop.run_until_complete(future)):
            try:
                run()
            except RuntimeError as error:
                errors.append(str(error))

    future = loop.create_future()
    loop.call_soon(nested)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert len(errors) == 2
    assert "already running" in errors[0]


def test_a_run_inside_another_loops_run_is_refused(loop, loop_kind):
    other = loop_kind.new()
    try:

        async def main():
            other.run_forever()

        with pytest.raises(RuntimeError, match="another loop is running"):
            loop.run_until_complete(main())
        # other is unharmed
        other.run_until_complete(asyncio.sleep(0))
    finally:
        other.close()


def test_a_run_from_a_second_thread_is_refused_while_the_loop_runs(loop):
    errors = []

    def second_thread():
        try:
            loop.run_forever()
        except RuntimeError as error:
            errors.append(str(error))
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=second_thread)
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()
    assert len(errors) == 1 and "running" in errors[0]


def test_exceptions_in_a_task_do_not_stop_run_forever(loop, reports):
    async def fail():
        raise LookupError("as planned")

    async def main():
        task = loop.create_task(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert task.done()
        del task
        return "went on"

    assert loop.run_until_complete(main()) == "went on"
    import gc

    gc.collect()
    gc.collect()
    assert "never retrieved" in reports.take()["message"]


def test_run_until_complete_cancels_nothing_of_the_others(loop):
    finished = []

    async def other():
        await asyncio.sleep(0.002)
        finished.append(1)

    async def main():
        return loop.create_task(other())

    task = loop.run_until_complete(main())
    assert not task.done()
    loop.run_until_complete(task)
    assert finished == [1]


def test_run_until_complete_of_another_loops_future_is_refused(loop, loop_kind):
    other = loop_kind.new()
    try:
        future = other.create_future()
        with pytest.raises(ValueError):
            loop.run_until_complete(future)
    finally:
        other.close()


def test_stop_from_a_timer_ends_an_idle_run(loop):
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    assert not loop.is_running()
