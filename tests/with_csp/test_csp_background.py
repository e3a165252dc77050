"""asyncio_on_thread=True: coroutines run on the shared loop, which has a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta

import csp
import csploop.csp
import pytest
from csp import ts
from support.graphs import REALTIME, fed_by, run_feed, values

BACKGROUND = {"asyncio_on_thread": True, **REALTIME}


def test_coroutines_run_on_another_thread_and_values_tick_on_the_engines():
    threads = []

    @csp.node
    def look(x: ts[object]):
        if csp.ticked(x):
            threads.append(("node", threading.get_ident()))
            assert csploop.csp.get_csp_asyncio_loop() is x

    async def feed(run, emitter):
        threads.append(("task", threading.get_ident()))
        assert not csploop.csp.is_csp_asyncio_mode()
        loop = asyncio.get_running_loop()
        assert csploop.csp.get_csp_asyncio_loop() is loop
        assert isinstance(csploop.csp.now(), datetime)
        emitter.emit(loop)
        await asyncio.sleep(0.001)
        csploop.csp.stop_engine()

    csploop.csp.run(lambda: look(fed_by(feed)()), **BACKGROUND)
    kinds = dict(threads)
    assert kinds["node"] == threading.get_ident()
    assert kinds["task"] != threading.get_ident()


def test_values_arrive_in_order_and_none_is_lost():
    async def feed(run, emitter):
        for value in range(5000):
            emitter.emit(value)
            if not value % 100:
                await asyncio.sleep(0)
        csploop.csp.stop_engine()

    assert values(run_feed(feed, int, **BACKGROUND)) == list(range(5000))


def test_an_exception_of_a_run_task_fails_the_run():
    async def feed(run, emitter):
        await asyncio.sleep(0.001)
        raise LookupError("from the other thread")

    with pytest.raises(LookupError, match="from the other thread"):
        run_feed(feed, **BACKGROUND)


def test_the_end_cancels_and_awaits_tasks():
    ended = []

    async def feed(run, emitter):
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0.001)
            ended.append(True)

    assert run_feed(feed, asyncio_on_thread=True, realtime=True, endtime=timedelta(seconds=0.05)) == []
    assert ended == [True]


def test_on_another_thread():
    async def feed(run, emitter):
        emitter.emit(1)
        csploop.csp.stop_engine()

    assert values(csploop.csp.run_on_thread(fed_by(feed), **BACKGROUND).join()[0]) == [1]
