"""RecordBridge: records of C threads in a graph, as arrays and as structs."""

from __future__ import annotations

import ctypes
import threading
from datetime import datetime, timedelta
from typing import Any

import csp
import csploop.csp
import numpy as np
import pytest
from csp.impl.struct import define_struct
from csploop._ffi import lib
from csploop.csp import RecordBridge
from support.bridge_graphs import LONG, START, Gate, once

PLAIN = np.dtype([("number", "i8"), ("price", "f8")])
RUNS = pytest.mark.parametrize("run", [csp.run, csploop.csp.run], ids=["csp.run", "csploop.csp.run"])
# csp wants the annotations of a class as types, not as text.
Tick = define_struct("Tick", {"number": int, "price": float, "live": bool, "at": datetime, "took": timedelta})


@csp.node
def gather(batch: csp.ts["T"], seen: object, until: int):
    """Keeps batches until they hold so many records."""
    with csp.state():
        s_count = 0
    if csp.ticked(batch):
        seen.append(batch)
        s_count += len(batch)
        if s_count >= until:
            csp.stop_engine()


def run_until(run: Any, bridge: RecordBridge, until: int, begin: Any, *, structs: bool = False) -> list[Any]:
    """Runs a graph that ends with so many records; begin() is called in its first cycle."""
    seen: list[Any] = []

    def graph() -> None:
        gather(bridge.structs() if structs else bridge.out(), seen, until)
        once(csp.const(True), begin)

    run(graph, realtime=True, endtime=LONG)
    return seen


def numbers(count: int, first: int = 0) -> Any:
    array = np.zeros(count, PLAIN)
    array["number"] = np.arange(first, first + count)
    array["price"] = array["number"] / 2
    return array


@RUNS
@pytest.mark.parametrize("many", [1, 100], ids=["push", "push_many"])
def test_records_of_c_threads_arrive_whole_and_in_order(run: Any, many: int) -> None:
    from producer import RECORD, Producer

    each = 20000
    producers: list[Any] = []
    with RecordBridge(RECORD, "feed", capacity=512) as bridge:

        def begin() -> None:
            producers.extend(Producer(bridge.address, each, many, first=me << 32) for me in range(3))

        batches = run_until(run, bridge, 3 * each, begin)
        assert [producer.join() for producer in producers] == [(each, 0)] * 3
    records = np.concatenate(batches)
    assert records.dtype == RECORD
    for me in range(3):
        of_one = records["number"][records["number"] >> np.uint64(32) == me] & np.uint64(0xFFFFFFFF)
        assert np.array_equal(of_one, np.arange(each))
    assert np.array_equal(records["time"].astype("i8"), records["number"].astype("i8") * 1000)
    stats = bridge.stats()
    assert (stats.pushed, stats.drained, stats.dropped, stats.queued) == (3 * each, 3 * each, 0, 0)


@RUNS
def test_what_was_pushed_before_the_graph_is_there_at_its_start(run: Any) -> None:
    with RecordBridge(PLAIN) as bridge:
        assert bridge.push_many(numbers(10)) == 10
        assert bridge.push((10, 5.0))
        assert bridge.push(numbers(1, 11).tobytes())
        (batch,) = run_until(run, bridge, 12, lambda: None)
    assert np.array_equal(batch, numbers(12))
    assert batch.flags.owndata or batch.base.flags.owndata


def test_a_tick_brings_no_more_than_the_batch() -> None:
    with RecordBridge(PLAIN, batch=4) as bridge:
        bridge.push_many(numbers(10))
        batches = run_until(csp.run, bridge, 10, lambda: None)
    assert [len(batch) for batch in batches] == [4, 4, 2]


@RUNS
def test_an_idle_engine_is_woken_for_each_record(run: Any) -> None:
    with RecordBridge(PLAIN) as bridge:
        seen: list[Any] = []

        @csp.node
        def answer(batch: csp.ts[np.ndarray], bridge: object):
            if csp.ticked(batch):
                seen.extend(batch["number"].tolist())
                if len(seen) == 500:
                    csp.stop_engine()
                else:
                    thread = threading.Thread(target=bridge.push, args=((len(seen), 0.0),))
                    thread.start()
                    thread.join()

        bridge.push((0, 0.0))
        run(lambda: answer(bridge.out(), bridge), realtime=True, endtime=LONG)
    assert seen == list(range(500))


@RUNS
def test_structs_on_request(run: Any) -> None:
    with RecordBridge(Tick) as bridge:
        assert bridge.dtype.itemsize == 40, "as a C compiler lays it out"
        at, took = np.datetime64("2020-01-01T00:00:01.000001"), np.timedelta64(3, "us")
        bridge.push_many(np.array([(7, 1.5, True, at, took), (8, 2.5, False, at, took)], bridge.dtype))
        (batch,) = run_until(run, bridge, 2, lambda: None, structs=True)
    second = timedelta(seconds=1, microseconds=1)
    assert batch == [
        Tick(number=7, price=1.5, live=True, at=START + second, took=timedelta(microseconds=3)),
        Tick(number=8, price=2.5, live=False, at=START + second, took=timedelta(microseconds=3)),
    ]


