"""asyncio_on_thread=True: the loop is the shared one, on which graphs and others keep what they use."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import csp
import csploop.csp
import pytest
from csp import ts
from csploop.csp._run import current_run
from support.graphs import REALTIME, fed_by, run_feed, values

BACKGROUND = {"asyncio_on_thread": True, **REALTIME}


def in_graph(coroutine, **settings):
    """What the coroutine returns, that an adapter of a graph runs on the shared loop."""

    def graph():
        result = csploop.csp.async_in(coroutine, output_type=object)
        csp.stop_engine(result)
        csp.add_graph_output("result", result)

    return values(csploop.csp.run(graph, **BACKGROUND, **settings)["result"])[0]


def on_shared_loop(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, csploop.csp.get_shared_loop()).result()


async def this_loop():
    return asyncio.get_running_loop()


def test_coroutines_run_on_the_shared_loop():
    shared = csploop.csp.get_shared_loop()
    assert in_graph(this_loop()) is shared
    assert in_graph(this_loop()) is shared
    assert shared.is_running()


def test_every_adapter_does():
    shared = csploop.csp.get_shared_loop()
    loops = []

    async def numbers():
        for number in range(2):
            loops.append(asyncio.get_running_loop())
            yield number

    async def look(x):
        loops.append(asyncio.get_running_loop())
        return x

    def graph():
        series = csploop.csp.async_for(numbers())
        csploop.csp.async_out(series, look)
        looked = csploop.csp.async_node(series, look)
        csp.stop_engine(csp.filter(csp.count(looked) == 2, looked))

    csploop.csp.run(graph, **BACKGROUND)
    assert len(loops) >= 5
    assert set(loops) == {shared}


def test_a_future_of_the_shared_loop_can_be_awaited():
    async def make():
        return asyncio.get_running_loop().create_future()

    async def use(future):
        future.get_loop().call_soon_threadsafe(future.set_result, 7)
        return await future

    assert in_graph(use(on_shared_loop(make()))) == 7


def test_a_lock_that_has_waited_on_the_shared_loop_can_be_shared():
    held, let_go = threading.Event(), asyncio.Event()

    async def hold(lock):
        async with lock:
            waiting = asyncio.ensure_future(lock.acquire())  # from here on the lock knows its loop
            await asyncio.sleep(0)
            waiting.cancel()
            held.set()
            await let_go.wait()

    async def use(lock):
        let_go.set()
        async with lock:
            return "mine"

    lock = asyncio.Lock()
    holding = asyncio.run_coroutine_threadsafe(hold(lock), csploop.csp.get_shared_loop())
    assert held.wait(10)
    assert in_graph(use(lock)) == "mine"
    holding.result()


def test_an_http_session_that_is_kept_on_the_shared_loop():
    aiohttp = pytest.importorskip("aiohttp")
    from aiohttp import web

    async def open_up():
        async def answer(request):
            return web.Response(text=request.query["symbol"])

        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner, aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}")

    async def close(runner, session):
        await session.close()
        await runner.cleanup()

    async def fetch(session, symbol):
        async with session.get("/", params={"symbol": symbol}) as answer:
            return await answer.text()

    runner, session = on_shared_loop(open_up())
    try:
        # The second graph uses the connection that the first has opened.
        assert [in_graph(fetch(session, symbol)) for symbol in ("ABC", "XYZ")] == ["ABC", "XYZ"]
        assert on_shared_loop(fetch(session, "outside")) == "outside"
    finally:
        on_shared_loop(close(runner, session))


def test_the_end_of_a_graph_ends_what_the_run_has_begun_and_nothing_else():
    ended = []

    async def endless(name):
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(name)

    plain = []

    async def feed(run, emitter):
        plain.append(asyncio.get_running_loop().create_task(endless("plain")))
        run.create_task(endless("the run's"))
        await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, int)
        csploop.csp.stop_engine()
        await endless("the adapter's")

    run_feed(feed, **BACKGROUND)
    assert sorted(ended) == ["the adapter's", "the run's"]
    assert not plain[0].done()

    async def executor_works():
        return await asyncio.get_running_loop().run_in_executor(None, int)

    assert on_shared_loop(executor_works()) == 0
    csploop.csp.shutdown_shared_loop()
    assert ended[-1] == "plain"


def test_two_graphs_at_a_time_each_have_their_own():
    """Whoever asks for the run on the shared loop gets that of the graph that the question comes from."""
    both = threading.Barrier(2)
    seen = {}

    def graph_of(name):
        async def feed(run, emitter):
            async def child():
                await asyncio.sleep(0)
                return current_run()

            await asyncio.get_running_loop().run_in_executor(None, both.wait)
            called = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(lambda: called.set_result(current_run()))
            seen[name] = {run, current_run(), await asyncio.create_task(child()), await called}
            emitter.emit(name)
            csploop.csp.stop_engine()

        return fed_by(feed)

    runners = [csploop.csp.run_on_thread(graph_of(name), **BACKGROUND) for name in ("one", "two")]
    assert [values(runner.join()[0]) for runner in runners] == [["one"], ["two"]]
    assert [len(runs) for runs in seen.values()] == [1, 1]
    assert seen["one"] != seen["two"]


def test_what_outlives_its_graph_is_in_no_run():
    over = asyncio.Event()
    left = []

    async def ask_later():
        await over.wait()
        assert not csploop.csp.is_csp_asyncio_mode()
        assert csploop.csp.get_csp_asyncio_loop() is None
        with pytest.raises(RuntimeError, match="nodes and coroutines of a run"):
            csploop.csp.stop_engine()
        return csploop.csp.get_async_loop() is asyncio.get_running_loop()

    async def feed(run, emitter):
        left.append(asyncio.create_task(ask_later()))
        csploop.csp.stop_engine()

    async def outcome():
        over.set()
        return await left[0]

    run_feed(feed, **BACKGROUND)
    assert on_shared_loop(outcome())


def test_a_thread_that_a_coroutine_uses_is_in_no_run():
    async def feed(run, emitter):
        emitter.emit(await asyncio.to_thread(csploop.csp.get_csp_asyncio_loop))
        csploop.csp.stop_engine()

    assert values(run_feed(feed, **BACKGROUND)) == [None]


@pytest.mark.parametrize("how", ["shutdown_shared_loop", "stop"])
def test_a_graph_ends_with_an_error_when_its_loop_does(how):
    log = []

    async def feed(run, emitter):
        emitter.emit("before")
        try:
            if how == "stop":
                asyncio.get_running_loop().stop()
            else:
                threads.append(threading.Thread(target=csploop.csp.shutdown_shared_loop))
                threads[0].start()
            await asyncio.get_running_loop().create_future()
        finally:
            for _ in range(500):  # the run waits, however long that takes
                await asyncio.sleep(0)
            log.append("cleaned up")

    @csp.node
    def look(x: ts[object]):
        with csp.stop():
            log.append("stopped")
        if csp.ticked(x):
            log.append(x)

    threads = []
    with pytest.raises(RuntimeError, match="the shared loop was shut down while a graph used it"):
        csploop.csp.run(lambda: look(fed_by(feed)()), **BACKGROUND)
    for thread in threads:
        thread.join()
    assert sorted(log) == ["before", "cleaned up", "stopped"]
    assert in_graph(this_loop()) is csploop.csp.get_shared_loop()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_must_leave_leaves_the_run(kind, monkeypatch):
    """It ends the loop, too, as it does any."""
    monkeypatch.setattr(threading, "excepthook", lambda args: None)

    async def feed(run, emitter):
        await asyncio.sleep(0)
        raise kind("raised")

    with pytest.raises(kind, match="raised"):
        run_feed(feed, **BACKGROUND)
    assert in_graph(this_loop()) is csploop.csp.get_shared_loop()


def test_ticks_that_need_a_loop_that_has_ended_say_so():
    begun = threading.Event()

    async def call(x):
        begun.set()

    def end():
        assert begun.wait(10)
        csploop.csp.shutdown_shared_loop()

    def graph():
        csploop.csp.async_out(csp.timer(timedelta(milliseconds=1)), call)

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(RuntimeError, match="the shared loop was shut down while a graph used it"):
        csploop.csp.run(graph, **BACKGROUND)
    thread.join()


def test_a_coroutine_of_the_shared_loop_can_run_such_a_graph():
    """Its thread is then the engine's, so that the graph has another loop."""

    async def nested():
        return in_graph(this_loop())

    inner = on_shared_loop(nested())
    assert inner is not csploop.csp.get_shared_loop()
    assert inner.is_closed()


def test_such_graphs_within_one_another():
    """The second has a thread of its own, on which the third must not wait for the first's."""

    async def nested(depth):
        this = asyncio.get_running_loop()
        return [this, *(in_graph(nested(depth - 1)) if depth else ())]

    loops = in_graph(nested(3))
    assert loops[0] is csploop.csp.get_shared_loop()
    assert len(set(loops)) == 4


def test_a_graph_within_a_graph():
    async def inner():
        return csploop.csp.get_csp_asyncio_loop()

    @csp.node
    def nest(x: ts[bool]) -> ts[object]:
        if csp.ticked(x):
            return in_graph(inner())

    def graph():
        nested = nest(csp.const(True))
        csp.stop_engine(nested)
        csp.add_graph_output("nested", nested)

    shared = csploop.csp.get_shared_loop()
    assert values(csploop.csp.run(graph, **BACKGROUND)["nested"]) == [shared]
