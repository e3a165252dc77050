"""One loop a thread, and all that goes between them at the same time: nothing is lost, nothing comes twice.

The same tests are what a Python without a GIL has to pass. Where there is one, it changes hands all the time.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections import Counter

import pytest
from support.loop_threads import SECONDS, LoopThreads
from support.protocols import Echo

pytestmark = [pytest.mark.io, pytest.mark.heavy, pytest.mark.timeout(180)]

THREADS = 4


@pytest.fixture(autouse=True)
def often_another_thread():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def threads(loop_kind):
    with LoopThreads(loop_kind, THREADS) as running:
        yield running


def others(index):
    return [number for number in range(THREADS) if number != index]


def test_calls_between_all_loops_arrive_once_and_in_order(threads):
    calls = 500
    seen = [[] for _ in range(THREADS)]

    async def play(index):
        for number in range(calls):
            for other in others(index):
                threads.loops[other].call_soon_threadsafe(seen[other].append, (index, number))
            if number % 50 == 0:
                await asyncio.sleep(0)

    threads.on_each(play)
    threads.on_each(lambda index: asyncio.sleep(0))  # behind the last of them
    for index in range(THREADS):
        for other in others(index):
            assert [number for who, number in seen[index] if who == other] == list(range(calls))
        assert len(seen[index]) == calls * (THREADS - 1)


def test_each_call_wakes_a_loop_that_sleeps(threads):
    # One at a time, each answered before the next, so that all loops fall asleep again and again.
    rounds = 300

    async def play(index):
        mine, other = threads.loops[index], threads.loops[(index + 1) % THREADS]
        for _ in range(rounds):
            answered = asyncio.Event()
            other.call_soon_threadsafe(mine.call_soon_threadsafe, answered.set)
            await asyncio.wait_for(answered.wait(), SECONDS)

    threads.on_each(play)


def test_coroutines_of_other_loops_give_their_results(threads):
    begun = Counter()

    async def square(number):
        begun[asyncio.get_running_loop(), number] += 1
        await asyncio.sleep(0)
        return number * number

    async def play(index):
        asked = [
            (
                number,
                asyncio.wrap_future(asyncio.run_coroutine_threadsafe(square(number), threads.loops[other])),
            )
            for other in others(index)
            for number in range(index, 200, THREADS)
        ]
        for number, answer in asked:
            assert await answer == number * number
        return len(asked)

    assert threads.on_each(play) == [50 * (THREADS - 1)] * THREADS
    assert len(begun) == 200 * (THREADS - 1) and set(begun.values()) == {1}


def test_what_another_thread_cancels_ends_once(threads):
    ended = [[] for _ in range(THREADS)]

    async def wait(here):
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            ended[here].append("cancelled")
            raise

    async def play(index):
        asked = []
        for other in others(index):
            asked += [asyncio.run_coroutine_threadsafe(wait(other), threads.loops[other]) for _ in range(50)]
            # Behind those, so that each of them has begun to wait.
            await asyncio.wrap_future(
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0), threads.loops[other])
            )
        assert all(future.cancel() for future in asked)
        await asyncio.gather(*map(asyncio.wrap_future, asked), return_exceptions=True)

    async def left(index):
        me = asyncio.current_task()
        while tasks := asyncio.all_tasks() - {me}:
            await asyncio.wait(tasks)
        return len(ended[index])

    threads.on_each(play)
    assert threads.on_each(left) == [50 * (THREADS - 1)] * THREADS


def test_timers_are_armed_and_disarmed_by_calls_from_other_threads(threads):
    fired = Counter()

    async def play(index):
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        left = 200 * (THREADS - 1)

        def arm(there, number):
            keep = there.call_later(0.001, tell, there, number)
            drop = there.call_later(0.001, fired.update, ["never"])
            drop.cancel()
            return keep

        def tell(there, number):
            loop.call_soon_threadsafe(come, there, number)

        def come(there, number):
            nonlocal left
            fired[there, number, index] += 1
            left -= 1
            if not left:
                done.set()

        for number in range(200):
            for other in others(index):
                there = threads.loops[other]
                there.call_soon_threadsafe(arm, there, number)
        await asyncio.wait_for(done.wait(), SECONDS)

    threads.on_each(play)
    assert len(fired) == 200 * THREADS * (THREADS - 1) and set(fired.values()) == {1}


@pytest.mark.ours("asyncio promises nothing of add_reader from other threads")
def test_readers_that_other_threads_add_and_remove(threads):
    rounds = 100

    async def play(index):
        mine, other = asyncio.get_running_loop(), threads.loops[(index + 1) % THREADS]
        here, there = socket.socketpair()
        with here, there:
            here.setblocking(False)
            for number in range(rounds):
                told = asyncio.Event()
                seen = []

                def readable(told=told, seen=seen):
                    seen.append((here.recv(10), other.remove_reader(here)))
                    mine.call_soon_threadsafe(told.set)

                other.add_reader(here, readable)
                other.add_writer(here, int)
                there.send(b"%d" % number)
                await asyncio.wait_for(told.wait(), SECONDS)
                assert other.remove_writer(here)
                assert seen == [(b"%d" % number, True)]
            assert not other.remove_reader(here)

    threads.on_each(play)


@pytest.mark.ours("asyncio promises nothing of add_reader from other threads")
def test_many_threads_add_readers_to_a_loop_that_begins_to_run(loop_kind):
    count, each = 4, 25
    loop = loop_kind.new()
    pairs = [socket.socketpair() for _ in range(count * each)]
    seen = Counter()
    done = loop.create_future()
    begin = threading.Barrier(count + 1)

    def readable(number):
        seen[number] += 1
        loop.remove_reader(pairs[number][0])
        if len(seen) == len(pairs):
            done.set_result(None)

    def add(name):
        begin.wait(SECONDS)
        for number in range(name * each, (name + 1) * each):
            loop.add_reader(pairs[number][0], readable, number)

    workers = [threading.Thread(target=add, args=(name,)) for name in range(count)]
    for worker in workers:
        worker.start()
    for _, there in pairs:
        there.send(b"x")
    begin.wait(SECONDS)
    for _ in range(20):  # runs that begin and end meanwhile
        loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.wait_for(done, SECONDS))
    for worker in workers:
        worker.join()
    loop.close()
    for pair in pairs:
        for end in pair:
            end.close()
    assert seen == Counter(range(len(pairs)))


def test_connections_between_all_loops(threads):
    servers = [None] * THREADS

    async def serve(index):
        servers[index] = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)

    async def play(index):
        async def talk(other):
            reader, writer = await asyncio.open_connection(*servers[other].sockets[0].getsockname())
            for number in range(100):
                message = b"%d to %d: %d;" % (index, other, number) * 50
                writer.write(message)
                assert await reader.readexactly(len(message)) == message
            writer.close()
            await writer.wait_closed()

        await asyncio.gather(*map(talk, range(THREADS)))

    async def end(index):
        servers[index].close()
        await servers[index].wait_closed()
        for _ in range(5):
            await asyncio.sleep(0)

    threads.on_each(serve)
    threads.on_each(play)
    threads.on_each(end)


def test_jobs_of_executors_come_back_to_their_loops(threads):
    async def play(index):
        loop = asyncio.get_running_loop()
        jobs = [loop.run_in_executor(None, lambda number=number: (index, number)) for number in range(200)]
        assert await asyncio.gather(*jobs) == [(index, number) for number in range(200)]

    threads.on_each(play)


def test_loops_are_made_and_closed_while_others_are_called(threads, loop_kind):
    made = []

    def work():
        for _ in range(50):
            loop = loop_kind.new()
            answer = asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "answer"), threads.loops[0])
            made.append(
                loop.run_until_complete(asyncio.wait_for(asyncio.wrap_future(answer, loop=loop), SECONDS))
            )
            loop.close()

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(SECONDS)
    assert made == ["answer"] * 50 * THREADS


@pytest.mark.ours("about what csploop knows of its loops")
def test_every_open_loop_is_known_while_threads_make_and_close_more(loop_kind):
    from csploop._loop.state import open_loops

    mine = loop_kind.new()
    before = set(open_loops())
    done = threading.Event()
    failures = []

    def work():
        try:
            while not done.is_set():
                loop_kind.new().close()
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for _ in range(2000):
        assert mine in open_loops()
    done.set()
    for worker in workers:
        worker.join()
    assert not failures
    assert set(open_loops()) == before
    mine.close()
    assert mine not in open_loops()
