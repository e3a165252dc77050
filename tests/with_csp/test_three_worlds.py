"""A csp graph, asyncio coroutines and Trio tasks in one thread, on one loop."""

from __future__ import annotations

import asyncio
import threading

import csp
import csploop.csp
import pytest
import trio
from csp import ts
from csploop.trio import aio_as_trio, run_guest


@csp.node
def stop_after(answer: ts[int], count: int) -> ts[int]:
    with csp.state():
        s_seen = 0
    if csp.ticked(answer):
        s_seen += 1
        csp.output(answer)
        if s_seen == count:
            csp.stop_engine()


async def counted(count: int):
    for number in range(count):
        await asyncio.sleep(0)
        yield number


def test_values_go_round_in_one_thread():
    threads = set()
    loops = set()

    async def tenfold(value: int) -> int:
        await asyncio.sleep(0)
        loops.add(asyncio.get_running_loop())
        threads.add(threading.get_ident())
        return value * 10

    async def in_trio(value: int) -> int:
        await trio.sleep(0)
        threads.add(threading.get_ident())
        return await aio_as_trio(tenfold)(value) + 1

    async def through_trio(value: int) -> int:
        loops.add(asyncio.get_running_loop())
        return await run_guest(in_trio, value)

    @csp.graph
    def graph():
        number = csploop.csp.async_for(counted(20), output_type=int)
        answer = csploop.csp.async_node(number, through_trio, ordered=True)
        csp.add_graph_output("out", stop_after(answer, 20))

    result = csploop.csp.run(graph, realtime=True)
    assert [value for _, value in result["out"]] == [10 * number + 1 for number in range(20)]
    assert threads == {threading.get_ident()}
    assert len(loops) == 1


def test_the_end_of_the_graph_cancels_trio_tasks_and_waits_for_them():
    events = []

    async def forever(value: int) -> int:
        events.append("began")
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0)
            events.append("ended")
        return value

    async def through_trio(value: int) -> int:
        loop = asyncio.get_running_loop()
        waiting = loop.create_task(run_guest(forever, value))
        while not events:
            await asyncio.sleep(0)
        csploop.csp.stop_engine()
        return await waiting

    @csp.graph
    def graph():
        number = csploop.csp.async_for(counted(1), output_type=int)
        csp.add_graph_output("out", csploop.csp.async_node(number, through_trio))

    assert csploop.csp.run(graph, realtime=True)["out"] == []
    assert events == ["began", "ended"]


def test_an_error_in_trio_fails_the_run():
    async def failing(value: int) -> int:
        await trio.sleep(0)
        raise ZeroDivisionError("in trio")

    async def through_trio(value: int) -> int:
        return await run_guest(failing, value)

    @csp.graph
    def graph():
        number = csploop.csp.async_for(counted(1), output_type=int)
        csp.add_graph_output("out", csploop.csp.async_node(number, through_trio))

    with pytest.raises(ZeroDivisionError, match="in trio"):
        csploop.csp.run(graph, realtime=True)
