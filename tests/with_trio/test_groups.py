"""What leaves a block with more than its own error is one flat group, with each error in it once."""

from __future__ import annotations

import asyncio
import sys

import csploop
import csploop.trio
import pytest
import trio
import trio.testing
from csploop.trio import aio_as_trio, open_loop, run_guest, trio_as_aio

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup

KINDS = pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])


def left_with(main, run=trio.run):
    """The exceptions of the flat group that leaves."""
    with pytest.raises(BaseExceptionGroup) as caught:
        run(main)
    errors = caught.value.exceptions
    assert not any(isinstance(error, BaseExceptionGroup) for error in errors), "it is flat"
    return list(errors)


class Raising:
    """Ways in which asyncio code that Trio awaits raises an error."""

    def __init__(self, error):
        self.error = error

    async def at_once(self):
        raise self.error

    async def after_a_wait(self):
        await asyncio.sleep(0.001)
        raise self.error

    async def in_a_task(self):
        await asyncio.ensure_future(self.after_a_wait())

    async def in_gather(self):
        await asyncio.gather(self.after_a_wait(), asyncio.sleep(3600))

    async def under_a_timeout(self):
        await asyncio.wait_for(self.after_a_wait(), 3600)

    async def in_trio_code(self):
        await trio_as_aio(self.of_trio)()

    async def of_trio(self):
        await trio.sleep(0)
        raise self.error

    async def on_another_loop(self):
        await trio_as_aio(self.in_a_block)()

    async def in_a_block(self):
        async with open_loop():
            await aio_as_trio(self.after_a_wait)()


WAYS = [name for name in vars(Raising) if not name.startswith("_") and name not in ("of_trio", "in_a_block")]


@KINDS
@pytest.mark.parametrize("way", WAYS)
def test_it_comes_once_out_of_a_coroutine_that_trio_awaits(kind, way):
    """It leaves the callback that it was raised in, and is the outcome that Trio waits for."""
    error = kind("raised")

    async def main():
        async with open_loop():
            await aio_as_trio(getattr(Raising(error), way))()

    assert left_with(main) == [error]


@KINDS
def test_out_of_a_nursery(kind):
    error = kind("raised")

    async def main():
        async with open_loop(), trio.open_nursery() as nursery:
            nursery.start_soon(aio_as_trio(Raising(error).after_a_wait))
            nursery.start_soon(trio.sleep_forever)

    assert left_with(main) == [error]


@KINDS
def test_out_of_nurseries_in_nurseries(kind):
    error = kind("raised")

    async def deeper(depth):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(*((deeper, depth - 1) if depth else (aio_as_trio(Raising(error).at_once),)))

    async def main():
        async with open_loop():
            await deeper(3)

    assert left_with(main) == [error]


@KINDS
@pytest.mark.parametrize("which", ["outer", "inner"])
def test_nested_blocks(kind, which):
    error = kind("raised")

    async def main():
        async with open_loop() as outer, open_loop() as inner:
            loop = outer if which == "outer" else inner
            await aio_as_trio(Raising(error).after_a_wait, loop=loop)()

    assert left_with(main) == [error]


@KINDS
def test_an_iteration(kind):
    error = kind("raised")

    async def generator():
        yield
        raise error

    async def main():
        async for _ in aio_as_trio(generator()):
            pass

    assert left_with(main, csploop.trio.run) == [error]


@KINDS
def test_a_context_manager(kind):
    error = kind("raised")

    class Manager:
        async def __aenter__(self):
            pass

        async def __aexit__(self, *exc):
            await asyncio.sleep(0)
            raise error

    async def main():
        async with aio_as_trio(Manager()):
            pass

    assert left_with(main, csploop.trio.run) == [error]


@KINDS
def test_a_future_and_the_coroutine_methods_of_the_loop(kind):
    errors = [kind("future"), kind("coroutine")]

    async def main():
        async with open_loop() as loop, trio.open_nursery() as nursery:
            nursery.start_soon(csploop.trio.run_aio_future, loop.create_task(Raising(errors[0]).at_once()))
            nursery.start_soon(loop.run_aio_coroutine, Raising(errors[1]).at_once())

    assert set(left_with(main)) <= set(errors)


@KINDS
def test_in_what_a_task_does_when_it_is_cancelled(kind):
    """At the end of the block, where its own end is waited for, too."""
    error = kind("last words")

    async def task():
        try:
            await asyncio.sleep(3600)
        finally:
            raise error

    async def main():
        async with open_loop() as loop:
            loop.create_task(task())
            await loop.synchronize()

    assert left_with(main) == [error]


@KINDS
def test_a_cancellation_that_comes_with_it_is_caught_by_its_scope(kind):
    error = kind("last words")

    async def task():
        try:
            await asyncio.sleep(3600)
        finally:
            raise error

    async def main():
        with trio.CancelScope() as scope:
            async with open_loop(), trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.start_soon(aio_as_trio(task))
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()

    assert left_with(main) == [error]


@KINDS
def test_a_block_that_has_caught_it_ends_with_it_all_the_same(kind):
    error = kind("raised")

    async def main():
        async with open_loop():
            with pytest.raises(kind):
                await aio_as_trio(Raising(error).at_once)()

    assert left_with(main) == [error]


def test_several_of_a_background_task_are_several_of_the_group():
    errors = [KeyboardInterrupt(), SystemExit(3)]

    async def fails():
        raise BaseExceptionGroup("two", [errors[0], BaseExceptionGroup("one", errors[1:])])

    async def main():
        csploop.trio.run_trio_task(fails)
        await trio.sleep_forever()

    assert left_with(main, csploop.trio.run) == errors


def test_ordinary_errors_of_both_kinds():
    async def fails(error):
        raise error

    errors = [KeyError("background"), ValueError("nursery"), LookupError("nursery")]

    async def main():
        async with open_loop():
            csploop.trio.run_trio_task(fails, errors[0])
            async with trio.open_nursery() as nursery:
                await trio.testing.wait_all_tasks_blocked()
                for error in errors[1:]:
                    nursery.start_soon(fails, error)

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    assert set(caught.value.exceptions) <= set(errors)
    assert errors[0] in caught.value.exceptions


def test_a_group_of_the_users_own_class_stays_what_it_is():
    class Failures(ExceptionGroup):
        def derive(self, errors):
            return Failures(self.message, errors)

    failures = Failures("mine", [KeyError(1), KeyError(2)])

    async def fails():
        raise failures

    async def main():
        csploop.trio.run_trio_task(fails)
        await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        csploop.trio.run(main)
    assert caught.value.exceptions == (failures,)


def test_the_blocks_own_group_leaves_as_it_is_where_there_is_nothing_else():
    group = BaseExceptionGroup("mine", [KeyboardInterrupt(), ValueError()])

    async def main():
        async with open_loop():
            await aio_as_trio(Raising(group).after_a_wait)()

    with pytest.raises(BaseExceptionGroup) as caught:
        trio.run(main)
    assert caught.value is group


@KINDS
@pytest.mark.parametrize("how", ["guest", "sync loop"])
def test_a_guests_hosts_run_ends_with_the_bare_error_as_asyncios_does(kind, how):
    error = kind("raised")

    async def in_trio():
        await aio_as_trio(Raising(error).after_a_wait)()

    async def in_asyncio():
        await trio_as_aio(in_trio)()

    with pytest.raises(kind) as caught:
        if how == "guest":
            csploop.run(run_guest(in_trio))
        else:
            with csploop.trio.SyncTrioEventLoop() as loop:
                loop.run_until_complete(in_asyncio())
    assert caught.value is error
