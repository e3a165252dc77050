"""run_in_executor, getaddrinfo and the default executor's end."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import socket
import sys
import threading

import pytest


async def test_a_function_runs_in_another_thread(loop):
    assert await loop.run_in_executor(None, threading.get_ident) != threading.get_ident()


async def test_arguments_and_results_pass_through(loop):
    assert await loop.run_in_executor(None, divmod, 17, 5) == (3, 2)


async def test_errors_pass_through(loop):
    with pytest.raises(ZeroDivisionError):
        await loop.run_in_executor(None, divmod, 1, 0)


async def test_an_executor_of_ones_own(loop):
    with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:
        name = await loop.run_in_executor(executor, lambda: threading.current_thread().name)
    assert name.startswith("mine")


async def test_the_default_executor_can_be_set(loop):
    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="default"))
    name = await loop.run_in_executor(None, lambda: threading.current_thread().name)
    assert name.startswith("default")
    await loop.shutdown_default_executor()


async def test_many_jobs_all_come_back(loop):
    jobs = [loop.run_in_executor(None, pow, number, 2) for number in range(500)]
    assert await asyncio.gather(*jobs) == [number * number for number in range(500)]


async def test_the_loop_goes_on_while_a_job_runs(loop):
    gate = threading.Event()
    job = loop.run_in_executor(None, gate.wait, 10)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not job.done()
    gate.set()
    assert await job is True


async def test_shutdown_of_the_default_executor_refuses_new_jobs(loop):
    await loop.run_in_executor(None, int)
    await loop.shutdown_default_executor()
    with pytest.raises(RuntimeError, match="[Ee]xecutor shutdown"):
        loop.run_in_executor(None, int)


async def test_a_coroutine_function_is_refused_in_debug_mode(loop):
    async def coroutine():
        pass

    loop.set_debug(True)
    with pytest.raises(TypeError):
        loop.run_in_executor(None, coroutine)


async def test_getaddrinfo_and_getnameinfo(loop):
    found = await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
    assert found[0][4] == ("127.0.0.1", 80)
    found = await loop.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM, family=socket.AF_INET)
    assert found[0][4] == ("127.0.0.1", 80)
    host, port = await loop.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    assert (host, port) == ("127.0.0.1", "80")


async def test_to_thread_keeps_the_context(loop):
    import contextvars

    variable = contextvars.ContextVar("variable")
    variable.set("seen")
    assert await asyncio.to_thread(variable.get) == "seen"


@pytest.mark.skipif(
    "timeouts" not in asyncio.BaseEventLoop.shutdown_default_executor.__code__.co_names,
    reason="the timeout is new in Python 3.12, and does nothing in its first releases",
)
async def test_shutdown_of_the_default_executor_gives_up_after_its_timeout(loop):
    gate, running = threading.Event(), threading.Event()

    def job():
        running.set()
        gate.wait(10)

    executor = concurrent.futures.ThreadPoolExecutor(1)
    loop.set_default_executor(executor)
    waiting = loop.run_in_executor(None, job)
    while not running.is_set():
        await asyncio.sleep(0)
    with pytest.warns(RuntimeWarning, match="executor did not finishing joining its threads within 0.01"):
        await loop.shutdown_default_executor(timeout=0.01)
    with pytest.raises(RuntimeError, match="[Ee]xecutor shutdown"):
        loop.run_in_executor(None, int)
    gate.set()
    await waiting
    executor.shutdown()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the timeout is new in Python 3.12")
@pytest.mark.parametrize("timeout", [None, 30], ids=["none", "long"])
async def test_shutdown_of_the_default_executor_waits_for_its_jobs(loop, timeout):
    gate = threading.Event()
    waiting = loop.run_in_executor(None, gate.wait, 10)
    ending = loop.create_task(loop.shutdown_default_executor(timeout))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not ending.done()
    gate.set()
    await ending
    assert await waiting is True


@pytest.mark.ours("uvloop has a signature of its own")
async def test_shutdown_of_the_default_executor_has_the_signature_of_this_python(loop):
    theirs = inspect.signature(asyncio.BaseEventLoop.shutdown_default_executor)
    assert inspect.signature(type(loop).shutdown_default_executor) == theirs
