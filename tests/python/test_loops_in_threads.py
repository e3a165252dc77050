"""Several loops in several threads, and loops away from the main thread."""

from __future__ import annotations

import asyncio
import queue
import threading

import pytest
from support.protocols import Echo


def in_threads(functions):
    """Runs the functions in a thread each; gives their results or raises the first error."""
    results = queue.Queue()

    def work(index, function):
        try:
            results.put((index, function(), None))
        except BaseException as error:
            results.put((index, None, error))

    threads = [threading.Thread(target=work, args=item) for item in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = sorted((results.get_nowait() for _ in threads), key=lambda item: item[0])
    for _, _, error in found:
        if error is not None:
            raise error
    return [value for _, value, _ in found]


def run_on_a_new_loop(loop_kind, main):
    loop = loop_kind.new()
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.mark.io
def test_a_loop_works_away_from_the_main_thread(loop_kind):
    async def main(loop):
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello")
        data = await reader.readexactly(5)
        await loop.run_in_executor(None, int)
        await asyncio.sleep(0.001)
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        for _ in range(5):
            await asyncio.sleep(0)
        return data

    assert in_threads([lambda: run_on_a_new_loop(loop_kind, main)]) == [b"hello"]


@pytest.mark.io
def test_eight_loops_at_once_do_not_disturb_each_other(loop_kind):
    async def main(loop):
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()

        async def client(number):
            reader, writer = await asyncio.open_connection(*address)
            for turn in range(20):
                message = b"%d:%d;" % (number, turn)
                writer.write(message)
                assert await reader.readexactly(len(message)) == message
            writer.close()
            await writer.wait_closed()

        await asyncio.gather(*(client(number) for number in range(5)))
        server.close()
        await server.wait_closed()
        for _ in range(5):
            await asyncio.sleep(0)
        return True

    assert in_threads([lambda: run_on_a_new_loop(loop_kind, main)] * 8) == [True] * 8


def test_loops_pass_messages_to_each_other(loop_kind):
    # Two loops play ping-pong through call_soon_threadsafe.
    loops = [loop_kind.new(), loop_kind.new()]
    rounds = 500

    def hit(me, count):
        if count:
            loops[1 - me].call_soon_threadsafe(hit, 1 - me, count - 1)
        else:
            for loop in loops:
                loop.call_soon_threadsafe(loop.stop)

    loops[0].call_soon_threadsafe(hit, 0, rounds)
    try:
        in_threads([loop.run_forever for loop in loops])
    finally:
        for loop in loops:
            loop.close()


def test_a_loop_can_move_to_another_thread_between_runs(loop):
    def run():
        return loop.run_until_complete(asyncio.sleep(0.001, threading.get_ident()))

    (first,) = in_threads([run])
    assert run() == threading.get_ident()
    assert first != threading.get_ident()


def test_a_loop_can_be_closed_in_another_thread_than_it_ran_in(loop):
    loop.run_until_complete(asyncio.sleep(0))
    in_threads([loop.close])
    assert loop.is_closed()


def test_many_loops_are_made_and_closed(loop_kind):
    for _ in range(100):
        loop = loop_kind.new()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
