"""Each listing of trio-asyncio's usage document, with its name changed and its seconds shortened.

Two listings are wrong on their own terms: `run(aio_as_trio, aio_sleep, 3)` (three times) hands aio_as_trio an
argument that it does not take, and a callback compares `f.result` without calling it. One, the printer, never
ends. Those under "will not work" must fail. For these, what is meant is tested beside.
"""

from __future__ import annotations

import asyncio

import csploop.trio
import pytest
import sniffio
import trio
from csploop.trio import aio_as_trio, trio_as_aio

SHORT = 0.002


def test_trio_main_loop():
    seen = []

    async def async_main(*args):
        await aio_as_trio(asyncio.sleep)(SHORT)
        seen.append(args)

    csploop.trio.run(async_main, 1, 2)
    assert seen == [(1, 2)]


def test_open_loop_in_a_trio_program():
    async def async_main(*args):
        await aio_as_trio(asyncio.sleep)(SHORT)
        return args

    async def async_main_wrapper(*args):
        async with csploop.trio.open_loop() as loop:
            assert loop == asyncio.get_event_loop()
            return await async_main(*args)

    assert trio.run(async_main_wrapper, 1) == (1,)


def test_asyncio_main_loop():
    async def async_main():
        await asyncio.sleep(SHORT)
        return asyncio.current_task() is not None

    assert csploop.trio.run(aio_as_trio(async_main))


def test_interrupting_the_asyncio_loop():
    seen = []
    stopped_event = trio.Event()

    async def setup():
        seen.append("setup")
        asyncio.get_running_loop().create_task(shutdown())

    async def cleanup():
        seen.append("cleanup")

    async def shutdown():
        stopped_event.set()

    async def async_main():
        await aio_as_trio(setup)()
        await stopped_event.wait()
        await aio_as_trio(cleanup)()

    csploop.trio.run(async_main)
    assert seen == ["setup", "cleanup"]


def test_what_that_replaces_works_on_a_sync_loop():
    seen = []

    async def setup():
        seen.append("setup")

    async def shutdown():
        seen.append("shutdown")
        loop.stop()

    with csploop.trio.SyncTrioEventLoop() as loop:
        loop.run_until_complete(setup())
        task = loop.create_task(shutdown())
        loop.run_forever()
        assert task.done()
    assert seen == ["setup", "shutdown"]


async def test_detecting_the_flavour():
    assert sniffio.current_async_library() == "trio"

    async def in_asyncio():
        assert sniffio.current_async_library() == "asyncio"

    await aio_as_trio(in_asyncio)()


def test_cross_calling_background():
    async def some_code():
        return 1

    async def run_awaitable(proc):
        return await proc

    async def run_callable(proc):
        return await proc()

    async def in_asyncio():
        return await run_awaitable(some_code())

    async def in_trio():
        return await run_callable(some_code)

    assert csploop.trio.run(aio_as_trio(in_asyncio)) == csploop.trio.run(in_trio) == 1


async def aio_sleep(sec=SHORT):
    await asyncio.sleep(sec)
    return 42


def test_calling_asyncio_from_trio():
    async def trio_sleep(sec=2):
        return await aio_as_trio(aio_sleep)(sec)

    assert csploop.trio.run(trio_sleep, SHORT) == 42


def test_calling_asyncio_by_a_decorator():
    @aio_as_trio
    async def trio_sleep(sec=1):
        await asyncio.sleep(sec)
        return 42

    assert csploop.trio.run(trio_sleep, SHORT) == 42
    assert trio_sleep.__name__ == "trio_sleep"


def test_passing_an_awaitable():
    async def trio_sleep(sec=2):
        return await aio_as_trio(aio_sleep(sec))

    assert csploop.trio.run(trio_sleep, SHORT) == 42


def test_the_synchronous_part_sees_its_current_task():
    def foo(bar):
        task = asyncio.current_task()

        async def inner():
            return task is asyncio.current_task(), task is not None, bar

        return inner()

    async def main():
        assert await aio_as_trio(foo)(3) == (True, True, 3)
        assert await aio_as_trio(foo(3)) == (False, False, 3), "made outside, as the document says"

    csploop.trio.run(main)


def test_futures():
    async def trio_sleep(sec=SHORT):
        f = aio_sleep(sec)
        f = asyncio.ensure_future(f)
        r = await aio_as_trio(f)
        assert r == 42

    csploop.trio.run(trio_sleep, SHORT)


async def aio_slow():
    n = 0
    while True:
        await asyncio.sleep(n * SHORT)
        yield n
        n += 1


def test_async_iterators():
    seen = []

    async def printer():
        with trio.CancelScope() as scope:  # the listing itself never ends
            async for n in aio_as_trio(aio_slow()):
                seen.append(n)
                if n == 3:
                    scope.cancel()

    csploop.trio.run(printer)
    assert seen == [0, 1, 2, 3]


