"""os.fork inside and outside a running loop."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = [
    pytest.mark.io,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
]

PROLOGUE = """
import asyncio, os, socket, sys, warnings
sys.path[:0] = {path!r}
warnings.filterwarnings("ignore", category=DeprecationWarning)
from support.kinds import KINDS
from support.peers import adopt
from support.protocols import Echo, Recorder
new_loop = KINDS[{kind!r}].new
"""

# Each program forks, so it runs in a process of its own; its last line says what happened.
CHILD_CLOSES = """
async def main():
    loop = asyncio.get_running_loop()
    transport, recorder, peer = await adopt(loop, Recorder)
    loop.add_reader(watched[0], lambda: seen.append(watched[0].recv(10)))
    pid = os.fork()
    if pid == 0:
        asyncio._set_running_loop(None)
        os._exit(child(loop))
    _, status = os.waitpid(pid, 0)
    # The parent's descriptors are still registered with its kernel queue.
    await peer.send(b"data")
    await recorder.until_received(4)
    transport.write(b"answer")
    assert await peer.recv(6) == b"answer"
    watched[1].send(b"watched")
    while not seen:
        await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    loop.remove_reader(watched[0])
    transport.close()
    await recorder.until_lost()
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else f"signal {{os.WTERMSIG(status)}}"

seen = []
watched = socket.socketpair()
watched[0].setblocking(False)
loop = new_loop()
result = loop.run_until_complete(main())
loop.run_until_complete(loop.shutdown_default_executor())
loop.close()
print("child", result, "parent ok")
"""

CLOSING_CHILD = """
def child(loop):
    # As after Process._bootstrap: the thread's running loop is forgotten, then a fresh one runs.
    try:
        fresh = new_loop()
        value = fresh.run_until_complete(asyncio.sleep(0.001, 7))
        fresh.close()
        return value
    except BaseException:
        import traceback
        traceback.print_exc()
        return 99
"""

REFUSING_CHILD = """
def child(loop):
    # The parent's loop may refuse to work here, but close must work.
    try:
        loop.call_soon_threadsafe(print)
        loop._thread_id = None
        loop.close()
        return 8
    except RuntimeError:
        try:
            loop._thread_id = None
            loop.close()
        except BaseException:
            import traceback
            traceback.print_exc()
            return 98
        return 8
    except BaseException:
        import traceback
        traceback.print_exc()
        return 99
"""


def run(kind, program):
    source = textwrap.dedent(PROLOGUE).format(path=sys.path, kind=kind.name) + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=55)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1], done.stderr


def test_a_child_runs_a_fresh_loop_and_the_parent_goes_on(loop_kind):
    line, errors = run(loop_kind, CLOSING_CHILD + CHILD_CLOSES.replace("{{", "{").replace("}}", "}"))
    assert line == "child 7 parent ok", errors


@pytest.mark.ours("asyncio's loop lets the child take the parent's descriptors out of its queue")
def test_a_child_may_close_the_parents_loop_without_harm_to_it(loop_kind):
    line, errors = run(loop_kind, REFUSING_CHILD + CHILD_CLOSES.replace("{{", "{").replace("}}", "}"))
    assert line == "child 8 parent ok", errors


@pytest.mark.ours("csploop gathers writes, so that it has to promise this")
def test_what_was_written_before_a_fork_is_sent_once(loop_kind):
    program = """
    async def main():
        loop = asyncio.get_running_loop()
        transport, recorder, peer = await adopt(loop, Recorder)
        transport.write(b"once")
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        transport.write(b"!")
        transport.write_eof()
        data = await peer.recv_end()
        transport.close()
        await recorder.until_lost()
        return data

    loop = new_loop()
    print(loop.run_until_complete(main()))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    """
    assert run(loop_kind, program)[0] == "b'once!'"


def test_a_loop_made_before_multiprocessing_goes_on_after_it(loop):
    import multiprocessing
    import warnings

    context = multiprocessing.get_context("fork")
    loop.run_until_complete(asyncio.sleep(0))
    with warnings.catch_warnings():
        # From 3.12 on Python warns of forks while threads run; none does here but pytest's own.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = context.Process(target=os.getpid)
        process.start()
    process.join(20)
    assert process.exitcode == 0
    process.close()
    assert loop.run_until_complete(asyncio.sleep(0.001, "goes on")) == "goes on"
