"""The exception handler: who is called, with what, and what if it fails itself."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest


def fail():
    raise LookupError("as planned")


def run_a_failure(loop):
    loop.call_soon(fail)
    loop.run_until_complete(asyncio.sleep(0))


def test_the_context_of_a_failed_callback(loop):
    seen = []
    loop.set_exception_handler(lambda *args: seen.append(args))
    handle = loop.call_soon(fail)
    loop.run_until_complete(asyncio.sleep(0))
    ((given, context),) = seen
    assert given is loop
    assert set(context) >= {"message", "exception", "handle"}
    assert context["handle"] is handle
    assert isinstance(context["exception"], LookupError)


def test_messages_are_those_of_asyncio(loop):
    def message(loop):
        seen = []
        loop.set_exception_handler(lambda loop, context: seen.append(context))
        run_a_failure(loop)
        return seen[0]["message"].split(" at ")[0], set(seen[0])

    reference = asyncio.SelectorEventLoop()
    try:
        assert message(loop) == message(reference)
    finally:
        reference.close()


def test_the_default_handler_logs_the_error(loop, caplog):
    loop.set_exception_handler(None)
    with caplog.at_level(logging.ERROR, "asyncio"):
        run_a_failure(loop)
    (record,) = caplog.records
    assert "Exception in callback" in record.getMessage()
    assert record.exc_info[0] is LookupError
    record.exc_info = None


def test_a_handler_that_fails_is_logged_and_the_loop_goes_on(loop, caplog):
    def handler(loop, context):
        raise ZeroDivisionError

    loop.set_exception_handler(handler)
    with caplog.at_level(logging.ERROR, "asyncio"):
        run_a_failure(loop)
    assert "exception handler" in caplog.text
    assert loop.run_until_complete(asyncio.sleep(0, 1)) == 1
    caplog.clear()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit], ids=lambda kind: kind.__name__)
def test_a_handler_can_leave_the_run(loop, kind):
    def handler(loop, context):
        raise kind

    loop.set_exception_handler(handler)
    loop.call_soon(fail)
    with pytest.raises(kind):
        loop.run_forever()
    loop.set_exception_handler(None)


def test_set_and_get(loop):
    def handler(loop, context):
        pass

    loop.set_exception_handler(handler)
    assert loop.get_exception_handler() is handler
    loop.set_exception_handler(None)
    assert loop.get_exception_handler() is None
    with pytest.raises(TypeError):
        loop.set_exception_handler(42)


def test_call_exception_handler_passes_its_context_on(loop, reports):
    context = {"message": "hello", "anything": 1}
    loop.call_exception_handler(context)
    assert reports.take() is context


async def test_a_lost_error_of_a_task_is_reported(loop, reports):
    async def main():
        fail()

    task = loop.create_task(main())
    await asyncio.wait([task])
    del task
    for _ in range(3):
        gc.collect()
    report = reports.take()
    assert isinstance(report["exception"], LookupError)
    assert "never retrieved" in report["message"]
