"""BidirectionalBridge in realtime: events from nodes on the loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import csp
from csploop.csp import BidirectionalBridge
from support.bridge_graphs import Graph, echo


class Listener:
    """An event callback that can be waited for."""

    def __init__(self, until: int) -> None:
        self.events: list[Any] = []
        self.threads: set[str] = set()
        self.done = threading.Event()
        self._until = until

    def __call__(self, event: Any) -> None:
        self.events.append(event)
        self.threads.add(threading.current_thread().name)
        if len(self.events) == self._until:
            self.done.set()


def test_events_reach_every_callback_on_the_loop_and_in_order() -> None:
    with BidirectionalBridge(int, "bidi") as bridge:
        one, two = Listener(2000), Listener(2000)
        bridge.on_event(one)
        bridge.on_event(two)
        with Graph(bridge, 2000, extra=lambda out: echo(out, bridge)):
            bridge.push_many(range(2000))
        assert one.done.wait(10) and two.done.wait(10)
    assert [value for _, value in one.events] == list(range(2000))
    assert one.events == two.events
    assert one.threads == {"bidi"}


def test_the_answer_comes_back_with_what_was_pushed() -> None:
    with BidirectionalBridge(str) as bridge:

        @csp.node
        def respond(data: csp.ts[str], bridge: object):
            if csp.ticked(data):
                bridge.emit({"input": data, "output": f"processed: {data}"})

        listener = Listener(1)
        bridge.on_event(listener)
        with Graph(bridge, 1, extra=lambda out: respond(out, bridge)):
            bridge.push("hello")
        assert listener.done.wait(10)
    assert listener.events == [{"input": "hello", "output": "processed: hello"}]


def test_off_event_says_whether_it_was_on() -> None:
    with BidirectionalBridge() as bridge:
        first, last = Listener(1), Listener(2)
        bridge.on_event(first)
        bridge.on_event(last)
        assert bridge.emit(1) is True
        assert first.done.wait(10)
        assert bridge.off_event(first) is True
        assert bridge.off_event(first) is False
        bridge.emit(2)
        assert last.done.wait(10)
    assert (first.events, last.events) == ([1], [1, 2])


def test_one_failing_callback_spares_the_others() -> None:
    with BidirectionalBridge() as bridge:
        reports: list[Any] = []
        assert bridge.loop is not None
        bridge.loop.set_exception_handler(lambda loop, context: reports.append(context["exception"]))
        listener = Listener(2)
        bridge.on_event(lambda event: 1 / 0)
        bridge.on_event(listener)
        bridge.emit(1)
        bridge.emit(2)
        assert listener.done.wait(10)
    assert [type(report) for report in reports] == [ZeroDivisionError, ZeroDivisionError]


def test_a_coroutine_function_becomes_a_task() -> None:
    with BidirectionalBridge() as bridge:
        listener = Listener(1)

        async def slow(event: Any) -> None:
            await asyncio.sleep(0)
            listener(event)

        bridge.on_event(slow)
        bridge.emit("event")
        assert listener.done.wait(10)
    assert listener.events == ["event"]


def test_a_callback_may_push_into_the_graph_that_emitted() -> None:
    with BidirectionalBridge(int) as bridge:
        bridge.on_event(lambda event: bridge.push(event[1] + 1))
        with Graph(bridge, 100, extra=lambda out: echo(out, bridge)) as graph:
            bridge.push(0)
    assert graph.values[:100] == list(range(100))


def test_a_callback_may_take_itself_off() -> None:
    with BidirectionalBridge() as bridge:
        seen: list[int] = []
        last = Listener(3)

        def only_once(event: int) -> None:
            seen.append(event)
            bridge.off_event(only_once)

        bridge.on_event(only_once)
        bridge.on_event(last)
        for event in range(3):
            bridge.emit(event)
        assert last.done.wait(10)
    assert seen == [0]
