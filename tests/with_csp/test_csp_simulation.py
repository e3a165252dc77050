"""csploop.csp.run in simulation: coroutines live in engine time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from datetime import timedelta

import csp
import csploop.csp
import pytest
from csp import ts
from csploop._loop.simulated_timers import round_up
from support.certificates import client_context, server_context
from support.graphs import SIMULATED, START, delayed, offsets, run_feed, values
from support.protocols import Echo

DAY = 86400


def test_sleeps_end_at_exact_engine_times():
    async def feed(run, emitter):
        for seconds in (0.1, 3600, 1 / 3, 1e-7, 365 * DAY, 0):
            await asyncio.sleep(seconds)
            assert run.loop.time() == (csploop.csp.now() - START).total_seconds() + 1704067200
            emitter.emit(seconds)

    assert offsets(run_feed(feed, **SIMULATED)) == [
        (0.1, 0.1),
        (3600.1, 3600),
        (3600.433334, 1 / 3),
        (3600.433335, 1e-7),
        (365 * DAY + 3600.433335, 365 * DAY),
        (365 * DAY + 3600.433335, 0),
    ]


def test_timeouts_end_at_exact_engine_times():
    async def feed(run, emitter):
        for seconds in (0.1, 86400.3, 1e-6, 12345.678901):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.get_running_loop().create_future(), seconds)
            emitter.emit(csploop.csp.now())
            try:
                async with asyncio.timeout(seconds):
                    await asyncio.sleep(float("inf"))
            except asyncio.TimeoutError:
                emitter.emit(csploop.csp.now())

    ticks = run_feed(feed, **SIMULATED)
    assert values(ticks) == [when for when, _ in ticks]
    us = [0, 100_000, 100_000, 86400_300_000, 86400_300_000, 1, 1, 12345_678_901, 12345_678_901]
    totals = [sum(us[: n + 1]) for n in range(1, len(us))]
    assert [(when - START) // timedelta(microseconds=1) for when, _ in ticks] == totals


@pytest.mark.parametrize("now_us", [0, 1, 999_999, 1_704_067_200_000_001, 4_102_444_800_999_999])
@pytest.mark.parametrize("delay_us", [1, 7, 100_000, 333_333, 86_400_300_001])
def test_call_at_the_time_plus_a_delay_is_exact(now_us, delay_us):
    assert round_up(now_us / 1e6 + delay_us / 1e6) == now_us + delay_us


@pytest.mark.parametrize(("seconds", "us"), [(1e-9, 1), (1 / 3, 333_334), (0.1, 100_000), (-0.5, -500_000)])
def test_deadlines_are_rounded_up(seconds, us):
    assert round_up(seconds) == us


def test_huge_delays_are_clamped_and_nan_is_refused():
    async def feed(run, emitter):
        loop = asyncio.get_running_loop()
        handles = [loop.call_later(delay, print) for delay in (1e12, 1e300, float("inf"))]
        with pytest.raises(ValueError, match="NaN"):
            loop.call_later(float("nan"), print)
        await asyncio.sleep(1)
        emitter.emit([handle.cancelled() for handle in handles])

    assert values(run_feed(feed, **SIMULATED)) == [[False] * 3]


def test_timers_of_one_time_fire_in_the_order_of_their_making():
    async def feed(run, emitter):
        loop = asyncio.get_running_loop()
        for number in range(100):
            loop.call_later(1.5, emitter.emit, number)
        loop.call_later(1, emitter.emit, -1)
        gone = [loop.call_later(1.2, emitter.emit, -2) for _ in range(500)]
        for handle in gone:
            handle.cancel()
        await asyncio.sleep(3)

    assert values(run_feed(feed, **SIMULATED)) == [-1, *range(100)]


def test_nodes_and_coroutines_meet_at_one_time():
    log = []

    @csp.node
    def look(x: ts[int]):
        if csp.ticked(x):
            log.append((csp.now() - START, x))
            asyncio.get_running_loop().call_soon(lambda: log.append((csploop.csp.now() - START, "soon")))
            asyncio.get_running_loop().call_later(
                0.5, lambda: log.append((csploop.csp.now() - START, "later"))
            )

    csploop.csp.run(lambda: look(delayed(7, 10)), **SIMULATED)
    ten = timedelta(seconds=10)
    assert log == [(ten, 7), (ten, "soon"), (ten + timedelta(seconds=0.5), "later")]


def test_turns_without_time_moving_are_an_error():
    async def feed(run, emitter):
        while True:
            await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="100000 turns .* without simulated time moving"):
        run_feed(feed, **SIMULATED)


def test_executor_jobs_and_dns_hold_time_and_come_in_order():
    gates = [threading.Event() for _ in range(5)]

    def job(number):
        # Ends when the next one has ended: the last is the first.
        if number < 4:
            gates[number + 1].wait()
        gates[number].set()
        return number

    async def feed(run, emitter):
        loop = asyncio.get_running_loop()
        ticking = loop.create_task(asyncio.sleep(1))
        jobs = [loop.run_in_executor(None, job, number) for number in range(5)]
        for done in jobs:
            done.add_done_callback(lambda done: emitter.emit(done.result()))
        await asyncio.gather(*jobs)
        await loop.getaddrinfo("127.0.0.1", 80)
        assert not ticking.done()
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 // 0)
        emitter.emit("done")

    assert offsets(run_feed(feed, **SIMULATED)) == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, "done")]


def test_connects_and_sock_operations_hold_time():
    async def feed(run, emitter):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        ticking = loop.create_task(asyncio.sleep(1))
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        async with csploop.csp.hold("the answer"):
            writer.write(b"x" * 10_000_000)
            assert await reader.readexactly(10_000_000) == b"x" * 10_000_000
        assert not ticking.done()
        writer.close()
        await writer.wait_closed()
        server.close()
        await ticking
        emitter.emit("done")

    assert offsets(run_feed(feed, **SIMULATED)) == [(1, "done")]


def test_sock_recv_holds_time():
    import socket

    async def feed(run, emitter):
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            ticking = loop.create_task(asyncio.sleep(1))
            received = loop.create_task(loop.sock_recv(ours, 10))
            await asyncio.sleep(0)
            thread = threading.Thread(target=theirs.send, args=(b"late",))
            thread.start()
            emitter.emit(await received)
            assert not ticking.done()
            thread.join()

    assert offsets(run_feed(feed, **SIMULATED)) == [(0, b"late")]


def test_unsent_bytes_hold_time():
    import socket

    async def feed(run, emitter):
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
            transport.write(b"x" * 5_000_000)
            assert transport.get_write_buffer_size() > 0
            taken = []

            def take():
                while sum(taken) < 5_000_000:
                    taken.append(len(theirs.recv(1 << 20)))

            thread = threading.Thread(target=take)
            thread.start()
            await asyncio.sleep(1)
            emitter.emit(transport.get_write_buffer_size())
            thread.join()
            transport.close()
            await asyncio.sleep(0)

    assert offsets(run_feed(feed, **SIMULATED)) == [(1, 0)]


def test_children_and_their_output_hold_time():
    program = "import sys; sys.stdin.read(); print('out')"

    async def feed(run, emitter):
        ticking = asyncio.get_running_loop().create_task(asyncio.sleep(1))
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        out, _ = await child.communicate(b"in")
        emitter.emit(out)
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        emitter.emit(await child.wait())
        assert not ticking.done()

    assert offsets(run_feed(feed, **SIMULATED)) == [(0, b"out\n"), (0, 0)]


def test_an_idle_listener_does_not_hold_time():
    async def feed(run, emitter):
        server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
        await asyncio.sleep(DAY)
        server.close()
        emitter.emit("a day later")

    assert offsets(run_feed(feed, **SIMULATED)) == [(DAY, "a day later")]


def test_hours_may_pass_during_the_tls_handshake_of_a_client():
    """Its pace is real: asyncio's minute for a handshake, in simulated time, would abort it."""
    import socket

    def shake_hands(theirs):
        with client_context().wrap_socket(theirs, server_hostname="localhost") as tls:
            tls.sendall(b"hello")
            assert tls.recv(100) == b"hello"

    async def feed(run, emitter):
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.settimeout(15)
        accepting = loop.create_task(loop.connect_accepted_socket(Echo, ours, ssl=server_context()))
        await asyncio.sleep(7200)
        assert not accepting.done()
        await loop.run_in_executor(None, shake_hands, theirs)
        transport, _ = await accepting
        transport.abort()
        emitter.emit("done")

    assert values(run_feed(feed, str, **SIMULATED)) == ["done"]


