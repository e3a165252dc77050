"""Bridges in wrong hands: before start, after stop, wrong types, ends in the middle."""

from __future__ import annotations

import asyncio
import enum
import threading
from datetime import datetime, timedelta
from typing import Any, Dict, List  # noqa: UP035  # csp's types

import csp
import numpy as np
import pytest
from csp.impl.struct import define_struct
from csploop.csp import AsyncioBridge, BidirectionalBridge
from support.bridge_graphs import LONG, START, Gate, Graph, collect, simulate

# csp wants the annotations of a class as types, not as text.
Quote = define_struct("Quote", {"price": float})


class Side(csp.Enum):
    BUY = 1


async def nothing() -> None:
    pass


def calls(bridge: AsyncioBridge) -> list[Any]:
    return [
        lambda: bridge.call_soon(print),
        lambda: bridge.call_later(1, print),
        lambda: bridge.call_at(datetime(2100, 1, 1), print),
        lambda: bridge.call_at_offset(timedelta(1), print),
        lambda: bridge.call_at_engine(datetime(2100, 1, 1), print),
        lambda: bridge.run_coroutine(nothing()),
    ]


def test_calls_need_a_started_bridge() -> None:
    bridge = AsyncioBridge()
    for call in calls(bridge):
        with pytest.raises(RuntimeError, match=r"call start\(\) of asyncio_bridge first"):
            call()
    assert bridge.elapsed_since_start() == timedelta(0)
    assert not bridge.is_running and bridge.loop is None
    bridge.start()
    assert bridge.is_running and bridge.loop is not None
    bridge.stop()
    for call in calls(bridge):
        with pytest.raises(RuntimeError, match="start"):
            call()
    assert not bridge.is_running and bridge.loop is None


def test_pushes_before_start_and_after_stop_are_refused_and_counted() -> None:
    bridge = AsyncioBridge(int)
    assert bridge.push(1) is False
    bridge.start()
    with Graph(bridge) as graph:
        bridge.stop()
        assert bridge.push(2) is False
        assert bridge.push_many([3]) == 0
    assert graph.values == []
    assert bridge.stats().refused == 3


def test_starting_twice_is_an_error_and_stopping_twice_is_none() -> None:
    bridge = AsyncioBridge()
    bridge.stop()
    bridge.start()
    with pytest.raises(RuntimeError, match="started already"):
        bridge.start()
    bridge.stop()
    bridge.stop()
    bridge.start()
    bridge.stop()


@pytest.mark.parametrize("delay", [-1, -0.001, float("nan"), float("-inf")])
def test_a_delay_must_not_be_negative(delay: float) -> None:
    with AsyncioBridge() as bridge:
        with pytest.raises(ValueError, match="negative"):
            bridge.call_later(delay, print)
        with pytest.raises(ValueError, match="negative"):
            bridge.call_at_offset(timedelta(microseconds=-1), print)


@pytest.mark.parametrize("delay", [float("inf"), 1e300, 2**62])
def test_a_huge_delay_never_comes(delay: float) -> None:
    with AsyncioBridge() as bridge:
        handles = [
            bridge.call_later(delay, print),
            bridge.call_at(datetime.max, print),
            bridge.call_at_engine(datetime.max, print),
        ]
        with Graph(bridge, 1):
            bridge.call_soon(bridge.push, 1)
    assert all(handle.cancelled() for handle in handles)


