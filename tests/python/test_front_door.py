"""csploop.run, new_event_loop, Runner, policies, install and uninstall."""

from __future__ import annotations

import asyncio
import sys
import warnings

import csploop
import pytest

HAS_POLICIES = sys.version_info < (3, 16)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def restored_policy():
    before = asyncio.get_event_loop_policy()
    yield
    asyncio.set_event_loop_policy(before)


async def running():
    return asyncio.get_running_loop()


def test_new_event_loop_makes_loops():
    loop = csploop.new_event_loop()
    assert isinstance(loop, csploop.Loop)
    assert isinstance(loop, asyncio.AbstractEventLoop)
    assert loop.run_until_complete(running()) is loop
    loop.close()


def test_run_gives_the_result_and_closes_the_loop():
    loop = csploop.run(running())
    assert isinstance(loop, csploop.Loop)
    assert loop.is_closed()


def test_run_raises_the_error():
    async def main():
        raise LookupError("as planned")

    with pytest.raises(LookupError, match="as planned"):
        csploop.run(main())


@pytest.mark.parametrize("debug", [True, False])
def test_run_sets_debug(debug):
    async def main():
        return asyncio.get_running_loop().get_debug()

    assert csploop.run(main(), debug=debug) is debug


def test_run_takes_a_loop_factory():
    made = []

    def factory():
        made.append(csploop.Loop(poller="uv"))
        return made[0]

    assert csploop.run(running(), loop_factory=factory) is made[0]
    assert made[0].is_closed()


def test_run_cancels_what_is_left_and_closes_generators():
    ended = []

    async def left_over():
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("task")

    async def generator():
        try:
            yield 1
        finally:
            ended.append("generator")

    kept = []

    async def main():
        kept.append(asyncio.ensure_future(left_over()))
        kept.append(generator())
        await kept[1].__anext__()

    csploop.run(main())
    assert ended == ["task", "generator"]


def test_run_inside_a_run_is_refused():
    async def main():
        inner = running()
        try:
            with pytest.raises(RuntimeError, match="cannot be called from a running event loop"):
                csploop.run(inner)
        finally:
            inner.close()

    csploop.run(main())


@pytest.mark.parametrize("what", [None, 42, "text"], ids=repr)
def test_run_of_what_is_no_coroutine_is_refused_as_by_asyncio(what):
    with pytest.raises((ValueError, TypeError)) as expected:
        asyncio.run(what)
    with pytest.raises((ValueError, TypeError)) as found:
        csploop.run(what)
    assert found.type is expected.type


def test_run_leaves_no_current_loop_behind():
    csploop.run(running())
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_asyncio_run_takes_the_factory():
    if sys.version_info < (3, 12):
        pytest.skip("asyncio.run takes a loop_factory since Python 3.12")
    assert isinstance(asyncio.run(running(), loop_factory=csploop.new_event_loop), csploop.Loop)


def test_asyncios_runner_takes_the_factory():
    if sys.version_info < (3, 11):
        pytest.skip("asyncio.Runner is new in Python 3.11")
    with asyncio.Runner(loop_factory=csploop.new_event_loop, debug=True) as runner:
        loop = runner.run(running())
        assert isinstance(loop, csploop.Loop) and loop.get_debug()
        assert runner.run(running()) is loop
        assert runner.get_loop() is loop
    assert loop.is_closed()


def test_csploops_runner_exists_everywhere():
    with csploop.Runner() as runner:
        loop = runner.run(running())
        assert isinstance(loop, csploop.Loop)
        assert runner.run(running()) is loop
    assert loop.is_closed()


@pytest.mark.skipif(not HAS_POLICIES, reason="policies are gone in Python 3.16")
def test_the_policy_makes_our_loops(restored_policy):
    policy = csploop.EventLoopPolicy()
    asyncio.set_event_loop_policy(policy)
    loop = asyncio.new_event_loop()
    assert isinstance(loop, csploop.Loop)
    loop.close()
    assert isinstance(asyncio.run(running()), csploop.Loop)


@pytest.mark.skipif(not HAS_POLICIES, reason="policies are gone in Python 3.16")
def test_the_policy_keeps_a_loop_for_each_thread(restored_policy):
    asyncio.set_event_loop_policy(csploop.EventLoopPolicy())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    assert asyncio.get_event_loop() is loop
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.skipif(not HAS_POLICIES, reason="policies are gone in Python 3.16")
def test_install_and_uninstall(restored_policy):
    before = asyncio.get_event_loop_policy()
    assert not csploop.is_installed()
    csploop.install()
    csploop.install()
    assert csploop.is_installed()
    assert isinstance(asyncio.run(running()), csploop.Loop)
    csploop.uninstall()
    assert not csploop.is_installed()
    assert asyncio.get_event_loop_policy() is before
    assert not isinstance(asyncio.run(running()), csploop.Loop)
    csploop.uninstall()


@pytest.mark.parametrize("options", [{"poller": "none"}, {"write": "never"}, {"poller": 5}], ids=str)
def test_unknown_options_are_refused(options):
    with pytest.raises((ValueError, TypeError)):
        csploop.Loop(**options)


def test_public_names_are_listed_and_exist():
    for name in csploop.__all__:
        assert hasattr(csploop, name), name
    for name in ("Loop", "new_event_loop", "run", "Runner", "install", "uninstall", "is_installed"):
        assert name in csploop.__all__, name


def test_importing_installs_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not isinstance(asyncio.get_event_loop_policy(), csploop.EventLoopPolicy)
