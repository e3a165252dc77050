"""Errors and cancellations across the border."""

from __future__ import annotations

import asyncio
import sys
import traceback

import csploop.trio
import pytest
import trio
import trio.testing
from csploop.trio import aio_as_trio, trio_as_aio

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup


async def trio_fails():
    raise KeyError("there")


async def aio_fails():
    raise KeyError("there")


def leaves(error):
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in leaves(part)]
    return [error]


async def test_an_error_goes_on_out_of_the_call():
    with pytest.raises(KeyError, match="there") as caught:
        await aio_as_trio(aio_fails)()
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[0] == "test_an_error_goes_on_out_of_the_call"
    assert names[-1] == "aio_fails"
    assert len(names) <= 7, "and few frames of ours"

    async def in_asyncio():
        with pytest.raises(KeyError, match="there") as caught:
            await trio_as_aio(trio_fails)()
        names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert names[-1] == "trio_fails"
        assert len(names) <= 4

    await aio_as_trio(in_asyncio)()


async def test_it_crosses_as_often_as_it_must():
    async def down(depth):
        if not depth:
            raise KeyError(depth)
        await trio_as_aio(up)(depth - 1)

    async def up(depth):
        await aio_as_trio(down)(depth)

    with pytest.raises(KeyError):
        await up(5)


async def test_groups_cross_as_groups():
    async def trio_group():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio_fails)
            nursery.start_soon(trio.sleep_forever)

    async def in_asyncio():
        with pytest.raises(ExceptionGroup) as caught:
            await trio_as_aio(trio_group)()
        assert [type(each) for each in caught.value.exceptions] == [KeyError]
        await trio_as_aio(trio_group)()

    with pytest.raises(ExceptionGroup):
        await aio_as_trio(in_asyncio)()


async def test_cancelling_the_future_cancels_the_trio_task():
    seen = []
    begun = trio.Event()

    async def sleeper():
        begun.set()
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            seen.append("cancelled")
            raise

    async def in_asyncio():
        future = trio_as_aio(sleeper)()
        await trio_as_aio(begun.wait)()
        assert future.cancel("why")
        assert not future.done(), "not before the task has ended"
        with pytest.raises(asyncio.CancelledError):
            await future
        assert future.cancelled()
        assert not future.cancel()

    await aio_as_trio(in_asyncio)()
    assert seen == ["cancelled"]


async def test_a_task_that_swallows_its_cancellation_has_a_result():
    async def stubborn():
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()
        return 42

    async def in_asyncio():
        future = trio_as_aio(stubborn)()
        await asyncio.sleep(0)
        task = asyncio.ensure_future(wait(future))
        await asyncio.sleep(0)
        future.cancel()
        return await task

    async def wait(future):
        try:
            return await future
        except asyncio.CancelledError:
            return "cancelled before it began"

    assert await aio_as_trio(in_asyncio)() in (42, "cancelled before it began")


async def test_a_task_cancelled_before_it_begins_does_not_begin():
    seen = []

    async def begins():
        seen.append(1)

    async def in_asyncio():
        future = trio_as_aio(begins)()
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future

    await aio_as_trio(in_asyncio)()
    assert not seen


async def test_a_task_whose_own_scope_is_cancelled_just_returns():
    async def gives_up():
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.sleep_forever()
        return "gave up"

    assert await csploop.trio.run_aio_future(csploop.trio.run_trio(gives_up)) == "gave up"


async def test_cancelling_trio_cancels_the_asyncio_task():
    seen = []

    async def sleeper():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            seen.append("asyncio.CancelledError")
            raise

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(aio_as_trio(sleeper))
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    assert scope.cancelled_caught
    assert seen == ["asyncio.CancelledError"]


async def test_a_deadline_does_the_same():
    with trio.move_on_after(0.01) as scope:
        await aio_as_trio(asyncio.sleep)(3600)
    assert scope.cancelled_caught


async def test_a_future_cancelled_by_somebody_else_is_passed_along_unchanged():
    loop = csploop.trio.current_loop.get()
    future = loop.create_future()
    loop.call_soon(future.cancel)
    with trio.CancelScope() as scope, pytest.raises(asyncio.CancelledError):
        await csploop.trio.run_aio_future(future)
    assert not scope.cancelled_caught


async def test_an_asyncio_task_that_ends_well_when_cancelled_returns():
    async def stubborn():
        asyncio.get_running_loop().call_soon(scope.cancel)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return 42

    with trio.CancelScope() as scope:
        assert await aio_as_trio(stubborn)() == 42
    assert scope.cancel_called
    assert not scope.cancelled_caught


