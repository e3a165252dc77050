"""Async generators: finalized by their loop, shut down on request."""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest


async def counting(log):
    try:
        for number in range(100):
            yield number
    finally:
        await asyncio.sleep(0)
        log.append("closed")


async def test_an_abandoned_generator_is_closed_by_the_loop(loop):
    log = []
    generator = counting(log)
    assert await generator.__anext__() == 0
    del generator
    for _ in range(3):
        gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)
    assert log == ["closed"]


async def test_shutdown_asyncgens_closes_those_that_are_left(loop):
    log = []
    generators = [counting(log) for _ in range(3)]
    for generator in generators:
        await generator.__anext__()
    await loop.shutdown_asyncgens()
    assert log == ["closed"] * 3


async def test_a_generator_that_is_first_used_after_shutdown_is_warned_about(loop):
    await loop.shutdown_asyncgens()
    generator = counting([])
    with pytest.warns(ResourceWarning, match="asynchronous generator"):
        await generator.__anext__()
    await generator.aclose()


async def test_a_failing_close_is_reported(loop, reports):
    async def failing():
        try:
            yield 1
        finally:
            raise LookupError("as planned")

    generator = failing()
    await generator.__anext__()
    await loop.shutdown_asyncgens()
    assert isinstance(reports.take()["exception"], LookupError)
    assert generator is not None


def test_the_hooks_are_restored_after_the_run(loop):
    before = sys.get_asyncgen_hooks()

    async def main():
        return sys.get_asyncgen_hooks()

    inside = loop.run_until_complete(main())
    assert inside.firstiter is not None and inside.finalizer is not None
    assert sys.get_asyncgen_hooks() == before