def test_an_iteration_can_be_left():
    closed = []

    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def main():
        wrapped = aiter_of(aio_as_trio(numbers()))
        assert await wrapped.__anext__() == 1
        await wrapped.aclose()
        assert closed == [True]
        async for n in aio_as_trio(numbers()):
            assert n == 1
            break

    def aiter_of(wrapper):
        return wrapper.__aiter__()

    csploop.trio.run(main)
    assert closed == [True, True]


class AsyncCtx:
    async def __aenter__(self):
        await asyncio.sleep(SHORT)
        return self

    async def __aexit__(self, *tb):
        await asyncio.sleep(SHORT)

    async def delay(self, sec=1):
        await asyncio.sleep(sec)
        return sniffio.current_async_library()


def test_async_context_managers():
    async def trio_ctx():
        async with aio_as_trio(AsyncCtx()) as ctx:
            assert isinstance(ctx, AsyncCtx)
            assert await aio_as_trio(ctx.delay)(SHORT) == "asyncio"

    csploop.trio.run(trio_ctx)


def test_what_will_not_work():
    async def trio_ctx():
        async with aio_as_trio(AsyncCtx)() as ctx:
            raise AssertionError(ctx)

    async def printer():
        async for n in aio_as_trio(aio_slow)():
            raise AssertionError(n)

    for main in (trio_ctx, printer):
        with pytest.raises((TypeError, AttributeError)), pytest.warns(RuntimeWarning, match="never awaited"):
            csploop.trio.run(main)


def test_the_wrappers_say_what_to_write_instead():
    async def main():
        with pytest.raises(TypeError, match=r"async with aio_as_trio\(factory"):
            async with aio_as_trio(AsyncCtx):
                raise AssertionError
        with pytest.raises(TypeError, match=r"aio_as_trio\(generator"):
            async for _ in aio_as_trio(aio_slow):
                raise AssertionError

    csploop.trio.run(main)


def test_too_complicated():
    async def hybrid():
        await trio.sleep(SHORT)
        await asyncio.sleep(SHORT)
        return "Well, that worked"

    assert csploop.trio.run(csploop.trio.allow_asyncio, hybrid) == "Well, that worked"


async def trio_sleep(sec=SHORT):
    await trio.sleep(sec)
    return 42


def test_calling_trio_from_asyncio():
    async def aio_sleep(sec=2):
        return await trio_as_aio(trio_sleep)(sec)

    assert csploop.trio.run(aio_as_trio(aio_sleep), SHORT) == 42
    with pytest.raises(TypeError):  # the listing as it is
        csploop.trio.run(aio_as_trio, aio_sleep, SHORT)


def test_calling_trio_by_a_decorator():
    @trio_as_aio
    async def aio_sleep(sec=2):
        await trio.sleep(sec)
        return 42

    async def main(sec):
        return await aio_sleep(sec)

    assert csploop.trio.run(aio_as_trio(main), SHORT) == 42


@pytest.mark.parametrize("as_written", [False, True])
def test_a_wrapped_call_returns_a_future(as_written, caplog):
    seen = []

    def cb(f):
        seen.append(f)
        assert (f.result if as_written else f.result()) == 42

    async def aio_sleep(sec=2):
        f = trio_as_aio(trio_sleep)(sec)
        assert isinstance(f, asyncio.Future)
        f.add_done_callback(cb)
        r = await f
        assert r == 42

    if as_written:
        # A method is not 42, and the callback's error ends the loop.
        with pytest.raises(BaseException) as caught:
            csploop.trio.run(aio_as_trio(aio_sleep), SHORT)
        assert isinstance(caught.value.exceptions[0], AssertionError)
    else:
        csploop.trio.run(aio_as_trio(aio_sleep), SHORT)
    assert len(seen) == 1


def test_trio_iterators_and_context_managers():
    async def numbers():
        for n in range(3):
            await trio.sleep(0)
            yield n

    class TrioCtx:
        async def __aenter__(self):
            await trio.sleep(0)
            return sniffio.current_async_library()

        async def __aexit__(self, kind, value, traceback):
            await trio.sleep(0)
            return kind is KeyError

    async def main():
        assert [n async for n in trio_as_aio(numbers())] == [0, 1, 2]
        async with trio_as_aio(TrioCtx()) as library:
            assert library == "trio"
            raise KeyError
        iterator = trio_as_aio(numbers()).__aiter__()
        assert await iterator.__anext__() == 0
        await iterator.aclose()

    csploop.trio.run(aio_as_trio(main))


def test_background_tasks_end_the_loop_with_their_error(caplog):
    async def background():
        raise KeyError("background")

    async def main():
        csploop.trio.run_trio_task(background)
        await trio.sleep_forever()

    with pytest.raises(BaseException) as caught:
        csploop.trio.run(main)
    assert [repr(each) for each in caught.value.exceptions] == ["KeyError('background')"]
    assert "Exception in Trio task" in caplog.text
