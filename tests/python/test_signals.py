"""add_signal_handler and remove_signal_handler, and what they leave to the host."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs POSIX signals")


def current_wakeup():
    fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(fd)
    return fd


@pytest.fixture(autouse=True)
def host(request):
    """What the host of a loop has set must be there again when the loop is closed."""
    params = getattr(getattr(request.node, "callspec", None), "params", {})
    # A uvloop loop keeps its handlers and the wakeup descriptor; test_close_gives_the_signals_back says so.
    keeps = getattr(params.get("loop_kind"), "name", None) == "uvloop"
    numbers = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGTERM]
    before = [signal.getsignal(number) for number in numbers], current_wakeup()
    yield
    after = [signal.getsignal(number) for number in numbers], current_wakeup()
    for number, handler in zip(numbers, before[0]):
        signal.signal(number, handler)
    signal.set_wakeup_fd(before[1])
    assert after == before or keeps


async def test_a_handler_is_called_with_its_arguments_and_returns_none(loop):
    called = loop.create_future()
    assert loop.add_signal_handler(signal.SIGUSR1, lambda *args: called.set_result(args), 1, "two") is None
    signal.raise_signal(signal.SIGUSR1)
    assert not called.done()
    assert await called == (1, "two")
    assert loop.remove_signal_handler(signal.SIGUSR1) is True
    assert loop.remove_signal_handler(signal.SIGUSR1) is False


async def test_it_runs_on_the_loops_thread_in_the_context_of_its_making(loop):
    variable = contextvars.ContextVar("variable", default="unset")
    called = loop.create_future()

    def handler():
        called.set_result((variable.get(), threading.get_ident(), asyncio.get_running_loop()))

    variable.set("at the making")
    loop.add_signal_handler(signal.SIGUSR1, handler)
    variable.set("later")
    signal.raise_signal(signal.SIGUSR1)
    assert await called == ("at the making", threading.get_ident(), loop)
    loop.remove_signal_handler(signal.SIGUSR1)


@pytest.mark.io
def test_a_signal_ends_the_sleep_in_the_kernel(loop):
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        loop.add_signal_handler(number, loop.stop)
        main = threading.get_ident()
        running = threading.Event()
        thread = threading.Thread(target=lambda n=number: (running.wait(), signal.pthread_kill(main, n)))  # noqa: B023
        thread.start()
        loop.call_soon(running.set)
        loop.run_forever()
        thread.join()
        loop.remove_signal_handler(number)


@pytest.mark.io
def test_a_signal_that_another_thread_takes_ends_it_too(loop):
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    running = threading.Event()

    def take_it():
        running.wait()
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    thread = threading.Thread(target=take_it)
    thread.start()
    loop.call_soon(running.set)
    loop.run_forever()
    thread.join()


async def test_each_of_many_signals_is_handled(loop):
    seen = []
    done = loop.create_future()

    def handler(name):
        seen.append(name)
        if len(seen) == 200:
            done.set_result(None)

    loop.add_signal_handler(signal.SIGUSR1, handler, 1)
    loop.add_signal_handler(signal.SIGUSR2, handler, 2)
    for _ in range(100):
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR2)
    await done
    assert sorted(seen) == [1] * 100 + [2] * 100


def test_a_signal_while_the_loop_does_not_run_is_handled_when_it_does(loop):
    seen = []
    loop.add_signal_handler(signal.SIGUSR1, seen.append, 1)
    signal.raise_signal(signal.SIGUSR1)
    loop.run_until_complete(asyncio.sleep(0))
    signal.raise_signal(signal.SIGUSR1)
    assert len(seen) <= 1

    async def both():
        while len(seen) < 2:
            await asyncio.sleep(0)

    loop.run_until_complete(both())
    assert seen == [1, 1]


async def test_the_newest_handler_replaces_the_others(loop):
    first, second = [], loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, first.append, 1)
    loop.add_signal_handler(signal.SIGUSR1, second.set_result, 2)
    signal.raise_signal(signal.SIGUSR1)
    assert await second == 2
    assert first == []
    assert loop.remove_signal_handler(signal.SIGUSR1) is True
    assert loop.remove_signal_handler(signal.SIGUSR1) is False


async def test_a_handler_may_remove_itself(loop):
    done = loop.create_future()

    def once():
        done.set_result(loop.remove_signal_handler(signal.SIGUSR1))

    loop.add_signal_handler(signal.SIGUSR1, once)
    signal.raise_signal(signal.SIGUSR1)
    assert await done is True


async def test_a_handler_that_somebody_put_over_it_is_called_beside_it(loop, loop_kind):
    if loop_kind.name == "csploop-trio":
        pytest.skip("inside Trio the wakeup descriptor, which would tell, is Trio's")
    calls, hosts = [], []
    loop.add_signal_handler(signal.SIGUSR1, calls.append, "loop")
    ours = signal.signal(signal.SIGUSR1, lambda *args: hosts.append("host"))
    signal.raise_signal(signal.SIGUSR1)
    while not (calls and hosts):
        await asyncio.sleep(0)
    host = signal.signal(signal.SIGUSR1, ours)
    signal.raise_signal(signal.SIGUSR1)
    # Called, and nobody's any more before the loop has read that it came: that is once and not twice.
    signal.signal(signal.SIGUSR1, host)
    for _ in range(20):
        await asyncio.sleep(0)
    while len(calls) < 2:
        await asyncio.sleep(0)
    assert calls == ["loop", "loop"] and hosts == ["host"]
    assert loop.remove_signal_handler(signal.SIGUSR1)


async def test_a_failing_handler_is_reported_and_stays(loop, reports):
    calls = []

    def fail():
        calls.append(1)
        if len(calls) == 2:
            done.set_result(None)
        raise ZeroDivisionError("of a signal")

    done = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, fail)
    signal.raise_signal(signal.SIGUSR1)
    while not calls:
        await asyncio.sleep(0)
    signal.raise_signal(signal.SIGUSR1)
    await done
    await asyncio.sleep(0)
    for report in reports.take_all():
        assert isinstance(report["exception"], ZeroDivisionError)
        assert "Exception in callback" in report["message"]


@pytest.mark.parametrize("method", ["add", "remove"])
@pytest.mark.parametrize(
    ("numbers", "error", "words"),
    [
        (("SIGINT", 2.0, None), TypeError, "sig must be an int"),
        ((0, -1, signal.NSIG + 1000), ValueError, "invalid signal number"),
    ],
)
def test_what_is_no_signal(loop, method, numbers, error, words):
    for number in numbers:
        with pytest.raises(error, match=words):
            if method == "add":
                loop.add_signal_handler(number, print)
            else:
                loop.remove_signal_handler(number)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_what_cannot_be_caught(loop, number):
    with pytest.raises(RuntimeError, match="cannot be caught"):
        loop.add_signal_handler(number, print)
    assert loop.remove_signal_handler(number) is False


def test_coroutines_are_refused(loop):
    async def handler():
        pass

    with pytest.raises(TypeError, match="coroutines cannot be used"):
        loop.add_signal_handler(signal.SIGUSR1, handler)
    coroutine = handler()
    with pytest.raises(TypeError, match="coroutines cannot be used"):
        loop.add_signal_handler(signal.SIGUSR1, coroutine)
    coroutine.close()
    assert loop.remove_signal_handler(signal.SIGUSR1) is False


def test_off_the_main_thread_it_is_an_error(loop):
    raised = []

    def try_it():
        for number in (signal.SIGUSR1, signal.SIGINT):
            try:
                loop.add_signal_handler(number, print)
            except BaseException as exc:
                raised.append(exc)

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    assert [type(exc) for exc in raised] == [RuntimeError, RuntimeError]
    assert "main thread" in str(raised[0])


def test_a_closed_loop_takes_no_handler(loop):
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.add_signal_handler(signal.SIGUSR1, print)


def test_close_gives_the_signals_back(loop):
    loop.add_signal_handler(signal.SIGTERM, print)
    loop.add_signal_handler(signal.SIGINT, print)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.ours("asyncio sets the default action instead")
def test_the_hosts_own_handler_comes_back(loop):
    seen = []

    def own(number, frame):
        seen.append(number)

    before = signal.signal(signal.SIGUSR1, own)
    try:
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "loop")
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "again")
        loop.remove_signal_handler(signal.SIGUSR1)
        assert signal.getsignal(signal.SIGUSR1) is own
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "loop")
        loop.close()
        assert signal.getsignal(signal.SIGUSR1) is own
        signal.raise_signal(signal.SIGUSR1)
        assert seen == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.ours("asyncio raises ValueError and leaves the handlers")
def test_a_loop_closed_in_another_thread_gives_a_signal_back_when_it_comes(loop):
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    own = signal.getsignal(signal.SIGUSR1)
    try:
        loop.add_signal_handler(signal.SIGUSR1, print)
        thread = threading.Thread(target=loop.close)
        thread.start()
        thread.join()
        signal.raise_signal(signal.SIGUSR1)
        assert seen == [signal.SIGUSR1]
        assert signal.getsignal(signal.SIGUSR1) is own
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.ours("an asyncio loop with handlers keeps the wakeup descriptor between its runs")
def test_the_hosts_wakeup_descriptor_is_told_and_comes_back(loop, loop_kind):
    if loop_kind.name == "csploop-trio":
        pytest.skip("inside Trio the wakeup descriptor is Trio's, which warns where it finds another")
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer)
    try:
        loop.add_signal_handler(signal.SIGUSR1, loop.stop)
        assert current_wakeup() == writer
        loop.call_soon(signal.raise_signal, signal.SIGUSR1)
        loop.run_forever()
        loop.run_until_complete(asyncio.sleep(0.001))
        assert os.read(reader, 10) == bytes([signal.SIGUSR1])
        assert current_wakeup() == writer
    finally:
        signal.set_wakeup_fd(before)
        os.close(reader)
        os.close(writer)


@pytest.mark.ours("a loop of asyncio or uvloop swallows the signals of a forked child")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_in_a_forked_child_signals_are_the_hosts():
    program = f"""
    import asyncio, os, signal, sys, warnings
    sys.path[:0] = {sys.path!r}
    warnings.simplefilter("ignore")
    import csploop
    loop = csploop.new_event_loop()
    loop.add_signal_handler(signal.SIGTERM, print, "handled")
    pid = os.fork()
    if pid == 0:
        signal.raise_signal(signal.SIGTERM)
        os._exit(1)
    _, status = os.waitpid(pid, 0)
    print(os.WIFSIGNALED(status) and os.WTERMSIG(status), flush=True)
    loop.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=50
    )
    assert (done.stdout, done.returncode) == (f"{int(signal.SIGTERM)}\n", 0), done.stderr


def test_two_loops_one_after_the_other(loop, loop_kind):
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    loop.call_soon(signal.raise_signal, signal.SIGUSR1)
    loop.run_forever()
    loop.remove_signal_handler(signal.SIGUSR1)
    other = loop_kind.new()
    try:
        other.add_signal_handler(signal.SIGUSR1, other.stop)
        other.call_soon(signal.raise_signal, signal.SIGUSR1)
        other.run_forever()
    finally:
        other.close()