def test_structs_of_a_dtype_take_the_fields_they_know() -> None:
    Named = define_struct("Named", {"name": str, "price": float, "absent": int})
    with RecordBridge(np.dtype([("name", "S4"), ("price", "f8"), ("rest", "i4")]), struct=Named) as bridge:
        bridge.push((b"ab", 1.5, 3))
        (batch,) = run_until(csp.run, bridge, 1, lambda: None, structs=True)
    assert batch == [Named(name="ab", price=1.5)]


def test_fail_and_drop_oldest_count() -> None:
    with RecordBridge(PLAIN, capacity=4, overflow="fail") as bridge:
        assert bridge.push_many(numbers(6)) == 4
        assert bridge.push((9, 9.0)) is False
        assert bridge.stats().refused == 3
    with RecordBridge(PLAIN, capacity=4, overflow="drop-oldest") as bridge:
        assert bridge.push_many(numbers(6)) == 6
        (batch,) = run_until(csp.run, bridge, 4, lambda: None)
        assert np.array_equal(batch, numbers(4, 2))
        assert bridge.stats().dropped == 2


def test_blocking_the_engines_own_thread_is_an_error() -> None:
    with RecordBridge(PLAIN, capacity=4) as bridge:
        errors: list[str] = []

        def overfill() -> None:
            try:
                bridge.push_many(numbers(9))
            except RuntimeError as exc:
                errors.append(str(exc))

        run_until(csp.run, bridge, 4, overfill)
    assert len(errors) == 1 and "own thread" in errors[0]


def test_close_in_the_middle_lets_the_graph_have_the_rest() -> None:
    from producer import RECORD, Producer

    bridge = RecordBridge(RECORD, capacity=64)
    gate = Gate()
    producers: list[Any] = []
    seen: list[Any] = []

    def graph() -> None:
        gather(bridge.out(), seen, 64)
        once(csp.const(True), gate)

    runner = csp.run_on_thread(graph, realtime=True, endtime=LONG)
    assert gate.reached.wait(10)
    producers.append(Producer(bridge.address, 1000, 1))
    while bridge.stats().blocked == 0:
        pass
    bridge.close()
    bridge.close()
    taken, code = producers[0].join()
    assert (taken, code) == (64, lib.CSPLOOP_ECLOSED)
    gate.open()
    runner.join()
    assert np.array_equal(np.concatenate(seen)["number"], np.arange(64))
    assert bridge.push(np.zeros(1, RECORD)[0]) is False


def test_a_producer_that_outlives_the_bridge_is_told() -> None:
    from producer import RECORD, Producer

    bridge = RecordBridge(RECORD, capacity=2)
    producer = Producer(bridge.address, 1000, 1)
    while bridge.stats().blocked == 0:
        pass
    bridge.close()
    assert producer.join() == (2, lib.CSPLOOP_ECLOSED)
    assert bridge.stats().dropped == 2


def test_one_graph_after_the_other_but_not_two_at_once() -> None:
    with RecordBridge(PLAIN) as bridge:

        def nested() -> None:
            with pytest.raises(RuntimeError, match="already part"):
                run_until(csp.run, bridge, 1, lambda: None)

        for number in (1, 2):
            bridge.push((number, 0.0))
            (batch,) = run_until(csp.run, bridge, 1, nested)
            assert batch["number"].tolist() == [number]
    with pytest.raises(RuntimeError, match="closed"):
        run_until(csp.run, bridge, 1, lambda: None)


def test_simulation_is_refused() -> None:
    with RecordBridge(PLAIN) as bridge, pytest.raises(RuntimeError, match="realtime only"):
        csp.run(bridge.out, starttime=START, endtime=timedelta(1))


def test_wrong_layouts_and_records_are_refused() -> None:
    for layout, error in (
        (np.dtype(object), TypeError),
        (np.dtype([("x", "O")]), TypeError),
        (np.dtype("S0"), ValueError),
        (np.dtype("S2000000"), ValueError),
        (define_struct("Text", {"text": str}), TypeError),
    ):
        with pytest.raises(error):
            RecordBridge(layout)
    for options in ({"capacity": 0}, {"batch": 0}, {"overflow": "explode"}, {"struct": 5}):
        with pytest.raises((TypeError, ValueError)):
            RecordBridge(PLAIN, **options)  # type: ignore[arg-type]
    with RecordBridge(PLAIN) as bridge:
        with pytest.raises(TypeError, match="carries"):
            bridge.push_many(np.zeros(2))
        with pytest.raises(ValueError, match="16 bytes"):
            bridge.push(b"short")
        with pytest.raises((TypeError, ValueError)):
            bridge.push(("a", "b"))
        with pytest.raises(TypeError, match="struct="):
            bridge.structs()
        assert bridge.stats().pushed == 0


def test_the_address_is_that_of_the_cores_bridge() -> None:
    with RecordBridge(PLAIN) as bridge:
        assert ctypes.c_void_p(bridge.address).value
        assert bridge.push_many(numbers(0)) == 0
