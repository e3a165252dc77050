"""TrioPolicy, for programs that get their loops from asyncio's functions."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import warnings

import csploop.trio
import pytest
import trio
from csploop.trio import SyncTrioEventLoop, TrioEventLoop, current_loop, trio_as_aio

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def policy():
    before = asyncio.get_event_loop_policy()
    policy = csploop.trio.TrioPolicy()
    asyncio.set_event_loop_policy(policy)
    yield policy
    asyncio.set_event_loop_policy(before)


async def calls_trio():
    await trio_as_aio(trio.sleep)(0.001)
    return asyncio.get_running_loop()


def test_importing_changes_nothing():
    assert not isinstance(asyncio.get_event_loop_policy(), csploop.trio.TrioPolicy)


def test_new_loops_have_trio(policy):
    loop = asyncio.new_event_loop()
    assert isinstance(loop, SyncTrioEventLoop)
    assert loop.run_until_complete(calls_trio()) is loop
    loop.close()
    assert isinstance(asyncio.run(calls_trio()), SyncTrioEventLoop)


def test_get_event_loop_without_one_does_what_pythons_own_policy_does(policy):
    if sys.version_info >= (3, 14):
        with pytest.raises(RuntimeError, match="no current event loop"):
            policy.get_event_loop()
        policy.set_event_loop(policy.new_event_loop())
    loop = policy.get_event_loop()
    assert isinstance(loop, SyncTrioEventLoop)
    assert policy.get_event_loop() is loop
    loop.close()


def test_other_threads_keep_their_own(policy):
    kinds = []

    def other():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        kinds.append(type(loop))
        assert policy.get_event_loop() is loop
        asyncio.set_event_loop(None)
        loop.close()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert kinds == [asyncio.SelectorEventLoop]


def test_in_trio_code(policy):
    async def main():
        with pytest.raises(RuntimeError, match="open_loop"):
            asyncio.get_event_loop()
        with pytest.raises(RuntimeError, match="open_loop"):
            asyncio.new_event_loop()
        async with csploop.trio.open_loop() as loop:
            assert asyncio.get_event_loop() is policy.get_event_loop() is loop
            asyncio.set_event_loop(None)
            assert current_loop.get() is None
            with pytest.raises(RuntimeError, match="open_loop"):
                asyncio.get_event_loop()
            asyncio.set_event_loop(loop)
            assert isinstance(asyncio.get_event_loop(), TrioEventLoop)
            with pytest.raises(TypeError, match="open_loop"):
                asyncio.set_event_loop(object())

    trio.run(main)


def test_custom_child_watchers_are_refused(policy):
    if not hasattr(asyncio, "set_child_watcher"):
        pytest.skip("child watchers are gone")
    with pytest.raises(RuntimeError, match="child watchers"):
        asyncio.set_child_watcher(object())
    asyncio.set_child_watcher(None)


def test_the_warning():
    program = """
import asyncio, warnings
import csploop.trio
warnings.simplefilter("ignore", DeprecationWarning)
asyncio.set_event_loop_policy(csploop.trio.TrioPolicy())
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", csploop.trio.TrioAsyncioDeprecationWarning)
    asyncio.new_event_loop().close()
assert [each.category.__name__ for each in caught] == ["TrioAsyncioDeprecationWarning"], caught
assert caught[0].category.__mro__[1] is FutureWarning
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        csploop.trio.TrioPolicy().new_event_loop().close()  # not under pytest
