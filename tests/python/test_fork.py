"""os.fork inside and outside a running loop."""

from __future__ import annotations

import asyncio
import os
import signal
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


LEAVING = """
import signal

def leave():
    {leave}

async def main():
    loop = asyncio.get_running_loop()
    transport, recorder, peer = await adopt(loop, Recorder)
    sleeper = asyncio.ensure_future(asyncio.sleep(3600))
    await asyncio.sleep(0)
    peer.send_now(b"for the parent")
    pid = os.fork()
    if pid == 0:
        if {in_callback}:
            loop.call_soon(leave)
            return await loop.create_future()
        return leave()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    await recorder.until_received(14)
    sleeper.cancel()
    peer.close()
    await recorder.until_lost()
    return "parent: " + str(status)

from csploop import run
print(run(main(), loop_factory=new_loop))
"""

WAYS_OUT = {
    "sys.exit(7)": "7",
    "sys.exit()": "0",
    "os._exit(7)": "7",
    "raise KeyboardInterrupt": str(-signal.SIGINT),
    "return 'child'": "0",
    "raise ValueError": "1",
}


@pytest.mark.ours("elsewhere what the child cleans up takes descriptors out of the parent's queue")
@pytest.mark.parametrize("leave", WAYS_OUT)
def test_a_child_leaves_its_coroutine_as_without_a_fork(loop_kind, leave):
    line, errors = run(loop_kind, LEAVING.format(leave=leave, in_callback=False))
    assert line == "parent: " + WAYS_OUT[leave], errors
    assert "ForkedError" not in errors


@pytest.mark.ours("elsewhere what the child cleans up takes descriptors out of the parent's queue")
@pytest.mark.parametrize("leave", [way for way in WAYS_OUT if way.startswith(("sys", "os", "raise Key"))])
def test_a_child_leaves_a_callback_as_without_a_fork(loop_kind, leave):
    line, errors = run(loop_kind, LEAVING.format(leave=leave, in_callback=True))
    assert line == "parent: " + WAYS_OUT[leave], errors
    assert "ForkedError" not in errors


@pytest.mark.ours("elsewhere what the child cleans up takes descriptors out of the parent's queue")
def test_what_came_for_the_parent_does_not_reach_a_child_that_is_forked_meanwhile(loop_kind):
    program = """
    pid = None

    def fork(recorder, data):
        global pid
        if pid is None:
            pid = os.fork()

    async def main():
        loop = asyncio.get_running_loop()
        ends = [await adopt(loop, lambda: Recorder(on={"data": fork})) for _ in range(3)]
        for _, _, peer in ends:
            peer.send_now(b"for the parent")
        received = 0
        while pid is None:
            await asyncio.sleep(0)
        if pid == 0:
            return os._exit(sum(recorder.data != b"" for _, recorder, _ in ends))
        for transport, recorder, peer in ends:
            await recorder.until_received(14)
            peer.close()
            await recorder.until_lost()
        return "child: " + str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    from csploop import run
    print(run(main(), loop_factory=new_loop))
    """
    assert run(loop_kind, program)[0] == "child: 1"


@pytest.mark.ours("asyncio goes on in the child, with the parent's descriptors")
def test_a_child_that_waits_for_the_parents_loop_is_told(loop_kind):
    line, errors = run(loop_kind, LEAVING.format(leave="return 8", in_callback=True))
    assert line == "parent: 1", errors
    assert "ForkedError" in errors


@pytest.mark.ours("elsewhere what the child cleans up takes descriptors out of the parent's queue")
def test_what_a_child_cleans_up_runs(loop_kind):
    program = """
    import atexit, contextlib, sys
    from concurrent.futures import ThreadPoolExecutor

    def nonlocal_loop():
        global loop
        loop = asyncio.get_running_loop()

    async def tidy():
        try:
            await asyncio.Event().wait()
        finally:
            slept = loop.create_future()
            loop.call_later(0.01, slept.set_result, None)
            await slept
            tell("tidied")

    def tell(what):
        os.write(1, what.encode() + b"\\n")

    async def main():
        nonlocal_loop()
        await loop.run_in_executor(None, os.getpid)
        other = asyncio.ensure_future(tidy())
        await asyncio.sleep(0)
        pid = os.fork()
        if pid == 0:
            atexit.register(tell, "exited")
            sys.exit(7)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        tell(f"parent: {status}")

    from csploop import run
    run(main(), loop_factory=new_loop)
    """.replace("\\\\", "\\")
    source = textwrap.dedent(PROLOGUE).format(path=sys.path, kind=loop_kind.name) + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=55)
    assert done.stdout.splitlines() == ["tidied", "exited", "parent: 7", "tidied"], done.stderr


def test_children_of_multiprocessing_inside_a_coroutine(loop_kind):
    program = """
    import multiprocessing

    def child(code):
        import csploop
        value = csploop.run(asyncio.sleep(0.001, code), loop_factory=new_loop)
        sys.exit(value)

    async def main():
        context = multiprocessing.get_context("fork")
        codes = []
        for code in (0, 7):
            process = context.Process(target=child, args=(code,))
            process.start()
            await asyncio.get_running_loop().run_in_executor(None, process.join)
            codes.append(process.exitcode)
        return codes

    from csploop import run
    print(run(main(), loop_factory=new_loop))
    """
    assert run(loop_kind, program)[0] == "[0, 7]"
