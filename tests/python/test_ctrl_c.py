"""Ctrl-C under a Runner: the main task is cancelled, and KeyboardInterrupt leaves the run."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading

import csploop
import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")

RUNNERS = [csploop.Runner] + ([asyncio.Runner] if sys.version_info >= (3, 11) else [])


@pytest.fixture(params=RUNNERS, ids=lambda runner: runner.__module__.partition(".")[0])
def runner(request, loop_kind):
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with request.param(loop_factory=loop_kind.new) as runner:
        yield runner
    after = signal.signal(signal.SIGINT, signal.default_int_handler)
    # A uvloop loop keeps its handler when it closes.
    assert after is signal.default_int_handler or loop_kind.name == "uvloop"


def test_the_main_task_is_cancelled_and_the_run_raises(runner):
    seen = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.call_soon(signal.raise_signal, signal.SIGINT)
        try:
            await loop.create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            await asyncio.sleep(0)
            seen.append("cleaned up")
            raise

    with pytest.raises(KeyboardInterrupt):
        runner.run(main())
    assert seen == ["cancelled", "cleaned up"]


@pytest.mark.ours("asyncio's loop does not see a signal that comes just before it blocks")
def test_it_ends_the_sleep_in_the_kernel(runner):
    here = threading.get_ident()
    waiting = threading.Event()
    thread = threading.Thread(target=lambda: (waiting.wait(), signal.pthread_kill(here, signal.SIGINT)))
    thread.start()

    async def main():
        asyncio.get_running_loop().call_soon(waiting.set)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(KeyboardInterrupt):
        runner.run(main())
    thread.join()


def test_a_task_that_takes_the_cancellation_returns_its_result(runner):
    async def main():
        loop = asyncio.get_running_loop()
        loop.call_soon(signal.raise_signal, signal.SIGINT)
        try:
            await loop.create_future()
        except asyncio.CancelledError:
            return "done all the same"

    assert runner.run(main()) == "done all the same"


def test_the_second_one_raises_where_it_hits(runner):
    seen = []

    async def main():
        signal.raise_signal(signal.SIGINT)
        seen.append("cancelled later")
        signal.raise_signal(signal.SIGINT)
        seen.append("not reached")

    with pytest.raises(KeyboardInterrupt):
        runner.run(main())
    assert seen == ["cancelled later"]


def test_the_next_run_counts_anew(runner):
    async def interrupted():
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
        await asyncio.get_running_loop().create_future()

    async def fine():
        await asyncio.sleep(0)
        return 1

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            runner.run(interrupted())
        assert runner.run(fine()) == 1


def test_a_handler_of_the_loop_comes_first_and_the_default_is_back_after(runner):
    async def main():
        loop = asyncio.get_running_loop()
        called = loop.create_future()
        loop.add_signal_handler(signal.SIGINT, called.set_result, "handled")
        signal.raise_signal(signal.SIGINT)
        return await called

    assert runner.run(main()) == "handled"


def test_a_host_with_a_handler_of_its_own_keeps_it(runner):
    seen = []

    def own(number, frame):
        seen.append(number)

    before = signal.signal(signal.SIGINT, own)
    try:

        async def main():
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0)
            return "not interrupted"

        assert runner.run(main()) == "not interrupted"
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_a_runner_in_another_thread_leaves_sigint_alone(loop_kind):
    results = []

    async def main():
        results.append(signal.getsignal(signal.SIGINT))

    def run():
        with csploop.Runner(loop_factory=loop_kind.new) as runner:
            runner.run(main())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert results == [signal.default_int_handler]


def test_csploop_run_in_a_program_of_its_own():
    program = f"""
    import asyncio, sys
    sys.path[:0] = {sys.path!r}
    import csploop

    async def main():
        asyncio.get_running_loop().call_soon(lambda: print("waiting", flush=True))
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            print("cleaned up", flush=True)

    try:
        csploop.run(main())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "cleaned up\ninterrupted\n"
        assert process.wait(timeout=50) == 0
