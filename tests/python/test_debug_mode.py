"""Debug mode: what is refused, and what is reported."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import textwrap
import threading
import warnings

import pytest
from support.peers import adopt
from support.protocols import Recorder


@pytest.fixture
def debugging(loop):
    loop.set_debug(True)
    assert loop.get_debug()
    return loop


def refusals(loop):
    """What each scheduling call raises from another thread."""
    found = {}

    def other_thread():
        for name, call in {
            "call_soon": lambda: loop.call_soon(print),
            "call_later": lambda: loop.call_later(0, print),
            "call_at": lambda: loop.call_at(0, print),
        }.items():
            try:
                call()
            except Exception as error:
                found[name] = (type(error), str(error))

    async def main():
        await loop.run_in_executor(None, other_thread)

    loop.run_until_complete(main())
    return found


def test_calls_from_another_thread_are_refused(debugging):
    reference = asyncio.SelectorEventLoop()
    reference.set_debug(True)
    try:
        expected = refusals(reference)
        reference.run_until_complete(reference.shutdown_default_executor())
    finally:
        reference.close()
    found = refusals(debugging)
    assert set(found) == {"call_soon", "call_later", "call_at"}
    assert found == expected


def test_calls_from_another_thread_are_allowed_while_nobody_runs_the_loop(debugging):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(debugging.call_soon(seen.append, 1)))
    thread.start()
    thread.join()
    debugging.run_until_complete(asyncio.sleep(0))
    assert seen[1:] == [1]


@pytest.mark.parametrize("name", ["call_soon", "call_soon_threadsafe", "call_later", "call_at"])
@pytest.mark.parametrize("what", [None, "text", 42], ids=repr)
def test_what_cannot_be_called_is_refused(debugging, name, what):
    arguments = (what,) if name.startswith("call_soon") else (0, what)
    with pytest.raises(TypeError, match="callable"):
        getattr(debugging, name)(*arguments)


@pytest.mark.parametrize("name", ["call_soon", "call_soon_threadsafe", "call_later", "call_at"])
def test_coroutines_and_coroutine_functions_are_refused(debugging, name):
    async def coroutine():
        pass

    before = () if name.startswith("call_soon") else (0,)
    with pytest.raises(TypeError, match="coroutines cannot be used with"):
        getattr(debugging, name)(*before, coroutine)
    made = coroutine()
    with pytest.raises(TypeError, match="coroutines cannot be used with"):
        getattr(debugging, name)(*before, made)
    made.close()


def test_a_slow_callback_is_reported(debugging, caplog):
    debugging.slow_callback_duration = 0.0
    with caplog.at_level(logging.WARNING, "asyncio"):
        debugging.call_soon(lambda: sum(range(1000)))
        debugging.run_until_complete(asyncio.sleep(0))
    assert "Executing <Handle" in caplog.text
    assert "seconds" in caplog.text


def test_a_quick_callback_is_not_reported(debugging, caplog):
    debugging.slow_callback_duration = 60
    with caplog.at_level(logging.WARNING, "asyncio"):
        debugging.run_until_complete(asyncio.sleep(0))
    assert caplog.text == ""


def test_slow_timers_and_task_steps_are_reported_too(debugging, caplog):
    debugging.slow_callback_duration = 0.0
    with caplog.at_level(logging.WARNING, "asyncio"):
        debugging.run_until_complete(asyncio.sleep(0.001))
    assert "TimerHandle" in caplog.text
    assert "Task" in caplog.text


def test_handles_know_where_they_were_made(debugging):
    handle = debugging.call_soon(print)
    assert "created at" in repr(handle) and __file__ in repr(handle)
    handle.cancel()
    assert "cancelled" in repr(handle)


def test_errors_carry_the_source_of_their_handle(debugging, reports):
    debugging.call_soon(lambda: 1 / 0)
    debugging.run_until_complete(asyncio.sleep(0))
    assert reports.take()["source_traceback"]


def test_debug_can_be_switched_while_the_loop_runs(loop):
    async def main():
        loop.set_debug(True)
        with pytest.raises(TypeError):
            loop.call_soon("text")
        await asyncio.sleep(0)
        loop.set_debug(False)
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    assert not loop.get_debug()


@pytest.mark.io
def test_io_works_in_debug_mode(debugging):
    async def main():
        transport, recorder, peer = await adopt(debugging, Recorder)
        transport.write(b"hello")
        assert await peer.recv(5) == b"hello"
        await peer.send(b"there")
        await recorder.until_received(5)
        transport.close()
        await recorder.until_lost()
        peer.close()

    debugging.run_until_complete(main())


@pytest.mark.io
def test_a_forgotten_transport_is_a_resource_warning(loop_kind, nothing_leaks):
    loop = loop_kind.new()
    transport, recorder, peer = loop.run_until_complete(adopt(loop, Recorder))
    loop.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recorder.transport = None
        del transport
        for _ in range(3):
            gc.collect()
    peer.close()
    assert any(
        issubclass(warning.category, ResourceWarning) and "unclosed transport" in str(warning.message)
        for warning in caught
    ), [str(warning.message) for warning in caught]


@pytest.mark.parametrize("variable", ["1", ""], ids=["set", "unset"])
def test_the_environment_switches_debug_on(loop_kind, variable):
    program = f"""
    import sys
    sys.path[:0] = {sys.path!r}
    from support.kinds import KINDS
    loop = KINDS[{loop_kind.name!r}].new()
    print(loop.get_debug())
    loop.close()
    """
    environment = {**__import__("os").environ, "PYTHONASYNCIODEBUG": variable}
    output = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=50,
    ).stdout
    assert output.strip() == str(bool(variable))


def test_a_forgotten_loop_is_a_resource_warning(loop_kind, nothing_leaks):
    loop = loop_kind.new()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del loop
        for _ in range(3):
            gc.collect()
    messages = [str(warning.message) for warning in caught if warning.category is ResourceWarning]
    assert any("unclosed event loop" in message for message in messages), messages
