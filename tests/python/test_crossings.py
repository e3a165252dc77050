"""A turn costs one call into C, whatever happened in it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from support.peers import adopt
from support.protocols import Echo, Recorder

pytestmark = [pytest.mark.io, pytest.mark.ours("asyncio has no such boundary")]


@pytest.fixture
def counted(loop_kind, nothing_leaks, monkeypatch):
    """A loop and the counter of its calls into C."""
    from csploop._loop import turn
    from csploop._loop.crossings import counting

    # Unsent bytes wait no longer than that inside a turn, and on a busy machine any turn may take longer.
    monkeypatch.setattr(turn, "DIRTY_SECONDS", float("inf"))
    with counting() as crossings:
        loop = loop_kind.new()
        yield loop, crossings.calls
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def during(loop, calls, act):
    """The calls that `await act()` costs on a loop that is otherwise idle."""

    async def main():
        await asyncio.sleep(0)
        before = Counter(calls)
        await act()
        return calls - before

    return loop.run_until_complete(main())


@pytest.mark.parametrize("count", [1, 10, 50])
def test_echoes_of_many_streams_in_one_turn_cost_one_crossing(counted, count):
    loop, calls = counted
    made = [loop.run_until_complete(adopt(loop, Echo, "unix")) for _ in range(count)]
    # The turns of the connecting are over.
    loop.run_until_complete(asyncio.sleep(0.001))
    for _, _, peer in made:
        peer.send_now(b"echo this")
    before = Counter(calls)
    # One turn takes all messages and runs the echoes, the next one sends the answers.
    loop.stop()
    loop.run_forever()
    loop.stop()
    loop.run_forever()
    cost = calls - before
    for _, _, peer in made:
        assert not peer.nothing_waits()
        assert peer.read_exactly(9) == b"echo this"
    turns = cost.pop("csploop_turn")
    assert turns <= 3
    # Attaching to the thread and leaving it belongs to a run, not to a message.
    per_message = {
        name: times for name, times in cost.items() if name not in ("csploop_attach", "csploop_detach")
    }
    assert sum(per_message.values()) <= 2, cost
    for transport, _, peer in made:
        transport.abort()
        peer.close()
    loop.run_until_complete(asyncio.sleep(0.001))


def test_a_run_of_echo_turns_costs_one_crossing_each(counted):
    loop, calls = counted
    rounds = 100
    transport, _, peer = loop.run_until_complete(adopt(loop, Echo, "unix"))
    client, recorder, other = loop.run_until_complete(adopt(loop, Recorder, "unix"))

    async def act():
        for _number in range(rounds):
            peer.send_now(b"x")
            while peer.nothing_waits():
                await asyncio.sleep(0)
            assert peer.read_exactly(1) == b"x"

    cost = during(loop, calls, act)
    assert set(cost) == {"csploop_turn"}, cost
    # The message arrives in one turn and leaves with the next.
    assert cost["csploop_turn"] <= 3 * rounds
    for each in (transport, client):
        each.abort()
    loop.run_until_complete(recorder.until_lost())
    peer.close()
    other.close()


def test_many_writes_of_a_turn_to_one_stream_are_one_crossing(counted):
    loop, calls = counted
    transport, recorder, peer = loop.run_until_complete(adopt(loop, Recorder, "unix"))

    async def act():
        for number in range(100):
            transport.write(b"%03d" % number)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    cost = during(loop, calls, act)
    assert peer.read_exactly(300) == b"".join(b"%03d" % number for number in range(100))
    assert set(cost) == {"csploop_turn"} and cost["csploop_turn"] <= 3, cost
    transport.abort()
    loop.run_until_complete(recorder.until_lost())
    peer.close()


def test_callbacks_and_cancelled_timers_cost_no_crossing_of_their_own(counted):
    loop, calls = counted

    async def act():
        for _ in range(1000):
            loop.call_soon(int)
            loop.call_later(100, int).cancel()
        await asyncio.sleep(0)

    cost = during(loop, calls, act)
    assert set(cost) <= {"csploop_turn"} and cost["csploop_turn"] <= 3, cost


def test_ready_rounds_ask_the_kernel_only_now_and_then(counted):
    loop, calls = counted

    async def act():
        for _ in range(10_000):
            await asyncio.sleep(0)

    cost = during(loop, calls, act)
    assert set(cost) <= {"csploop_turn"}
    assert cost["csploop_turn"] < 10_000


def test_a_thousand_timers_are_armed_in_few_crossings(counted):
    loop, calls = counted
    fired = []

    async def act():
        for _ in range(1000):
            loop.call_later(0, fired.append, 1)
        while len(fired) < 1000:
            await asyncio.sleep(0.0005)

    cost = during(loop, calls, act)
    assert sum(cost.values()) < 100, cost


def test_loops_made_outside_are_not_counted(loop_kind, nothing_leaks):
    from csploop._loop.crossings import counting

    outside = loop_kind.new()
    with counting() as crossings:
        outside.run_until_complete(asyncio.sleep(0))
    outside.close()
    assert not crossings.calls
