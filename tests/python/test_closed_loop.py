"""A closed loop refuses work, with asyncio's error for each call."""

from __future__ import annotations

import asyncio
import socket

import pytest


def outcome(function):
    try:
        return ("returned", type(function()).__name__)
    except Exception as error:
        return ("raised", type(error).__name__)


def coroutine_outcome(coroutine):
    """What the first step of a coroutine does, without any loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return ("returned", "")
    except Exception as error:
        return ("raised", type(error).__name__)
    finally:
        coroutine.close()
    return ("waits", "")


CALLS = {
    "call_soon": lambda loop, sock: loop.call_soon(print),
    "call_soon_threadsafe": lambda loop, sock: loop.call_soon_threadsafe(print),
    "call_later": lambda loop, sock: loop.call_later(1, print),
    "call_at": lambda loop, sock: loop.call_at(1, print),
    "run_forever": lambda loop, sock: loop.run_forever(),
    "run_in_executor": lambda loop, sock: loop.run_in_executor(None, print),
    "add_reader": lambda loop, sock: loop.add_reader(sock, print),
    "add_writer": lambda loop, sock: loop.add_writer(sock, print),
    "close": lambda loop, sock: loop.close(),
    "stop": lambda loop, sock: loop.stop(),
    "is_running": lambda loop, sock: loop.is_running(),
    "get_debug": lambda loop, sock: loop.get_debug(),
    "time": lambda loop, sock: loop.time(),
    "repr": lambda loop, sock: repr(loop),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_call_does_what_it_does_on_asyncio(loop, name):
    reference = asyncio.SelectorEventLoop()
    reference.close()
    loop.close()
    with socket.socket() as sock:
        assert outcome(lambda: CALLS[name](loop, sock)) == outcome(lambda: CALLS[name](reference, sock))


def test_run_until_complete_is_refused(loop):
    loop.close()
    coroutine = asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.run_until_complete(coroutine)
    coroutine.close()


def test_create_task_is_refused(loop):
    loop.close()
    coroutine = asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.create_task(coroutine)
    coroutine.close()


def test_the_message_is_asyncios(loop):
    loop.close()
    with pytest.raises(RuntimeError, match="^Event loop is closed$"):
        loop.call_soon(print)


def test_is_closed_and_repr_tell(loop):
    assert not loop.is_closed()
    assert "closed=False" in repr(loop)
    loop.close()
    assert loop.is_closed()
    assert "closed=True" in repr(loop)


def test_a_running_loop_cannot_be_closed(loop):
    errors = []

    async def main():
        try:
            loop.close()
        except RuntimeError as error:
            errors.append(str(error))

    loop.run_until_complete(main())
    assert len(errors) == 1 and "running" in errors[0]
    assert not loop.is_closed()


def test_pending_callbacks_and_timers_are_dropped(loop):
    seen = []
    loop.call_soon(seen.append, 1)
    loop.call_later(0, seen.append, 2)
    loop.close()
    assert seen == []


def test_cancelling_handles_after_close_is_harmless(loop):
    soon, timer, armed = loop.call_soon(print), loop.call_later(1, print), loop.call_later(1000, print)
    soon.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    timer.cancel()
    armed.cancel()


@pytest.mark.io
def test_transports_of_a_closed_loop_can_be_closed(loop):
    from support.peers import adopt
    from support.protocols import Recorder

    transport, recorder, peer = loop.run_until_complete(adopt(loop, Recorder))
    transport.abort()
    loop.run_until_complete(recorder.until_lost())
    loop.close()
    transport.close()
    transport.abort()
    transport.write(b"too late")
    peer.close()