def test_what_holds_time_too_long_is_named():
    async def feed(run, emitter):
        with csploop.csp.hold("the slow exchange"):
            await asyncio.get_running_loop().create_future()

    with pytest.raises(TimeoutError, match=r"more than 0\.1 s by the slow exchange"):
        run_feed(feed, io_timeout=0.1, **SIMULATED)


def test_tasks_are_cancelled_when_the_engine_runs_out_of_time():
    ended = []

    async def feed(run, emitter):
        try:
            while True:
                await asyncio.sleep(1)
        finally:
            await asyncio.sleep(10)
            ended.append(run.loop.time() - 1704067200)

    run_feed(feed, starttime=START, endtime=timedelta(seconds=5.5))
    assert ended == [15.5]


def test_an_exception_ends_the_run():
    async def feed(run, emitter):
        await asyncio.sleep(5)
        raise LookupError("at five")

    with pytest.raises(LookupError, match="at five"):
        run_feed(feed, **SIMULATED)


def test_historical_start_before_1970():
    from datetime import datetime

    async def feed(run, emitter):
        await asyncio.sleep(60)
        emitter.emit(run.loop.time())

    start = datetime(1965, 1, 1)
    ticks = run_feed(feed, starttime=start, endtime=timedelta(days=1))
    assert offsets(ticks, start) == [(60, -157766340.0)]