def test_wrong_arguments_are_refused() -> None:
    with AsyncioBridge() as bridge:
        for call in (
            lambda: bridge.call_soon(None),  # type: ignore[arg-type]
            lambda: bridge.call_later("1", print),  # type: ignore[arg-type]
            lambda: bridge.call_at(1.5, print),  # type: ignore[arg-type]
            lambda: bridge.call_at_offset(1.5, print),  # type: ignore[arg-type]
            lambda: bridge.call_at_engine(1.5, print),  # type: ignore[arg-type]
            lambda: bridge.run_coroutine(nothing),  # type: ignore[arg-type]
            lambda: bridge.run_coroutine(42),  # type: ignore[arg-type]
        ):
            with pytest.raises(TypeError):
                call()
    with pytest.raises(TypeError):
        AsyncioBridge().start("now")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typ", "right", "wrong"),
    [
        (int, 1, "1"),
        (int, True, 1.5),
        (int, -(2**63), None),
        (float, 1, "1.0"),
        (float, 1.5, None),
        (str, "a", 5),
        (bool, True, 1),
        (datetime, START, 5),
        (timedelta, timedelta(1), 5),
        (Quote, Quote(price=1.0), 1.0),
        (Side, Side.BUY, 1),
        (List[float], [1.5], ["a"]),  # noqa: UP006
        (Dict[str, int], {"a": 1}, 3),  # noqa: UP006
        (dict, {}, []),
        (np.ndarray, np.zeros(2), 3),
        (enum.Enum, enum.Enum("E", "A")["A"], 3),
    ],
    ids=lambda value: None,
)
def test_a_value_of_the_wrong_type_is_refused_where_it_is_pushed(typ: Any, right: Any, wrong: Any) -> None:
    bridge = AsyncioBridge(typ, "typed")
    with bridge, Graph(bridge, 2) as graph:
        assert bridge.push(right)
        with pytest.raises(TypeError, match="typed carries"):
            bridge.push(wrong)
        with pytest.raises(TypeError):
            bridge.push_many([right, wrong])
        assert bridge.run_coroutine(bridge.send(right)).result(10)
        with pytest.raises(TypeError):
            bridge.run_coroutine(bridge.send(wrong)).result(10)
    assert len(graph.values) == 2
    assert bridge.stats().pushed == 2


def test_an_int_beyond_64_bits_is_refused() -> None:
    with AsyncioBridge(int) as bridge, pytest.raises(OverflowError):
        bridge.push(2**63)


def test_stop_from_a_callback_ends_the_loop_after_it() -> None:
    bridge = AsyncioBridge()
    bridge.start()
    stopped = threading.Event()

    def stop() -> None:
        bridge.stop()
        stopped.set()

    bridge.call_soon(stop)
    assert stopped.wait(10)
    bridge.stop()
    assert not bridge.is_running


def test_stop_waits_for_a_running_callback_and_says_when_it_takes_too_long() -> None:
    bridge = AsyncioBridge()
    bridge.start()
    gate = Gate()
    bridge.call_soon(gate)
    left = [bridge.call_soon(print), bridge.call_later(0, print)]
    assert gate.reached.wait(10)
    with pytest.raises(TimeoutError, match="busy"):
        bridge.stop(timeout=0)
    assert not bridge.is_running
    with pytest.raises(RuntimeError, match="not ended"):
        bridge.start()
    gate.open()
    bridge.stop()
    assert all(handle.cancelled() for handle in left)
    bridge.start()
    bridge.stop()


def test_stop_cancels_coroutines_and_waits_for_their_end() -> None:
    bridge = AsyncioBridge()
    bridge.start()
    steps: list[str] = []
    begun = threading.Event()

    async def endless() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    future = bridge.run_coroutine(endless())
    assert begun.wait(10)
    bridge.stop()
    assert steps == ["cleaned up"]
    assert future.cancelled()


def test_a_failing_coroutine_fails_its_future_only() -> None:
    with AsyncioBridge() as bridge:

        async def fail() -> None:
            raise LookupError("no")

        with pytest.raises(LookupError, match="no"):
            bridge.run_coroutine(fail()).result(10)
        assert bridge.is_running


def test_a_failing_callback_goes_to_the_exception_handler() -> None:
    with AsyncioBridge() as bridge:
        reports: list[Any] = []
        told = threading.Event()

        def handler(loop: Any, context: dict[str, Any]) -> None:
            reports.append(context["exception"])
            told.set()

        assert bridge.loop is not None
        bridge.loop.set_exception_handler(handler)
        bridge.call_soon(lambda: 1 / 0)
        assert told.wait(10)
        assert isinstance(reports[0], ZeroDivisionError)
        assert bridge.run_coroutine(nothing()).result(10) is None


