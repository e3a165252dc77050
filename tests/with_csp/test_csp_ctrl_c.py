"""Ctrl-C: the run ends with KeyboardInterrupt at once, whatever it is doing, and its tasks end first."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import threading
import time
from datetime import timedelta

import csp
import csploop.csp
import pytest
from support.graphs import REALTIME, SIMULATED, START, fed_by, run_feed

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")

KINDS = {"realtime": REALTIME, "background": {"asyncio_on_thread": True, **REALTIME}, "simulated": SIMULATED}
LONG = {"starttime": START, "endtime": timedelta(days=80_000)}


LIBC = ctypes.CDLL(None)


def sigaction():
    """What the system calls for SIGINT: Python's handler in C, or csp's."""
    action = ctypes.create_string_buffer(512)
    assert LIBC.sigaction(int(signal.SIGINT), None, action) == 0
    return action


AS_IMPORTED = sigaction()


@pytest.fixture(params=["as it was imported", "replaced by Python's"])
def csps_handler(request):
    """An earlier signal.signal(), such as asyncio.run makes, takes csp's own handler away."""
    if request.param == "as it was imported":
        LIBC.sigaction(int(signal.SIGINT), AS_IMPORTED, None)
    else:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def handlers_are_restored(request):
    if "csps_handler" in request.fixturenames:
        request.getfixturevalue("csps_handler")
    before = sigaction()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if "replaces" not in request.node.name and "asyncio_program" not in request.node.name:
        assert sigaction().raw[:16] == before.raw[:16]  # the handler and its mask; behind them is padding


def interrupt_when(event):
    """Sends SIGINT to this process from a thread when the event is set."""
    thread = threading.Thread(target=lambda: (event.wait(), os.kill(os.getpid(), signal.SIGINT)))
    thread.start()
    return thread


@pytest.mark.parametrize("kind", ["realtime", "background"])
def test_an_idle_run_ends(kind, csps_handler):
    ready = threading.Event()
    ended = []

    async def feed(run, emitter):
        asyncio.get_running_loop().call_later(0.05, ready.set)
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            ended.append("cancelled")
            raise

    thread = interrupt_when(ready)
    with pytest.raises(KeyboardInterrupt):
        run_feed(feed, **KINDS[kind])
    thread.join()
    assert ended == ["cancelled"]


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_busy_run_ends(kind, csps_handler):
    ready = threading.Event()

    async def feed(run, emitter):
        asyncio.get_running_loop().call_soon(ready.set)
        while True:
            await asyncio.sleep(1e-3 if kind != "simulated" else 1)

    thread = interrupt_when(ready)
    with pytest.raises(KeyboardInterrupt):
        run_feed(feed, **(LONG if kind == "simulated" else KINDS[kind]))
    thread.join()


def test_a_simulation_that_is_held_ends(csps_handler):
    ready = threading.Event()

    async def feed(run, emitter):
        asyncio.get_running_loop().call_soon(ready.set)
        with csploop.csp.hold():
            await asyncio.get_running_loop().create_future()

    thread = interrupt_when(ready)
    with pytest.raises(KeyboardInterrupt):
        run_feed(feed, **SIMULATED)
    thread.join()


def test_a_second_one_ends_a_callback_that_does_not_return():
    async def feed(run, emitter):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        while True:
            time.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        run_feed(feed, **REALTIME)


@pytest.mark.parametrize("kind", list(KINDS))
def test_at_any_moment_nothing_hangs(kind):
    """Tasks whose wake-ups are all over the place; the interrupt comes at another time in each round."""

    async def spin(seconds):
        while True:
            await asyncio.sleep(seconds)

    async def feed(run, emitter):
        for seconds in (0.0001, 0.0002, 0.0003):
            run.create_task(spin(seconds if kind != "simulated" else seconds * 10_000))
        await asyncio.get_running_loop().create_future()

    for round_ in range(20):
        graph = fed_by(feed)
        settings = LONG if kind == "simulated" else KINDS[kind]
        interrupted = False
        ready = threading.Event()

        def soon(run, emitter, ready=ready, round_=round_):
            time.sleep(round_ * 1e-4)
            ready.set()
            return feed(run, emitter)

        graph = fed_by(soon)
        thread = interrupt_when(ready)
        try:
            csploop.csp.run(graph, **settings)
        except KeyboardInterrupt:
            interrupted = True
        thread.join()
        assert interrupted


@pytest.mark.parametrize("kind", ["realtime", "background"])
def test_runs_in_runs_all_end(kind, csps_handler):
    ready = threading.Event()

    async def inner(run, emitter):
        asyncio.get_running_loop().call_later(0.05, ready.set)
        await asyncio.get_running_loop().create_future()

    @csp.node
    def nest(x: csp.ts[bool]):
        if csp.ticked(x):
            run_feed(inner, **KINDS[kind])

    thread = interrupt_when(ready)
    with pytest.raises(KeyboardInterrupt):
        csploop.csp.run(lambda: nest(csp.const(True)), **REALTIME)
    thread.join()


def test_a_coroutines_own_handler_replaces_it():
    async def feed(run, emitter):
        caught = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, caught.set)
        signal.raise_signal(signal.SIGINT)
        await caught.wait()
        emitter.emit("caught")
        csploop.csp.stop_engine()

    assert [value for _, value in run_feed(feed, **REALTIME)] == ["caught"]


def test_in_an_asyncio_program_the_run_ends_and_asyncio_raises():
    ready = threading.Event()

    async def feed(run, emitter):
        asyncio.get_running_loop().call_soon(ready.set)
        await asyncio.get_running_loop().create_future()

    async def main():
        run_feed(feed, **REALTIME)
        await asyncio.sleep(0)
        raise AssertionError("the main task goes on")

    thread = interrupt_when(ready)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    thread.join()
