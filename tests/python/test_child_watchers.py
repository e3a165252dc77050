"""asyncio's child watchers, up to Python 3.13, beside loops that need none: exit codes are right."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(
    not hasattr(asyncio.unix_events, "FastChildWatcher"), reason="this Python has no child watchers"
)

# Watchers and policies are the process's, so each program has one of its own.
PROLOGUE = """
import asyncio, sys, warnings
sys.path[:0] = {path!r}
warnings.simplefilter("ignore")
import csploop

async def codes():
    async def one(code):
        child = await asyncio.create_subprocess_exec("sh", "-c", f"exit {{code}}")
        return await child.wait()
    return await asyncio.gather(*map(one, range(20)))

def refused(call, *args):
    try:
        call(*args)
    except RuntimeError as exc:
        return "FastChildWatcher" in str(exc)
    return False

watcher = getattr(asyncio, {watcher!r})()
"""

OTHERS = ("SafeChildWatcher", "MultiLoopChildWatcher", "ThreadedChildWatcher", "PidfdChildWatcher")


def run(program, watcher="FastChildWatcher"):
    source = PROLOGUE.format(path=sys.path, watcher=watcher) + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=55)
    assert done.stdout == "right\n", done.stderr


ATTACHED = """
async def main():
    watcher.attach_loop(asyncio.get_running_loop())
    try:
        return await codes()
    finally:
        watcher.close()

assert csploop.run(main()) == list(range(20))
print("right")
"""


@pytest.mark.parametrize("watcher", OTHERS)
def test_watchers_that_take_their_own_children_do_no_harm(watcher):
    if not hasattr(asyncio, watcher):
        pytest.skip(f"this Python has no {watcher}")
    run(ATTACHED, watcher)


@pytest.mark.parametrize("watcher", OTHERS)
def test_they_may_be_the_policys(watcher):
    if not hasattr(asyncio, watcher):
        pytest.skip(f"this Python has no {watcher}")
    program = """
    csploop.install()
    asyncio.set_child_watcher(watcher)
    assert asyncio.run(codes()) == list(range(20))
    print("right")
    """
    run(program, watcher)


def test_one_that_takes_all_is_refused_by_the_policy():
    program = """
    csploop.install()
    assert refused(asyncio.set_child_watcher, watcher)
    assert asyncio.run(codes()) == list(range(20))
    print("right")
    """
    run(program)


def test_one_that_takes_all_is_refused_by_a_loop():
    program = """
    async def main():
        assert refused(watcher.attach_loop, asyncio.get_running_loop())
        return await codes()

    assert csploop.run(main()) == list(range(20))
    print("right")
    """
    run(program)


def test_under_asyncios_policy_it_does_not_get_to_a_loop():
    program = """
    asyncio.set_child_watcher(watcher)
    assert csploop.run(codes()) == list(range(20))
    loop = csploop.new_event_loop()
    assert refused(asyncio.set_event_loop, loop)
    assert loop.run_until_complete(codes()) == list(range(20))
    loop.close()
    print("right")
    """
    run(program)