async def test_an_error_while_cancelled_is_an_error():
    async def fails():
        asyncio.get_running_loop().call_soon(scope.cancel)
        try:
            await asyncio.sleep(3600)
        finally:
            raise KeyError("cleaning up")

    with pytest.raises(KeyError, match="cleaning up"), trio.CancelScope() as scope:
        await aio_as_trio(fails)()


async def test_cancelling_from_both_sides_at_once():
    loop = csploop.trio.current_loop.get()
    ended = []

    async def trio_side():
        try:
            await trio.sleep_forever()
        finally:
            ended.append("trio")

    async def aio_side():
        try:
            await trio_as_aio(trio_side)()
        finally:
            ended.append("asyncio")

    task = loop.create_task(aio_side())
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(csploop.trio.run_aio_future, task)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
            task.cancel()
    assert ended == ["trio", "asyncio"]
    assert task.cancelled()


def test_the_blocks_own_error_leaves_it_as_it_is():
    error = KeyError("body")

    async def main():
        async with csploop.trio.open_loop():
            raise error

    with pytest.raises(KeyError) as caught:
        trio.run(main)
    assert caught.value is error
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert names[-1] == "main"
    assert "__aexit__" not in names


def test_errors_of_background_and_block_together_are_one_flat_group():
    async def main():
        async with csploop.trio.open_loop():
            csploop.trio.run_trio_task(trio_fails)
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("body")

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    assert sorted(type(each).__name__ for each in caught.value.exceptions) == ["KeyError", "ValueError"]


def test_an_error_of_a_callback_ends_the_block(caplog):
    async def main():
        async with csploop.trio.open_loop() as loop:
            loop.call_soon(int, "no number")
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    assert caught.value.exceptions[0].__class__ is ValueError
    assert "Exception in callback" in caplog.text


def test_an_exception_handler_keeps_the_block_alive():
    reports = []

    async def main():
        async with csploop.trio.open_loop() as loop:
            loop.set_exception_handler(lambda loop, context: reports.append(context))
            loop.call_soon(int, "no number")
            loop.run_trio_task(trio_fails)
            await loop.synchronize()
            await trio.testing.wait_all_tasks_blocked()

    trio.run(main)
    assert {type(context["exception"]) for context in reports} == {ValueError, KeyError}


def test_an_exception_handler_is_told_its_part_of_a_group():
    """Whatever is not an Exception ends the block; the handler gets the rest of the group."""
    told = []

    async def fails():
        raise BaseExceptionGroup("both", [ValueError("for the handler"), SystemExit(3)])

    async def main():
        async with csploop.trio.open_loop() as loop:
            loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
            loop.run_trio_task(fails)
            await trio.sleep_forever()

    with pytest.raises(BaseException) as caught:
        trio.run(main)
    assert [type(error) for error in leaves(caught.value)] == [SystemExit]
    assert [[repr(error) for error in leaves(group)] for group in told] == [["ValueError('for the handler')"]]


def test_a_report_without_an_exception_ends_the_block_too(caplog):
    async def main():
        async with csploop.trio.open_loop() as loop:
            loop.call_soon(loop.call_exception_handler, {"message": "something is wrong"})
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    assert str(caught.value.exceptions[0]) == "something is wrong"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["callback", "background", "body"])
def test_what_must_leave_leaves(kind, where):
    ended = []

    def leave():
        raise kind

    async def leave_later():
        leave()

    async def stays():
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    async def main():
        async with csploop.trio.open_loop() as loop:
            loop.create_task(stays())
            await loop.synchronize()
            if where == "callback":
                loop.call_soon(leave)
            elif where == "background":
                loop.run_trio_task(leave_later)
            else:
                leave()
            await trio.sleep_forever()

    with pytest.raises((kind, BaseExceptionGroup)) as caught:
        trio.run(main)
    error = caught.value
    assert isinstance(error if where == "body" else error.exceptions[0], kind)
    assert ended == [True], "the tasks were cancelled and waited for all the same"


def test_cancelling_around_the_block_reaches_it():
    ended = []

    async def stays():
        try:
            await asyncio.sleep(3600)
        finally:
            await trio_as_aio(trio.sleep)(0)
            ended.append(True)

    async def main():
        with trio.CancelScope() as scope:
            async with csploop.trio.open_loop() as loop:
                loop.create_task(stays())
                await loop.synchronize()
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught

    # Trio code that the tasks call while they are cancelled is cancelled, too.
    trio.run(main)
    assert ended in ([], [True])


def test_opening_in_a_cancelled_scope():
    async def main():
        with trio.CancelScope() as scope:
            scope.cancel()
            async with csploop.trio.open_loop() as loop:
                assert loop.is_running()
                with pytest.raises(trio.Cancelled):
                    await aio_as_trio(asyncio.sleep)(3600)
                await trio.lowlevel.checkpoint()
        assert scope.cancelled_caught

    trio.run(main)
