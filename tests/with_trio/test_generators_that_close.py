"""asyncio's async generators at the end of their loop's block, and what a cancellation means to them."""

from __future__ import annotations

import asyncio
import functools
import sys

import pytest
import trio
import trio.testing
from csploop.trio import aio_as_trio, open_loop

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

BEFORE = "before the end of the block"
CALLBACK = "by a callback that is due then"
MEANWHILE = "while they clean up"


async def leave(clean_up, cancel=None, count=1):
    """Leaves a block in which so many generators stand at their yield; returns the scope around it."""
    kept = []

    async def generator(number):
        try:
            yield
        finally:
            await clean_up(number)

    async def begin():
        for number in range(count):
            kept.append(generator(number))
            await kept[-1].__anext__()

    with trio.CancelScope() as scope:
        async with open_loop() as loop:
            await aio_as_trio(begin)()
            if cancel == BEFORE:
                scope.cancel()
            elif cancel == CALLBACK:
                loop.call_soon(scope.cancel)
            elif cancel == MEANWHILE:
                loop.call_later(0.001, scope.cancel)
    return scope


def run(*args, **options):
    return trio.run(functools.partial(leave, *args, **options))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("cancel", [BEFORE, CALLBACK])
@pytest.mark.parametrize("rounds", [0, 1])
def test_the_end_of_a_cancelled_block_that_has_any_is_cancelled(rounds, cancel, count):
    ended = []

    async def clean_up(number):
        for _ in range(rounds):
            await asyncio.sleep(0)
        ended.append(number)

    scope = run(clean_up, cancel, count)
    assert scope.cancelled_caught
    assert sorted(ended) == list(range(count)), "what needs no wait comes to its end"


@pytest.mark.parametrize("count", [1, 3])
def test_without_a_cancellation_it_is_not(count):
    ended = []

    async def clean_up(number):
        await asyncio.sleep(0.001)
        ended.append(number)

    assert not run(clean_up, count=count).cancelled_caught
    assert sorted(ended) == list(range(count))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("cancel", [BEFORE, CALLBACK, MEANWHILE])
def test_a_clean_up_that_waits_is_interrupted(cancel, count):
    seen = []

    async def clean_up(number):
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            seen.append(number)
            raise

    assert run(clean_up, cancel, count).cancelled_caught
    assert sorted(seen) == list(range(count))


@pytest.mark.parametrize("cancel", [BEFORE, CALLBACK])
def test_also_one_that_only_yields_again_and_again(cancel):
    async def clean_up(number):
        while True:
            await asyncio.sleep(0)

    assert run(clean_up, cancel).cancelled_caught


@pytest.mark.parametrize("cancel", [BEFORE, CALLBACK, MEANWHILE])
def test_it_is_interrupted_once(cancel):
    log = []

    async def clean_up(number):
        for step in range(2):
            try:
                await asyncio.sleep(3600 if step == 0 else 0.001)
            except asyncio.CancelledError:
                log.append("interrupted")
        log.append("ended")

    assert run(clean_up, cancel).cancelled_caught
    assert log == ["interrupted", "ended"]


@pytest.mark.parametrize("cancel", [None, BEFORE, CALLBACK, MEANWHILE])
def test_what_a_clean_up_raises_is_told(cancel, caplog):
    """The block's cancellation is caught by its scope, and the errors go on."""

    async def clean_up(number):
        try:
            await asyncio.sleep(0.001 if cancel is None else 3600)
        finally:
            raise KeyError(number)

    with pytest.raises(ExceptionGroup) as caught:
        run(clean_up, cancel, 2)
    assert sorted(str(error) for error in caught.value.exceptions) == ["0", "1"]
    assert {type(error) for error in caught.value.exceptions} == {KeyError}


def test_tasks_that_a_clean_up_starts_are_interrupted_with_it():
    log = []

    async def helper():
        try:
            await asyncio.sleep(3600)
        finally:
            log.append("helper")

    async def clean_up(number):
        await asyncio.shield(asyncio.ensure_future(helper()))

    assert run(clean_up, MEANWHILE).cancelled_caught
    assert log == ["helper"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_clean_up_that_must_leave_leaves(kind):
    async def clean_up(number):
        await asyncio.sleep(0)
        raise kind(number)

    with pytest.raises(BaseException) as caught:
        run(clean_up)
    assert [repr(error) for error in caught.value.exceptions] == [repr(kind(0))]


def test_in_nested_blocks():
    """Each loop closes its own, and both ends are in the same cancelled scope."""
    closed = []

    async def generator(name):
        try:
            yield asyncio.get_running_loop()
        finally:
            await asyncio.sleep(0)
            closed.append((name, asyncio.get_running_loop()))

    async def main():
        with trio.CancelScope() as scope:
            async with open_loop() as outer:
                first = generator("outer")
                assert await aio_as_trio(first.__anext__)() is outer
                async with open_loop() as inner:
                    second = generator("inner")
                    assert await aio_as_trio(second.__anext__)() is inner
                    scope.cancel()
        assert scope.cancelled_caught
        assert closed == [("inner", inner), ("outer", outer)]

    trio.run(main)


def test_a_deadline_that_passes_while_they_clean_up(autojump_clock):
    async def clean_up(number):
        await asyncio.sleep(5)

    async def main():
        start = trio.current_time()
        with trio.fail_after(10):
            await leave(clean_up)
        with pytest.raises(trio.TooSlowError), trio.fail_after(1):
            await leave(clean_up)
        return trio.current_time() - start

    assert trio.run(main, clock=autojump_clock) == 6


@pytest.fixture
def autojump_clock():
    return trio.testing.MockClock(autojump_threshold=0)
