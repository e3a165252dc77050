"""call_soon: order, arguments, contexts, cancelling, turns."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def turns(loop, count=1):
    """Lets the loop turn, at least `count` times."""

    async def main():
        for _ in range(count):
            await asyncio.sleep(0)

    loop.run_until_complete(main())


def test_callbacks_run_in_the_order_of_the_calls(loop):
    seen = []
    for number in range(1000):
        loop.call_soon(seen.append, number)
    turns(loop)
    assert seen == list(range(1000))


def test_arguments_are_passed_as_given(loop):
    seen = []
    loop.call_soon(lambda *args: seen.append(args))
    loop.call_soon(lambda *args: seen.append(args), 1)
    loop.call_soon(lambda *args: seen.append(args), 1, None, (2, 3))
    turns(loop)
    assert seen == [(), (1,), (1, None, (2, 3))]


def test_a_callback_scheduled_by_a_callback_belongs_to_the_next_turn(loop):
    seen = []

    def first():
        seen.append("first")
        loop.call_soon(seen.append, "third")

    loop.call_soon(first)
    loop.call_soon(seen.append, "second")
    turns(loop, 3)
    assert seen == ["first", "second", "third"]


def test_stop_lets_the_present_turn_finish_but_not_the_next(loop):
    seen = []

    def first():
        loop.stop()
        loop.call_soon(seen.append, "next turn")

    loop.call_soon(first)
    loop.call_soon(seen.append, "this turn")
    loop.run_forever()
    assert seen == ["this turn"]
    turns(loop)
    assert seen == ["this turn", "next turn"]


def test_a_cancelled_handle_does_not_run(loop):
    seen = []
    handle = loop.call_soon(seen.append, 1)
    loop.call_soon(seen.append, 2)
    assert not handle.cancelled()
    handle.cancel()
    handle.cancel()
    assert handle.cancelled()
    turns(loop)
    assert seen == [2]


def test_a_callback_can_cancel_one_of_the_same_turn(loop):
    seen = []
    loop.call_soon(lambda: handle.cancel())
    handle = loop.call_soon(seen.append, 1)
    turns(loop)
    assert seen == []


def test_cancelling_after_the_run_is_harmless(loop):
    seen = []
    handle = loop.call_soon(seen.append, 1)
    turns(loop)
    handle.cancel()
    turns(loop)
    assert seen == [1]


def test_a_cancelled_handle_lets_go_of_its_arguments(loop):
    class Argument:
        alive = 0

        def __init__(self):
            Argument.alive += 1

        def __del__(self):
            Argument.alive -= 1

    import gc

    handle = loop.call_later(1000, lambda argument: None, Argument())
    assert Argument.alive == 1
    handle.cancel()
    gc.collect()
    gc.collect()
    assert Argument.alive == 0


def test_handles_are_asyncio_handles(loop):
    soon = loop.call_soon(print)
    timer = loop.call_later(10, print)
    if type(loop).__module__.startswith("uvloop"):
        assert hasattr(soon, "cancel") and hasattr(timer, "when")
    else:
        assert isinstance(soon, asyncio.Handle)
        assert isinstance(timer, asyncio.TimerHandle)
    soon.cancel()
    timer.cancel()


def test_the_repr_of_a_handle_names_its_callback_and_its_state(loop):
    def with_a_name():
        pass

    handle = loop.call_soon(with_a_name)
    assert "with_a_name" in repr(handle)
    assert "cancelled" not in repr(handle)
    handle.cancel()
    assert "cancelled" in repr(handle)


def test_a_callback_runs_in_a_copy_of_the_callers_context(loop):
    seen = []

    def look_and_change():
        seen.append(variable.get())
        variable.set("changed by the callback")

    def in_context():
        variable.set("given")
        loop.call_soon(look_and_change)
        variable.set("changed later")

    context = contextvars.copy_context()
    context.run(in_context)
    loop.call_soon(look_and_change)
    turns(loop)
    assert seen == ["given", "unset"]
    assert context[variable] == "changed later"


def test_an_explicit_context_is_used_not_copied(loop):
    context = contextvars.copy_context()
    context.run(variable.set, "mine")
    seen = []

    def look_and_change():
        seen.append(variable.get())
        variable.set("changed")

    loop.call_soon(look_and_change, context=context)
    loop.call_later(0, look_and_change, context=context)
    turns(loop, 5)
    loop.run_until_complete(asyncio.sleep(0.001))
    assert seen == ["mine", "changed"]
    assert context[variable] == "changed"
    assert variable.get() == "unset"


def test_call_soon_threadsafe_and_call_at_take_a_context(loop):
    context = contextvars.copy_context()
    context.run(variable.set, "mine")
    seen = []
    loop.call_soon_threadsafe(lambda: seen.append(variable.get()), context=context)
    loop.call_at(loop.time(), lambda: seen.append(variable.get()), context=context)
    loop.run_until_complete(asyncio.sleep(0.001))
    assert seen == ["mine", "mine"]


def test_a_failing_callback_is_reported_and_the_others_run(loop, reports):
    seen = []

    def fail():
        raise ZeroDivisionError("as planned")

    loop.call_soon(seen.append, 1)
    loop.call_soon(fail)
    loop.call_soon(seen.append, 2)
    turns(loop)
    assert seen == [1, 2]
    report = reports.take()
    assert isinstance(report["exception"], ZeroDivisionError)
    assert report["message"].startswith("Exception in callback ")
    assert "fail" in report["message"]
    assert "handle" in report


def test_many_callbacks_of_many_turns_keep_their_order(loop):
    seen = []

    def again(number, rest):
        seen.append(number)
        if rest:
            loop.call_soon(again, number + 10, rest - 1)

    for number in range(10):
        loop.call_soon(again, number, 9)
    turns(loop, 12)
    assert seen == list(range(100))


def test_a_handle_knows_its_context(loop, loop_kind):
    if not hasattr(asyncio.Handle, "get_context"):
        pytest.skip("Handle.get_context is new in Python 3.12")
    context = contextvars.copy_context()
    handle = loop.call_soon(print, context=context)
    assert handle.get_context() is context
    handle.cancel()


def test_callbacks_queued_outside_a_run_wait_for_it(loop):
    seen = []
    loop.call_soon(seen.append, "queued")
    assert seen == []
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["queued"]