def test_a_loop_stopped_under_its_bridge_ends_the_bridge() -> None:
    bridge = AsyncioBridge(int)
    bridge.start()
    loop = bridge.loop
    assert loop is not None
    with Graph(bridge) as graph:
        waiting = bridge.call_later(3600, print)
        with pytest.raises(RuntimeError, match="running"):
            loop.close()
        loop.call_soon_threadsafe(loop.stop)
        while bridge.is_running:
            pass
        with pytest.raises(RuntimeError):
            bridge.call_soon(print)
        assert bridge.push(1) is False
        bridge.stop()
        assert waiting.cancelled()
        assert loop.is_closed()
    assert graph.values == []


def test_an_engine_that_ends_while_coroutines_push_loses_nothing_uncounted() -> None:
    with AsyncioBridge(int) as bridge:

        async def produce() -> int:
            taken = 0
            while bridge.push(taken):
                taken += 1
                await asyncio.sleep(0)
            return taken

        with Graph(bridge, 10) as graph:
            future = bridge.run_coroutine(produce())
        assert future.result(10) == bridge.stats().pushed
        stats = bridge.stats()
        assert stats.pushed == stats.drained + stats.dropped
        assert stats.queued == 0
        assert len(graph.values) >= 10


def test_a_graph_that_fails_frees_its_bridge() -> None:
    bridge = AsyncioBridge(int)
    with bridge:

        @csp.node
        def fail(value: csp.ts[int]):
            if csp.ticked(value):
                raise ArithmeticError("node")

        with pytest.raises(RuntimeError) as caught, Graph(bridge, 5, extra=fail):
            bridge.push(1)
        assert isinstance(caught.value.__cause__, ArithmeticError)
        assert bridge.push(2) is False
    with bridge, Graph(bridge, 1) as graph:
        bridge.push(3)
    assert graph.values == [3]


def test_two_graphs_cannot_run_with_one_bridge() -> None:
    with AsyncioBridge(int) as bridge, Graph(bridge, 1) as graph:
        with pytest.raises(RuntimeError, match="already part"):
            csp.run(lambda: collect(bridge.adapter.out(), [], 1), realtime=True, endtime=LONG)
        bridge.push(1)
    assert graph.values == [1]


def test_emit_needs_a_started_bridge() -> None:
    bridge = BidirectionalBridge()
    with pytest.raises(RuntimeError, match="start"):
        bridge.emit(1)
    bridge.start()
    bridge.stop()
    assert bridge.emit(1) is False
    with pytest.raises(TypeError):
        bridge.on_event(5)  # type: ignore[arg-type]


def test_wait_for_adapter_ends_with_stop() -> None:
    bridge = AsyncioBridge()
    bridge.start()
    got: list[bool] = []
    entered = threading.Event()

    def wait() -> None:
        entered.set()
        got.append(bridge.wait_for_adapter())

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert entered.wait(10)
    while waiter.is_alive():
        bridge.stop()
        waiter.join(0.01)
    assert got == [False]


def test_a_simulation_leaves_what_its_end_cut_off_cancelled() -> None:
    bridge = AsyncioBridge(int)
    bridge.start(realtime=False)
    with bridge:
        late = bridge.call_at_offset(timedelta(hours=48), bridge.push, 1)

        async def endless() -> None:
            await asyncio.Event().wait()

        future = bridge.run_coroutine(endless())
        assert simulate(bridge) == []
        assert late.cancelled() and future.cancelled()
        assert bridge.push(1) is False


def test_a_bridge_for_simulation_that_never_runs_closes_its_coroutines() -> None:
    bridge = AsyncioBridge(int)
    bridge.start(realtime=False)
    future = bridge.run_coroutine(nothing())
    handle = bridge.call_later(1, print)
    bridge.stop()
    assert future.cancelled() and handle.cancelled()
