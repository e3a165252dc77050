"""call_soon_threadsafe: no lost wake-ups, order per thread."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
import weakref

import pytest
from csploop._loop import threads
from csploop._loop.simulated import SimulatedLoop
from csploop.lowlevel import counting


def run_threads(*targets):
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def test_a_call_from_another_thread_wakes_a_loop_that_waits(loop):
    running = threading.Event()
    loop.call_soon(running.set)

    def stop():
        running.wait()
        loop.call_soon_threadsafe(loop.stop)

    (thread,) = run_threads(stop)
    loop.run_forever()
    thread.join()


def test_each_of_many_wake_ups_in_a_row_arrives(loop):
    # One at a time, each answered before the next: the loop sleeps between them.
    arrived = threading.Semaphore(0)
    count = 3000

    def push():
        for _ in range(count):
            loop.call_soon_threadsafe(arrived.release)
            assert arrived.acquire(timeout=50), "a wake-up was lost"
        loop.call_soon_threadsafe(loop.stop)

    (thread,) = run_threads(push)
    loop.run_forever()
    thread.join()


def test_calls_of_each_thread_keep_their_order(loop):
    seen = []
    threads, calls = 8, 2000
    left = [threads]

    def finished():
        left[0] -= 1
        if not left[0]:
            loop.stop()

    def push(name):
        for number in range(calls):
            loop.call_soon_threadsafe(seen.append, (name, number))
        loop.call_soon_threadsafe(finished)

    started = run_threads(*(lambda name=name: push(name) for name in range(threads)))
    loop.run_forever()
    for thread in started:
        thread.join()
    assert len(seen) == threads * calls
    for name in range(threads):
        assert [number for who, number in seen if who == name] == list(range(calls))


def test_a_wake_up_between_two_runs_is_kept(loop):
    seen = []
    (thread,) = run_threads(lambda: loop.call_soon_threadsafe(seen.append, 1))
    thread.join()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == [1]


def test_the_callback_runs_on_the_loops_thread(loop):
    seen = []

    def look():
        seen.append(threading.get_ident())
        loop.stop()

    threads = run_threads(lambda: loop.call_soon_threadsafe(look))
    loop.run_forever()
    threads[0].join()
    assert seen == [threading.get_ident()]


def test_a_handle_from_another_thread_can_be_cancelled_on_the_loop(loop):
    handles = []

    def push():
        handles.append(loop.call_soon_threadsafe(handles.append, "ran"))
        handles[0].cancel()
        loop.call_soon_threadsafe(loop.stop)

    # The pusher cannot be overtaken: the loop is not running yet.
    (thread,) = run_threads(push)
    thread.join()
    loop.run_forever()
    assert len(handles) == 1


def test_call_soon_threadsafe_works_on_the_loops_own_thread_in_order(loop):
    seen = []
    loop.call_soon(seen.append, 1)
    loop.call_soon_threadsafe(seen.append, 2)
    loop.call_soon(seen.append, 3)
    loop.call_soon_threadsafe(loop.stop)
    loop.run_forever()
    assert seen == [1, 2, 3]


@pytest.mark.heavy
def test_no_wake_up_is_lost_at_the_edge_of_sleep(loop):
    # Two threads answer each other through the loop, which falls asleep again
    # and again just when the next call comes.
    rounds = 2000
    gates = [threading.Semaphore(0), threading.Semaphore(0)]
    done = []

    def player(me):
        for _ in range(rounds):
            loop.call_soon_threadsafe(gates[1 - me].release)
            assert gates[me].acquire(timeout=50), "a wake-up was lost"
        loop.call_soon_threadsafe(finished)

    def finished():
        done.append(1)
        if len(done) == 2:
            loop.stop()

    threads = run_threads(lambda: player(0), lambda: player(1))
    loop.run_forever()
    for thread in threads:
        thread.join()


async def test_run_coroutine_threadsafe_gives_its_result_to_the_other_thread(loop):
    async def double(value):
        await asyncio.sleep(0)
        return value * 2

    def ask():
        return asyncio.run_coroutine_threadsafe(double(21), loop).result(timeout=50)

    assert await loop.run_in_executor(None, ask) == 42


@pytest.mark.ours("about the shortcut under a GIL")
def test_without_a_gil_every_call_rings_whether_the_loop_sleeps_or_not(monkeypatch, loop_kind):
    # Where another thread may come between any two instructions, what it sees of the sleep says nothing.
    monkeypatch.setattr(threads, "HAS_GIL", False)
    with counting() as crossings:
        loop = SimulatedLoop(poller=loop_kind.poller)

        def rings(call, *args):
            before = crossings.calls["csploop_wake"]
            call(*args)
            return crossings.calls["csploop_wake"] - before

        def look():
            loop.stop()
            told["sleeping"] = loop._sleeping
            told["call"] = rings(loop.call_soon_threadsafe, int)
            told["hold"] = rings(loop.hold().enter().release)
            told["job"] = rings(loop._job_done, None)
            told["signal"] = rings(signal.raise_signal, signal.SIGUSR1)

        told = {}
        loop.add_signal_handler(signal.SIGUSR1, int)
        loop.call_soon(look)
        loop.run_forever()
        loop.close()
    assert told == {"sleeping": False, "call": 1, "hold": 1, "job": 1, "signal": 1}


async def test_a_timer_armed_through_a_wake_up_is_not_slept_over(loop):
    fired = loop.create_future()

    def arm():
        loop.call_later(0.001, fired.set_result, None)

    await loop.run_in_executor(None, loop.call_soon_threadsafe, arm)
    await fired


class Blocking:
    """A callback that begins and then waits for the test."""

    def __init__(self):
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.ended = False

    def __call__(self):
        self.begun.set()
        self.may_end.wait()
        self.ended = True


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("call", ["cancel", "cancelled"])
def test_who_asks_a_handle_while_its_callback_runs_waits_until_that_has_ended(loop, call, debug):
    loop.set_debug(debug)
    loop.slow_callback_duration = 60
    callback = Blocking()
    seen = []

    def ask():
        handle = loop.call_soon_threadsafe(callback)
        callback.begun.wait()
        asking.set()
        getattr(handle, call)()
        seen.append(callback.ended)
        loop.call_soon_threadsafe(loop.stop)

    def let_go():
        # Asking comes after `asking`; who does not wait would be through with it before the callback ends.
        asking.wait()
        threads[0].join(0.05)
        callback.may_end.set()

    asking = threading.Event()
    threads = []
    threads += run_threads(ask)
    threads += run_threads(let_go)
    loop.run_forever()
    for thread in threads:
        thread.join()
    assert seen == [True]


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_what_another_thread_cancels_before_it_begins_does_not_begin(loop, debug):
    loop.set_debug(debug)
    loop.slow_callback_duration = 60
    ran = []
    seen = []
    cancelled = threading.Event()

    def push():
        handle = loop.call_soon_threadsafe(ran.append, 1)
        handle.cancel()
        seen.append(handle.cancelled())
        loop.call_soon_threadsafe(loop.stop)
        cancelled.set()

    loop.call_soon(cancelled.wait)
    threads = run_threads(push)
    loop.run_forever()
    threads[0].join()
    assert seen == [True]
    assert ran == []


def test_a_callback_may_cancel_its_own_handle(loop):
    def callback():
        handle.cancel()
        seen.append(handle.cancelled())
        loop.stop()

    seen = []
    handle = loop.call_soon_threadsafe(callback)
    loop.run_forever()
    assert seen == [True]


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_the_report_of_a_failure_names_callback_and_handle(loop, reports, debug):
    loop.set_debug(debug)

    def fails():
        raise ValueError("no")

    handle = loop.call_soon_threadsafe(fails)
    loop.call_soon_threadsafe(loop.stop)
    loop.run_forever()
    report = reports.take()
    assert "fails" in report["message"]
    assert report["handle"] is handle
    assert "fails" in repr(handle)
    assert ("source_traceback" in report) == debug
    if debug:
        assert report["source_traceback"][-1].filename == __file__


def test_a_report_in_debug_mode_tells_where_the_running_call_was_asked_for(loop, caplog):
    loop.set_debug(True)
    loop.set_exception_handler(None)
    loop.call_soon_threadsafe(loop.call_exception_handler, {"message": "from within"})
    loop.call_soon_threadsafe(loop.stop)
    loop.run_forever()
    assert "Handle created at" in caplog.text
    assert __file__ in caplog.text


@pytest.mark.ours("asyncio's handles lie in its queue themselves")
def test_a_handle_that_has_run_is_gone(loop):
    def callback():
        pass

    gc.collect()
    gc.disable()
    try:
        loop.call_soon_threadsafe(callback)
        loop.call_soon_threadsafe(loop.stop)
        loop.run_forever()
        known = weakref.ref(callback)
        del callback
        assert known() is None or sys.implementation.name == "pypy"
    finally:
        gc.enable()
