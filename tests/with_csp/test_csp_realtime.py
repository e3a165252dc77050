"""csploop.csp.run in realtime: graph and coroutines share the engine's thread."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import datetime, timedelta, timezone

import csp
import csploop.csp
import pytest
from csp import ts
from csp.impl.pushadapter import PushInputAdapter
from csp.impl.wiring import py_push_adapter_def
from csploop.csp._emitter import Emitter, emitted
from csploop.csp._foreign import may_end_the_engine
from csploop.csp._realtime import RealtimeRun
from csploop.csp._run import current_run
from csploop.csp._running import run_within
from support.graphs import REALTIME, fed_by, run_feed, values
from support.protocols import Echo


def test_coroutines_and_nodes_share_thread_and_loop():
    seen = []

    @csp.node
    def look(x: ts[object]):
        with csp.start():
            seen.append(("start", threading.get_ident(), asyncio.get_running_loop()))
        if csp.ticked(x):
            seen.append(("tick", threading.get_ident(), asyncio.get_running_loop()))

    async def feed(run, emitter):
        seen.append(("task", threading.get_ident(), asyncio.get_running_loop()))
        assert csploop.csp.is_csp_asyncio_mode()
        assert csploop.csp.get_csp_asyncio_loop() is asyncio.get_running_loop()
        emitter.emit(1)
        await asyncio.sleep(0.001)
        csploop.csp.stop_engine()

    def graph():
        look(fed_by(feed)())

    csploop.csp.run(graph, **REALTIME)
    assert {what for what, _, _ in seen} == {"start", "task", "tick"}
    assert {thread for _, thread, _ in seen} == {threading.get_ident()}
    assert len({loop for _, _, loop in seen}) == 1
    assert not csploop.csp.is_csp_asyncio_mode()
    assert csploop.csp.get_csp_asyncio_loop() is None
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_values_of_one_step_tick_at_one_time_each_in_a_cycle_of_its_own():
    async def feed(run, emitter):
        for value in range(5):
            emitter.emit(value)
        assert csploop.csp.now() == run.now()
        csploop.csp.stop_engine()

    ticks = run_feed(feed, int, **REALTIME)
    assert values(ticks) == [0, 1, 2, 3, 4]
    assert len({when for when, _ in ticks}) == 1


def test_what_was_emitted_before_stop_engine_ticks():
    async def feed(run, emitter):
        for value in range(1000):
            emitter.emit(value)
        csploop.csp.stop_engine()

    assert values(run_feed(feed, int, **REALTIME)) == list(range(1000))


def test_streams_executor_and_timers_work():
    async def feed(run, emitter):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for value in range(50):
            writer.write(b"%4d" % value)
            emitter.emit(int(await reader.readexactly(4)))
        writer.close()
        server.close()
        emitter.emit(await loop.run_in_executor(None, lambda: -1))
        await asyncio.sleep(0.01)
        emitter.emit(-2)
        csploop.csp.stop_engine()

    assert values(run_feed(feed, int, **REALTIME)) == [*range(50), -1, -2]


def test_timers_never_tick_early():
    async def feed(run, emitter):
        for _ in range(20):
            before = time.monotonic()
            await asyncio.sleep(0.003)
            emitter.emit(time.monotonic() - before)
        csploop.csp.stop_engine()

    assert min(values(run_feed(feed, float, **REALTIME))) >= 0.003


def test_what_a_node_schedules_between_two_steps_runs():
    @csp.node
    def schedule(x: ts[int], done: object):
        if csp.ticked(x):
            asyncio.get_running_loop().call_soon(done.append, x)
            asyncio.get_running_loop().call_later(0.001, done.append, -x)
            asyncio.get_running_loop().call_later(0.002, csploop.csp.stop_engine)

    done = []
    csploop.csp.run(lambda: schedule(csp.const(7, delay=timedelta(seconds=0.01)), done), **REALTIME)
    assert done == [7, -7]


def test_an_idle_graph_with_an_idle_loop_makes_no_wake_ups():
    """The pump ticks when it starts and for what is scheduled, and for nothing in the second between."""
    present = RealtimeRun()
    counts = []

    async def feed(run, emitter):
        await asyncio.sleep(0.05)
        counts.append((present.ticks, present.wakes))
        await asyncio.sleep(1)
        counts.append((present.ticks, present.wakes))
        csploop.csp.stop_engine()

    run_within(present, fed_by(feed), queue_wait_time=None, **REALTIME)
    (ticks, wakes), (later_ticks, later_wakes) = counts
    # One tick for the timer; one more where the clocks' rounding made it come a step too soon.
    assert later_ticks - ticks <= 2
    assert later_wakes == wakes


def test_many_deadlines_leave_one_alarm():
    present = RealtimeRun()

    async def feed(run, emitter):
        loop = asyncio.get_running_loop()
        for i in range(2000):
            loop.call_later(0.5 - i * 0.0001, int)
            if not i % 10:
                await asyncio.sleep(0)
        await asyncio.sleep(0.6)
        emitter.emit(present.alarms)
        csploop.csp.stop_engine()

    alarms = run_within(present, fed_by(feed), queue_wait_time=None, **REALTIME)[0][0][1]
    assert alarms <= 2002


def test_a_loop_that_is_never_idle_lets_pushes_and_the_end_through():
    async def feed(run, emitter):
        while True:
            await asyncio.sleep(0)

    pushed = []

    @csp.node
    def note(x: ts[int]):
        if csp.ticked(x):
            pushed.append(x)
            csp.stop_engine()

    adapter = csp.impl.genericpushadapter.GenericPushAdapter(int)

    def graph():
        note(adapter.out())
        return fed_by(feed)()

    thread = threading.Thread(target=lambda: (adapter.wait_for_start(), adapter.push_tick(1)))
    thread.start()
    csploop.csp.run(graph, **REALTIME)
    thread.join()
    assert pushed == [1]


def test_endtime_ends_the_run_and_its_tasks():
    ended = []

    async def feed(run, emitter):
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0.001)
            ended.append("feed")

    async def generator():
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            ended.append("generator")

    async def abandon():
        async for _ in generator():
            await asyncio.get_running_loop().create_future()

    async def both(run, emitter):
        asyncio.get_running_loop().create_task(abandon())
        await feed(run, emitter)

    assert run_feed(both, realtime=True, endtime=timedelta(seconds=0.05)) == []
    assert sorted(ended) == ["feed", "generator"]


def test_an_exception_of_a_run_task_fails_the_run():
    async def feed(run, emitter):
        await asyncio.sleep(0.001)
        raise LookupError("from a coroutine")

    with pytest.raises(LookupError, match="from a coroutine"):
        run_feed(feed, **REALTIME)


def test_an_exception_in_a_node_cancels_the_tasks_and_leaves_the_run():
    cancelled = []

    @csp.node
    def fail(x: ts[object]):
        if csp.ticked(x):
            raise LookupError("from a node")

    async def feed(run, emitter):
        emitter.emit(1)
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with pytest.raises(LookupError, match="from a node"):
        csploop.csp.run(lambda: fail(fed_by(feed)()), **REALTIME)
    assert cancelled == [True]


def test_an_exception_in_cleaning_up_leaves_the_run():
    async def feed(run, emitter):
        csploop.csp.stop_engine()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            raise LookupError("from cleaning up")

    with pytest.raises(LookupError, match="from cleaning up"):
        run_feed(feed, **REALTIME)


def test_a_plain_task_that_fails_is_reported_and_does_not_end_the_run():
    reports = []

    async def fail():
        raise LookupError("of nobody")

    async def feed(run, emitter):
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reports.append(context["exception"]))
        task = loop.create_task(fail())
        await asyncio.wait([task])
        del task
        emitter.emit("still here")
        csploop.csp.stop_engine()

    assert values(run_feed(feed, **REALTIME)) == ["still here"]
    assert [str(exc) for exc in reports] == ["of nobody"]


def test_a_value_of_the_wrong_type_fails_the_run():
    async def feed(run, emitter):
        emitter.emit("text")
        await asyncio.get_running_loop().create_future()

    with pytest.raises(TypeError, match='"int"'):
        run_feed(feed, int, **REALTIME)


def test_an_emitter_raises_before_the_start_and_after_the_stop():
    emitter = Emitter("mine")
    with pytest.raises(RuntimeError, match="mine has not started"):
        emitter.emit(1)
    csploop.csp.run(lambda: emitted(emitter, int), realtime=True, endtime=timedelta(seconds=0.01))
    with pytest.raises(RuntimeError, match="mine has stopped"):
        emitter.emit(1)


def test_an_emitter_needs_a_run():
    with pytest.raises(RuntimeError, match=r"csploop\.csp\.run"):
        csp.run(lambda: emitted(Emitter(), int), realtime=True, endtime=timedelta(seconds=1))


def test_emitting_from_a_stop_callback_raises_and_does_not_crash():
    outcome = []

    def graph():
        emitter = Emitter("gone")
        edge = emitted(emitter, int)

        def late():
            with pytest.raises(RuntimeError, match="gone has stopped"):
                emitter.emit(1)
            outcome.append("raised")

        current_run().on_stop(late)
        return edge

    csploop.csp.run(graph, realtime=True, endtime=timedelta(seconds=0.01))
    assert outcome == ["raised"]


def test_loop_stop_is_refused():
    async def feed(run, emitter):
        asyncio.get_running_loop().stop()

    with pytest.raises(RuntimeError, match="stop_engine"):
        run_feed(feed, **REALTIME)


def test_other_threads_reach_loop_and_engine():
    async def feed(run, emitter):
        ticked = asyncio.Event()

        def elsewhere():
            emitter.emit("thread")
            run.in_loop(ticked.set)
            run.in_engine(lambda: emitter.emit(threading.get_ident()))

        await asyncio.to_thread(elsewhere)
        await ticked.wait()
        while run._errands:
            await asyncio.sleep(0)
        csploop.csp.stop_engine()

    assert values(run_feed(feed, **REALTIME)) == ["thread", threading.get_ident()]


def test_a_start_in_the_past_replays_first():
    """The historical part has no asyncio; the loop turns from the present on."""
    seen = []

    async def feed(run, emitter):
        seen.append(csploop.csp.now())
        csploop.csp.stop_engine()

    @csp.node
    def count(x: ts[bool]) -> ts[int]:
        with csp.state():
            s_n = 0
        if csp.ticked(x):
            s_n += 1
            return s_n

    def graph():
        csp.add_graph_output("history", count(csp.timer(timedelta(minutes=1))))
        csp.add_graph_output("fed", fed_by(feed)())

    before = datetime.now(timezone.utc).replace(tzinfo=None)
    start = before - timedelta(hours=1)
    results = csploop.csp.run(graph, starttime=start, endtime=timedelta(hours=2), realtime=True)
    assert len(results["history"]) >= 59
    assert seen[0] >= before


def test_an_end_in_the_past_ends():
    async def feed(run, emitter):
        await asyncio.sleep(0)

    start = datetime(2024, 1, 1)
    assert run_feed(feed, realtime=True, starttime=start, endtime=timedelta(hours=1)) == []


def test_edges_and_built_graphs_are_accepted_and_can_run_again():
    assert values(csploop.csp.run(csp.const(3), realtime=True, endtime=timedelta(seconds=0.01))[0]) == [3]
    start = datetime.now(timezone.utc).replace(tzinfo=None)
    end = start + timedelta(seconds=30)

    async def feed(run, emitter):
        await asyncio.sleep(0.001)
        emitter.emit(4)
        csploop.csp.stop_engine()

    built = csp.build_graph(fed_by(feed), starttime=start, endtime=end, realtime=True)
    roots = list(built.roots)
    for _ in range(2):
        assert values(csploop.csp.run(built, starttime=start, endtime=end, realtime=True)[0]) == [4]
        assert built.roots == roots


def test_arguments_and_settings_reach_csp():
    def graph(a, b=0):
        return csp.const(a + b)

    result = csploop.csp.run(graph, 1, b=2, realtime=True, endtime=timedelta(seconds=0.01), output_numpy=True)
    times, ticks = result[0]
    assert list(ticks) == [3]
    with pytest.raises(TypeError):
        csploop.csp.run(graph, realtime=True, endtime=timedelta(seconds=0.01))


def test_queue_wait_time_is_csps():
    async def feed(run, emitter):
        await asyncio.sleep(0.01)
        emitter.emit(1)
        csploop.csp.stop_engine()

    assert values(run_feed(feed, queue_wait_time=timedelta(milliseconds=1), **REALTIME)) == [1]


def pushing(thread_main):
    """A push adapter as csp's users write them: `thread_main(adapter)` runs in a thread of its own."""

    class Adapter(PushInputAdapter):
        def start(self, starttime, endtime):
            self.thread = threading.Thread(target=thread_main, args=(self,))
            self.thread.start()

        def stop(self):
            self.thread.join()

    return py_push_adapter_def("Adapter", Adapter, ts[int])()