PROGRAM = """
import asyncio, random
from datetime import datetime, timedelta
import csp, csploop.csp
from support.graphs import run_feed

async def feed(run, emitter):
    choice = random.Random(1)

    async def worker(number):
        await asyncio.sleep(choice.random() * 10)
        if number % 7 == 0:
            await asyncio.to_thread(int)
        await asyncio.sleep(choice.choice([0, 1, 2]))
        return number

    tasks = {asyncio.get_running_loop().create_task(worker(n)) for n in range(200)}
    while tasks:
        done, tasks = await asyncio.wait(tasks, timeout=1, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            emitter.emit((task.get_name(), task.result()))
        for task in asyncio.all_tasks():
            emitter.emit(task.get_name())

for tick in run_feed(feed, starttime=datetime(2024, 1, 1), endtime=timedelta(days=1)):
    print(*tick)
"""


@pytest.mark.timeout(300)  # importing csp takes many seconds on a busy machine
def test_output_is_byte_equal_from_run_to_run(request):
    import os

    outputs = set()
    for seed in ("0", "random"):
        env = {**os.environ, "PYTHONPATH": str(request.config.rootpath / "tests"), "PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, env=env, check=True)
        outputs.add(run.stdout)
    assert len(outputs) == 1
    output = outputs.pop()
    assert output.count(b"\n") > 1000
    assert b"Task-" in output and b"None" not in output


def test_two_runs_in_one_process_are_equal():
    async def feed(run, emitter):
        tasks = {asyncio.get_running_loop().create_task(asyncio.sleep(n % 3)) for n in range(100)}
        while tasks:
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            emitter.emit([task.get_name() for task in done])

    first, second = (run_feed(feed, **SIMULATED) for _ in range(2))
    assert first == second


def test_a_background_loop_has_no_effect_in_simulation():
    async def feed(run, emitter):
        await asyncio.sleep(3600)
        emitter.emit(csploop.csp.is_csp_asyncio_mode() and threading.get_ident() == engines)

    engines = threading.get_ident()
    first, second = (run_feed(feed, asyncio_on_thread=each, **SIMULATED) for each in (False, True))
    assert first == second == [(START + timedelta(hours=1), True)]


def test_starttime_is_required_as_in_csp():
    with pytest.raises(RuntimeError, match="starttime argument is required"):
        csploop.csp.run(csp.const(1), endtime=timedelta(1))


def test_a_node_may_use_call_soon_threadsafe():
    seen = []

    @csp.node
    def calls(tick: ts[bool]):
        if csp.ticked(tick):
            csploop.csp.get_csp_asyncio_loop().call_soon_threadsafe(lambda: seen.append(csploop.csp.now()))

    @csp.graph
    def graph():
        calls(csp.timer(timedelta(hours=1)))

    csploop.csp.run(graph, starttime=START, endtime=timedelta(hours=3, minutes=1))
    assert seen == [START + timedelta(hours=hour) for hour in (1, 2, 3)]
