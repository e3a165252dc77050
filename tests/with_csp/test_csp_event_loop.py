"""CspEventLoop: asyncio in realtime and in simulated time, and csp graphs inside it."""

from __future__ import annotations

import asyncio
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import csp
import csploop.csp
import csploop.csp.event_loop as csp_event_loop
import pytest
from csp import ts
from csploop.csp.event_loop import CspEventLoop, new_event_loop
from support.graphs import delayed, fed_by, offsets, values
from support.protocols import Echo

EPOCH = datetime(1970, 1, 1)
KINDS = pytest.mark.parametrize("realtime", [True, False], ids=["realtime", "simulated"])


def run(main, realtime):
    return csp_event_loop.run(main, loop_factory=lambda: CspEventLoop(realtime=realtime))


def test_run_returns_the_result_and_has_asyncios_arguments():
    async def main():
        assert isinstance(asyncio.get_running_loop(), CspEventLoop)
        return asyncio.get_running_loop().get_debug()

    assert csp_event_loop.run(main()) is False
    assert csp_event_loop.run(main(), debug=True) is True


def test_run_inside_of_a_loop_is_refused():
    async def main():
        coro = asyncio.sleep(0)
        try:
            with pytest.raises(RuntimeError, match="running event loop"):
                csp_event_loop.run(coro)
        finally:
            coro.close()

    csp_event_loop.run(main())


@KINDS
def test_asyncio_works(realtime):
    async def main():
        loop = asyncio.get_running_loop()
        queue = asyncio.Queue()
        asyncio.get_running_loop().call_later(0.01, queue.put_nowait, "later")
        assert await queue.get() == "later"
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(loop.create_future(), 0.01)
        assert await loop.run_in_executor(None, lambda: 5) == 5
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        with csploop.csp.hold():
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
        writer.close()
        server.close()
        return await asyncio.gather(*(asyncio.sleep(0.001, n) for n in range(3)))

    assert run(main(), realtime) == [0, 1, 2]


@KINDS
def test_call_soon_and_stop(realtime):
    loop = new_event_loop(realtime)
    results = []
    loop.call_soon(results.append, "immediate")
    loop.call_later(0.1, results.append, "delayed")
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert results == ["immediate"]


def test_simulated_time_begins_at_the_epoch_and_ends_100_years_later():
    loop = CspEventLoop(realtime=False)
    assert loop.time() == 0
    with pytest.raises(RuntimeError, match="stopped before Future completed"):
        loop.run_until_complete(asyncio.sleep(101 * 365.25 * 86400))
    assert loop.time() == 100 * 365.25 * 86400
    loop.run_until_complete(_cancel_all())
    loop.close()


async def _cancel_all():
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_a_simulated_time_range():
    loop = CspEventLoop(realtime=False)
    loop.set_simulation_time_range(datetime(2024, 1, 1), timedelta(days=1))
    assert loop.time() == 1704067200

    async def main():
        await asyncio.sleep(3600)
        return loop.time()

    assert loop.run_until_complete(main()) == 1704070800
    with pytest.raises(RuntimeError, match="has begun"):
        loop.set_simulation_time_range()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.set_simulation_time_range()


@pytest.mark.parametrize(
    "end", [datetime(2024, 1, 1), datetime(2023, 1, 1), timedelta(0), timedelta(days=-1)]
)
def test_an_end_that_is_not_after_the_start_is_refused(end):
    loop = CspEventLoop(realtime=False)
    with pytest.raises(ValueError, match="after its start"):
        loop.set_simulation_time_range(datetime(2024, 1, 1), end)
    loop.close()


def test_a_realtime_loop_has_no_range():
    loop = CspEventLoop()
    with pytest.raises(RuntimeError, match="realtime=False"):
        loop.set_simulation_time_range(EPOCH, timedelta(days=1))
    loop.close()