@pytest.mark.parametrize("on_thread", [False, True])
def test_an_adapter_can_shut_the_engine_down_from_its_thread(on_thread):
    """csp sets a flag then and does not wake the engine, which would sleep for ever."""
    ticked = threading.Event()

    def thread_main(adapter):
        adapter.push_tick(1)
        assert ticked.wait(10)
        adapter.shutdown_engine(ValueError("the feed is gone"))

    @csp.node
    def look(x: ts[int]):
        if csp.ticked(x):
            ticked.set()

    def graph():
        look(pushing(thread_main))

    with pytest.raises(ValueError, match="the feed is gone"):
        csploop.csp.run(graph, asyncio_on_thread=on_thread, **REALTIME)


@pytest.mark.parametrize("where", ["built", "dynamic"])
def test_also_in_a_graph_that_is_built_or_dynamic(where):
    def thread_main(adapter):
        adapter.shutdown_engine(ValueError("the feed is gone"))

    @csp.graph
    def feed(key: int):
        csp.print("feed", pushing(thread_main))

    @csp.graph
    def graph():
        if where == "built":
            feed(1)
        else:
            csp.dynamic(csp.dynamic_demultiplex(csp.const(1), csp.const(1)), feed, csp.snapkey())

    present = csp.build_graph(graph) if where == "built" else graph
    with pytest.raises(ValueError, match="the feed is gone"):
        csploop.csp.run(present, **REALTIME)


def test_the_engine_sleeps_where_no_adapter_can_end_it():
    def of(graph):
        return may_end_the_engine(csp.build_graph(graph))

    def thread_main(adapter):
        raise AssertionError("not to be run")

    def quiet():
        bridge = csploop.csp.AsyncioBridge(int)
        out = csp.merge(csp.const(1), csp.GenericPushAdapter(int).out())
        csp.print("quiet", csp.merge(out, bridge.adapter.out()))
        csp.add_graph_output("timer", csp.timer(timedelta(seconds=1)))
        csp.add_graph_output("curve", csp.curve(int, [(timedelta(), 1)]))
        feedback = csp.feedback(int)
        feedback.bind(out)
        csp.print("fed back", feedback.out())

    assert not of(quiet)
    assert of(lambda: csp.print("deep inside", csp.count(csp.count(pushing(thread_main)))))
