"""What a full bridge does, and that nothing is lost without being counted."""

from __future__ import annotations

import asyncio
import threading

import csp
import pytest
from csploop.csp import AsyncioBridge
from support.bridge_graphs import Gate, Graph, once


class Held:
    """A graph whose engine stands still inside a node until `release`."""

    def __init__(self, bridge: AsyncioBridge, until: int = 0) -> None:
        self._gate = Gate()
        self.graph = Graph(bridge, until, extra=lambda out: once(csp.const(True), self._gate))

    def __enter__(self) -> Held:
        self.graph.__enter__()
        assert self._gate.reached.wait(10)
        return self

    def release(self) -> None:
        self._gate.open()

    def __exit__(self, *exc_info: object) -> None:
        self._gate.open()
        self.graph.__exit__(*exc_info)


def adds_up(bridge: AsyncioBridge) -> bool:
    stats = bridge.stats()
    return stats.pushed == stats.drained + stats.dropped + stats.queued


def test_fail_raises_and_counts() -> None:
    with AsyncioBridge(int, capacity=3, overflow="fail") as bridge, Held(bridge, 3) as held:
        for value in range(3):
            assert bridge.push(value)
        with pytest.raises(asyncio.QueueFull, match="3 values"):
            bridge.push(3)
        assert bridge.push_many([4, 5]) == 0
        assert bridge.stats().refused == 3
    assert held.graph.values == [0, 1, 2]
    assert adds_up(bridge)


def test_fail_takes_of_many_what_fits() -> None:
    with AsyncioBridge(int, capacity=3, overflow="fail") as bridge, Held(bridge, 3) as held:
        assert bridge.push_many([0, 1, 2, 3, 4]) == 3
        assert bridge.stats().refused == 2
    assert held.graph.values == [0, 1, 2]


def test_drop_oldest_keeps_the_newest() -> None:
    with AsyncioBridge(int, capacity=4, overflow="drop-oldest") as bridge, Held(bridge, 4) as held:
        for value in range(6):
            assert bridge.push(value)
        assert bridge.push_many(range(6, 12)) == 6
        assert bridge.stats().dropped == 8
    assert held.graph.values == [8, 9, 10, 11]
    assert adds_up(bridge)


def test_block_waits_for_the_engine() -> None:
    with AsyncioBridge(int, capacity=2) as bridge:
        with Held(bridge, 100) as held:
            thread = threading.Thread(target=lambda: [bridge.push(value) for value in range(100)])
            thread.start()
            while bridge.stats().blocked == 0:
                pass
            assert bridge.stats().queued == 2
            held.release()
            thread.join()
        assert held.graph.values == list(range(100))


def test_block_takes_many_in_pieces() -> None:
    with AsyncioBridge(int, capacity=7) as bridge, Graph(bridge, 1000) as graph:
        assert bridge.push_many(range(1000)) == 1000
    assert graph.values == list(range(1000))


@pytest.mark.parametrize("ending", ["stop", "engine"])
def test_a_blocked_push_returns_when_nobody_will_take_its_value(ending: str) -> None:
    bridge = AsyncioBridge(int, capacity=1)
    bridge.start()
    got: list[object] = []
    with Held(bridge) as held:
        bridge.push(0)
        threads = [
            threading.Thread(target=lambda: got.append(bridge.push(1))),
            threading.Thread(target=lambda: got.append(bridge.push_many([1, 2]))),
        ]
        for thread in threads:
            thread.start()
        while bridge.stats().blocked < 2:
            pass
        if ending == "stop":
            bridge.stop()
            for thread in threads:
                thread.join()
        else:
            # The engine stops before it looks at what the blocked threads push.
            held.graph.stop()
    for thread in threads:
        thread.join()
    if ending == "stop":
        assert got.count(False) == 2  # push's False and push_many's 0
    assert adds_up(bridge)
    bridge.stop()


def test_blocking_the_engines_own_thread_is_an_error() -> None:
    with AsyncioBridge(int, capacity=2) as bridge:
        errors: list[str] = []

        def overfill() -> None:
            try:
                for value in range(3):
                    bridge.push(value)
            except RuntimeError as exc:
                errors.append(str(exc))

        with Graph(bridge, 2, extra=lambda out: once(csp.const(True), overfill)) as graph:
            pass
    assert len(errors) == 1 and "own thread" in errors[0]
    assert graph.values == [0, 1]


def test_send_waits_without_blocking_the_loop() -> None:
    with AsyncioBridge(int, capacity=4) as bridge:
        with Held(bridge, 50) as held:

            async def produce() -> int:
                sender = asyncio.ensure_future(send_all())
                while bridge.stats().queued < 4:
                    await asyncio.sleep(0)
                turns = 0
                for _ in range(10):
                    await asyncio.sleep(0)
                    turns += not sender.done()
                held.release()
                await sender
                return turns

            async def send_all() -> None:
                for value in range(50):
                    assert await bridge.send(value)

            assert bridge.run_coroutine(produce()).result(10) == 10
        assert held.graph.values == list(range(50))


def test_drain_waits_until_half_is_free() -> None:
    with AsyncioBridge(int, capacity=4) as bridge, Held(bridge, 4) as held:

        async def fill_and_drain() -> bool:
            await bridge.drain()
            bridge.push_many(range(4))
            waiting = asyncio.ensure_future(bridge.drain())
            await asyncio.sleep(0)
            blocked = not waiting.done()
            held.release()
            await waiting
            return blocked

        assert bridge.run_coroutine(fill_and_drain()).result(10)


def test_send_and_drain_end_with_the_bridge() -> None:
    bridge = AsyncioBridge(int, capacity=1)
    bridge.start()
    got: list[bool] = []
    with Held(bridge):
        waiting = threading.Event()

        async def send() -> None:
            bridge.push(0)
            cancelled = asyncio.ensure_future(bridge.drain())
            await asyncio.sleep(0)
            cancelled.cancel()
            asyncio.get_running_loop().call_soon(waiting.set)
            got.append(await bridge.send(1))

        other = threading.Thread(target=lambda: asyncio.run(send()))
        other.start()
        assert waiting.wait(10)
        bridge.stop()
        other.join()
    assert got == [False]
    assert adds_up(bridge)


def test_what_the_engine_leaves_is_counted_as_dropped() -> None:
    with AsyncioBridge(int) as bridge:
        with Held(bridge) as held:
            held.graph.stop()
            assert bridge.push_many([1, 2, 3]) == 3
        assert bridge.stats().queued == 0
        assert adds_up(bridge)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"capacity": 0}, ValueError),
        ({"capacity": 1.5}, TypeError),
        ({"overflow": "explode"}, ValueError),
    ],
)
def test_wrong_limits_are_refused(options: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        AsyncioBridge(int, **options)  # type: ignore[arg-type]
