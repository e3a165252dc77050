"""Runs in odd places: in an asyncio program, in a run, in threads, in dynamic graphs, under the profiler."""

from __future__ import annotations

import asyncio
import sys
import threading
from datetime import timedelta

import csp
import csploop
import csploop.csp
import pytest
from csp import profiler, ts
from csploop.csp._emitter import Emitter, emitted
from csploop.csp._run import current_run
from support.graphs import REALTIME, SIMULATED, fed_by, run_feed, values


async def _feed(run, emitter):
    emitter.emit(1)
    await asyncio.sleep(0.001)
    emitter.emit(2)
    csploop.csp.stop_engine()


@pytest.mark.parametrize("settings", [REALTIME, SIMULATED], ids=["realtime", "simulated"])
@pytest.mark.parametrize("runner", [asyncio.run, csploop.run], ids=["asyncio", "csploop"])
def test_in_a_task_of_an_asyncio_program(runner, settings):
    async def main():
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        hooks = sys.get_asyncgen_hooks()
        other = loop.create_task(asyncio.sleep(0))
        assert values(run_feed(_feed, **settings)) == [1, 2]
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task
        assert sys.get_asyncgen_hooks() == hooks
        await other
        return "done"

    assert runner(main()) == "done"


def test_a_run_in_a_run():
    async def feed(run, emitter):
        assert values(run_feed(_feed, **SIMULATED)) == [1, 2]
        assert current_run() is run
        assert asyncio.get_running_loop() is run.loop
        emitter.emit("outer")
        csploop.csp.stop_engine()

    assert values(run_feed(feed, **REALTIME)) == ["outer"]


@pytest.mark.parametrize("settings", [REALTIME, SIMULATED], ids=["realtime", "simulated"])
def test_run_on_thread(settings):
    threads = []

    async def feed(run, emitter):
        threads.append(threading.get_ident())
        await _feed(run, emitter)

    runner = csploop.csp.run_on_thread(fed_by(feed), **settings)
    assert values(runner.join()[0]) == [1, 2]
    assert threads != [threading.get_ident()]
    assert not csploop.csp.is_csp_asyncio_mode()


def test_run_on_thread_stops_from_outside():
    started = threading.Event()

    async def feed(run, emitter):
        started.set()
        await asyncio.get_running_loop().create_future()

    runner = csploop.csp.run_on_thread(fed_by(feed), **REALTIME)
    started.wait()
    runner.stop_engine()
    assert runner.join() == {0: []}


def test_run_on_thread_raises_as_csps():
    async def feed(run, emitter):
        raise LookupError("in a thread")

    runner = csploop.csp.run_on_thread(fed_by(feed), **REALTIME)
    with pytest.raises(RuntimeError) as caught:
        runner.join()
    assert str(caught.value.__cause__) == "in a thread"
    assert runner.join(suppress=True) is None


@csp.node
def _keys(x: ts[bool], log: object) -> {ts[str]: ts[bool]}:
    """Each step when the one before has shown in the log: on a slow machine timers catch up at once."""
    with csp.state():
        s_n = 0
    if csp.ticked(x) and len(log) >= s_n:
        s_n += 1
        if s_n == 1:
            csp.output({"a": True})
        elif s_n == 2:
            csp.output({"b": True})
        elif s_n == 3:
            csp.remove_dynamic_key("a")


@pytest.mark.parametrize("settings", [REALTIME, SIMULATED], ids=["realtime", "simulated"])
def test_sub_graphs_of_dynamic_graphs_have_the_run(settings):
    log = []
    emitters = {}

    @csp.graph
    def sub(key: str) -> ts[str]:
        async def feed(run):
            emitters[key].emit(key)

        emitters[key] = Emitter(key, on_start=lambda run: run.create_task(feed(run)))
        return emitted(emitters[key], str)

    @csp.node
    def note(x: {ts[str]: ts[str]}):
        if csp.ticked(x):
            log.extend(x.tickeditems())
        if csp.ticked(x.shape):
            for key in list(x.shape.removed):
                log.append(("removed", key))
                csp.stop_engine()

    def graph():
        keys = _keys(csp.timer(timedelta(milliseconds=20)), log)
        note(csp.dynamic(keys, sub, csp.snapkey()))

    csploop.csp.run(graph, **settings)
    assert log == [("a", "a"), ("b", "b"), ("removed", "a")]
    with pytest.raises(RuntimeError, match="a has stopped"):
        emitters["a"].emit("late")


def test_under_the_profiler():
    with profiler.Profiler() as prof:
        assert values(run_feed(_feed, **REALTIME)) == [1, 2]
    assert "csploop_pump" in prof.results().node_stats
    info = prof.results().graph_info
    assert info.nodetype_counts["csploop_pump"] == 1