@KINDS
def test_a_graph_and_coroutines_share_the_thread(realtime):
    threads = set()

    @csp.node
    def look(x: ts[int]):
        if csp.ticked(x):
            threads.add(threading.get_ident())

    async def feed(run, emitter):
        for value in range(3):
            await asyncio.sleep(0.01)
            emitter.emit(value)
        csploop.csp.stop_engine()

    def graph():
        edge = fed_by(feed, int)()
        look(edge)
        return edge

    async def beside(log):
        while True:
            await asyncio.sleep(0.01)
            log.append(asyncio.get_running_loop().time())

    async def main():
        log = []
        task = asyncio.create_task(beside(log))
        results = await asyncio.get_running_loop().run_graph(graph)
        assert len(log) >= 2
        task.cancel()
        return values(results[0])

    assert run(main(), realtime) == [0, 1, 2]
    assert threads == {threading.get_ident()}


def test_a_simulated_graph_begins_at_the_loops_time():
    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(100)
        results = await loop.run_graph(lambda: delayed(1, 5), endtime=timedelta(seconds=10))
        first = offsets(results[0], EPOCH)
        now = loop.time()
        start = EPOCH + timedelta(seconds=200)
        results = await loop.run_graph(lambda: delayed(2, 5), starttime=start, endtime=timedelta(seconds=10))
        with pytest.raises(ValueError, match="before"):
            await loop.run_graph(lambda: delayed(2, 5), starttime=EPOCH)
        return first, now, offsets(results[0], EPOCH)

    assert run(main(), False) == ([(105, 1)], 105, [(205, 2)])


@KINDS
def test_a_failing_graph_raises_and_the_loop_goes_on(realtime):
    @csp.node
    def fail(x: ts[int]):
        if csp.ticked(x):
            raise LookupError("in the graph")

    async def feed(run, emitter):
        raise LookupError("in its task")

    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(LookupError, match="in the graph"):
            await loop.run_graph(lambda: fail(csp.const(1)))
        with pytest.raises(LookupError, match="in its task"):
            await loop.run_graph(fed_by(feed))
        await asyncio.sleep(0.001)
        return "on"

    assert run(main(), realtime) == "on"


@KINDS
def test_cancelling_ends_the_graph_and_its_tasks(realtime):
    ended = []

    async def feed(run, emitter):
        try:
            while True:
                await asyncio.sleep(1)
        finally:
            ended.append(True)

    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(loop.run_graph(fed_by(feed)), 0.05)
        assert ended == [True]
        return values((await loop.run_graph(lambda: csp.const(1), endtime=timedelta(seconds=0.01)))[0])

    assert run(main(), realtime) == [1]


@KINDS
def test_the_end_of_main_ends_a_graph(realtime):
    async def feed(run, emitter):
        await asyncio.get_running_loop().create_future()

    async def main():
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.run_graph(fed_by(feed)))
        await asyncio.sleep(0.05)
        assert not task.done()
        return "done"

    assert run(main(), realtime) == "done"


def test_one_graph_at_a_time_and_only_from_its_own_loop():
    async def feed(run, emitter):
        await asyncio.get_running_loop().create_future()

    other = CspEventLoop()

    async def main():
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.run_graph(fed_by(feed)))
        await asyncio.sleep(0.01)
        with pytest.raises(RuntimeError, match="already"):
            await loop.run_graph(fed_by(feed))
        with pytest.raises(RuntimeError, match="its loop"):
            await other.run_graph(fed_by(feed))
        task.cancel()

    csp_event_loop.run(main())
    other.close()


def test_the_policy_makes_such_loops():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert csp_event_loop.EventLoopPolicy is csp_event_loop.CspEventLoopPolicy
        asyncio.set_event_loop_policy(csp_event_loop.EventLoopPolicy())
        try:

            async def main():
                return type(asyncio.get_running_loop())

            assert asyncio.run(main()) is CspEventLoop
        finally:
            asyncio.set_event_loop_policy(None)


def test_the_policy_makes_none_unasked():
    policy = csp_event_loop.EventLoopPolicy()
    with pytest.raises(RuntimeError, match="no current event loop in thread 'MainThread'"):
        policy.get_event_loop()
    loop = policy.new_event_loop()
    assert isinstance(loop, CspEventLoop)
    policy.set_event_loop(loop)
    assert policy.get_event_loop() is loop
    with ThreadPoolExecutor(1) as executor, pytest.raises(RuntimeError, match="in thread 'ThreadPool"):
        executor.submit(policy.get_event_loop).result()
    policy.set_event_loop(None)
    with pytest.raises(RuntimeError, match="no current event loop"):
        policy.get_event_loop()
    loop.close()
