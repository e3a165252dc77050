"""create_task's options and task factories, old and new, as the running Python's asyncio has them."""

from __future__ import annotations

import asyncio
import contextvars
import sys

import pytest

NAMED = {"name": "a name"}
EAGER_SINCE = (3, 12)
EAGER_OPTION_SINCE = (3, 14)

needs_eager_tasks = pytest.mark.skipif(
    sys.version_info < EAGER_SINCE, reason="eager tasks are new in Python 3.12"
)
needs_eager_option = pytest.mark.skipif(
    sys.version_info < EAGER_OPTION_SINCE, reason="create_task takes eager_start since Python 3.14"
)

variable = contextvars.ContextVar("variable", default="outside")


def context_with(value):
    context = contextvars.copy_context()
    context.run(variable.set, value)
    return context


@pytest.fixture
def log():
    return []


def work(log):
    async def main():
        log.append(("begins", asyncio.current_task().get_name(), variable.get()))
        await asyncio.sleep(0)
        log.append(("ends", asyncio.current_task().get_name(), variable.get()))
        return "result"

    return main()


@needs_eager_option
@pytest.mark.parametrize("how", ["function", "method", "group"])
async def test_a_task_starts_at_once_when_it_is_told_to(loop, log, how):
    options = {"name": "eager", "context": context_with("inside"), "eager_start": True}
    if how == "group":
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work(log), **options)
            assert log == [("begins", "eager", "inside")]
    else:
        create = asyncio.create_task if how == "function" else loop.create_task
        task = create(work(log), **options)
        assert log == [("begins", "eager", "inside")]
        assert not task.done()
    assert await task == "result"
    assert log[1:] == [("ends", "eager", "inside")]
    assert variable.get() == "outside"


@needs_eager_option
async def test_a_task_that_needs_no_turn_is_done_when_it_is_made(loop):
    async def at_once():
        return asyncio.current_task()

    me = asyncio.current_task()
    task = loop.create_task(at_once(), eager_start=True)
    assert task.done() and task.result() is task
    assert asyncio.current_task() is me
    assert task not in asyncio.all_tasks()


@needs_eager_option
async def test_one_task_may_wait_where_all_start_at_once(loop, log):
    loop.set_task_factory(asyncio.eager_task_factory)
    task = loop.create_task(work(log), eager_start=False)
    assert log == []
    await task
    loop.set_task_factory(None)


@needs_eager_tasks
async def test_a_factory_for_eager_tasks_of_ones_own_class(loop, log):
    class Own(asyncio.Task):
        pass

    loop.set_task_factory(asyncio.create_eager_task_factory(Own))
    task = loop.create_task(work(log), name="own", context=context_with("inside"))
    assert type(task) is Own
    # Before 3.14 the loop names it when the factory has made it.
    assert [(what, value) for what, _, value in log] == [("begins", "inside")]
    assert await task == "result"
    assert log[1:] == [("ends", "own", "inside")]
    loop.set_task_factory(None)


@needs_eager_tasks
async def test_eager_tasks_do_io(loop):
    async def answer(reader, writer):
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    loop.set_task_factory(asyncio.eager_task_factory)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)

    async def ask(number):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"%d\n" % number)
        data = await reader.read()
        writer.close()
        await writer.wait_closed()
        return int(data)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(number)) for number in range(20)]
    assert [task.result() for task in tasks] == list(range(20))
    server.close()
    await server.wait_closed()
    loop.set_task_factory(None)
    for _ in range(5):
        await asyncio.sleep(0)


def what_a_factory_is_given(kind_of_loop, options):
    """A factory that takes everything and one of old, on such a loop: what they were given, or refused."""

    def new(loop, coro, **given):
        seen.append(dict(given))
        return asyncio.Task(coro, loop=loop, **given)

    def old(loop, coro):
        seen.append({})
        return asyncio.Task(coro, loop=loop)

    async def main():
        loop = asyncio.get_running_loop()
        for factory in (new, old):
            loop.set_task_factory(factory)
            coro = asyncio.sleep(0, "result")
            try:
                task = loop.create_task(coro, **options)
            except TypeError as error:
                coro.close()
                seen.append(str(error).replace(factory.__qualname__, "factory"))
            else:
                seen.append((await task, task.get_name() == "a name"))
        loop.set_task_factory(None)

    seen = []
    loop = kind_of_loop()
    loop.run_until_complete(loop.create_task(main()))
    loop.close()
    return seen


OPTIONS = {
    "none": {},
    "name": NAMED,
    "context": {"context": contextvars.Context()},
    "name_and_context": {**NAMED, "context": contextvars.Context()},
    "eager_start": {"eager_start": True},
    "not_eager_start": {"eager_start": False, **NAMED},
    "unknown": {"no_such_option": 1},
}


@pytest.mark.ours("is compared with asyncio in its body")
@pytest.mark.parametrize("options", OPTIONS)
def test_a_factory_is_given_what_asyncio_gives(loop_kind, options):
    ours = what_a_factory_is_given(loop_kind.new, OPTIONS[options])
    assert ours == what_a_factory_is_given(asyncio.SelectorEventLoop, OPTIONS[options])
    assert ours
