"""freezegun and time-machine stop or shift Python's clocks for tests of others; loops go by the system's.

freezegun puts functions of its own into every module that holds one of Python's; time-machine changes these
functions themselves.
"""

from __future__ import annotations

import asyncio
import datetime
import socket
import subprocess
import sys
import textwrap
import time

import pytest
from support.peers import adopt
from support.protocols import Recorder

freezegun = pytest.importorskip("freezegun", reason="freezegun is not installed")

LONG_AGO = "2012-01-14 03:21:34"
MODES = {
    "stopped": {},
    "ticking": {"tick": True},
    "stepping": {"auto_tick_seconds": 15},
    "real_asyncio": {"real_asyncio": True},
    "real_asyncio-ticking": {"real_asyncio": True, "tick": True},
}
if sys.implementation.name != "cpython":
    # freezegun refuses to tick there.
    MODES = {name: options for name, options in MODES.items() if "tick" not in options}


@pytest.fixture(params=MODES)
def frozen(request, loop_kind):
    # Trio's own clock would stand still, and with it whatever waits inside Trio.
    return freezegun.freeze_time(LONG_AGO, ignore=["trio"], **MODES[request.param])


async def test_sleeps_and_timeouts_end(loop, frozen):
    with frozen:
        assert datetime.datetime.now().year == 2012
        assert await asyncio.sleep(0.01, "slept") == "slept"
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(loop.create_future(), 0.01)
        fired = loop.create_future()
        loop.call_at(loop.time() + 0.01, fired.set_result, "called")
        assert await fired == "called"


async def test_timers_from_before_and_for_afterwards_fire(loop, frozen):
    sleeper = loop.create_task(asyncio.sleep(0.02, "before"))
    await asyncio.sleep(0)
    with frozen:
        assert await sleeper == "before"
        later = loop.create_task(asyncio.sleep(0.02, "inside"))
        await asyncio.sleep(0)
    assert await later == "inside"


async def test_the_loops_time_goes_on_as_before(loop, frozen):
    before = loop.time()
    with frozen:
        inside = loop.time()
        # Seconds, not the years by which the others' time has moved.
        assert before <= inside < before + 1000
        while loop.time() < inside + 0.001:
            await asyncio.sleep(0)
    assert inside < loop.time() < before + 1000


async def test_a_loop_of_empty_sleeps_sees_io(loop, frozen):
    transport, recorder, peer = await adopt(loop, Recorder)
    with peer, frozen:
        peer.send_now(b"hello")
        while len(recorder.data) < 5:
            await asyncio.sleep(0)
        transport.write(b"answer")
        peer_side = loop.run_in_executor(None, peer.read_exactly, 6)
        while not peer_side.done():
            await asyncio.sleep(0)
        assert await peer_side == b"answer"
        transport.close()
        await recorder.until_lost()


async def test_streams_and_watchers_work(loop, frozen):
    inner, outer = socket.socketpair()
    with inner, outer:
        inner.setblocking(False)
        with frozen:
            seen = loop.create_future()
            loop.add_reader(inner, lambda: seen.done() or seen.set_result(inner.recv(10)))
            outer.send(b"seen")
            assert await asyncio.wait_for(seen, 60) == b"seen"
            loop.remove_reader(inner)
            outer.send(b"more")
            assert await loop.sock_recv(inner, 10) == b"more"


async def test_debug_mode_measures_real_time(loop, frozen, caplog):
    loop.set_debug(True)
    loop.slow_callback_duration = 100.0
    with frozen:
        await asyncio.sleep(0.01)
        await asyncio.sleep(0)
    assert "took" not in caplog.text


def test_a_loop_that_is_made_inside_works_also_afterwards(loop_kind, frozen):
    with frozen:
        loop = loop_kind.new()
        assert loop.run_until_complete(asyncio.sleep(0.01, "inside")) == "inside"
    try:
        assert loop.run_until_complete(asyncio.sleep(0.01, "outside")) == "outside"
    finally:
        loop.close()


@pytest.mark.ours("asyncio's sleeps wait for the stopped clock")
@pytest.mark.parametrize("mode", MODES)
def test_csploop_may_be_imported_while_time_is_stopped(loop_kind, mode):
    program = f"""
    import asyncio, datetime, sys
    sys.path[:0] = {sys.path!r}
    import freezegun
    with freezegun.freeze_time({LONG_AGO!r}, **{MODES[mode]!r}):
        import csploop
        csploop.run(asyncio.sleep(0.01))
        assert datetime.datetime.now().year == 2012
    csploop.run(asyncio.sleep(0.01))
    print("ended")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=55
    )
    assert done.stdout == "ended\n", done.stderr


@pytest.mark.ours("the policy is csploop's")
@pytest.mark.parametrize("mode", MODES)
def test_a_program_with_csploops_policy_works(loop_kind, mode):
    # With real_asyncio, freezegun replaces `time` of the class whose loops the policy makes.
    program = f"""
    import asyncio, sys, warnings
    sys.path[:0] = {sys.path!r}
    warnings.simplefilter("ignore", DeprecationWarning)
    import csploop, freezegun
    csploop.install()
    async def main():
        await asyncio.sleep(0.01)
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)
        except asyncio.TimeoutError:
            return "timed out"
    @freezegun.freeze_time({LONG_AGO!r}, **{MODES[mode]!r})
    def test():
        return asyncio.run(main())
    loop = csploop.new_event_loop()
    print(test(), loop.run_until_complete(main()), asyncio.run(main()))
    loop.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=55
    )
    assert done.stdout == "timed out timed out timed out\n", done.stderr


async def test_a_time_that_is_replaced_on_purpose_counts_also_then(loop, loop_kind, frozen):
    if loop_kind.name == "uvloop":
        pytest.skip("uvloop's time cannot be replaced")
    now = loop.time()
    with frozen:
        loop.time = lambda: now
        sleeper = loop.create_task(asyncio.sleep(3600, "slept"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not sleeper.done()
        now += 3600
        assert await sleeper == "slept"
        del loop.time
        assert loop.time() < now
        assert await asyncio.sleep(0.01, "usual") == "usual"


@pytest.mark.parametrize("tick", [False, True])
async def test_time_machine_leaves_the_loop_alone(loop, tick):
    time_machine = pytest.importorskip("time_machine", reason="time-machine is not installed")
    with time_machine.travel(datetime.datetime(2012, 1, 14, tzinfo=datetime.timezone.utc), tick=tick):
        assert time.gmtime().tm_year == 2012
        assert await asyncio.sleep(0.01, "slept") == "slept"
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(loop.create_future(), 0.01)
        transport, recorder, peer = await adopt(loop, Recorder)
        with peer:
            await peer.send(b"hello")
            await recorder.until_received(5)
            transport.close()
            await recorder.until_lost()
