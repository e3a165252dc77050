"""What a loop costs to make, to close and to keep."""

from __future__ import annotations

import asyncio
import gc
import os
import time

from .registry import LoopFactory, NotApplicable, micro


async def nothing() -> None:
    pass


@micro("life", "make and close a loop", unit="us", count=500)
def loop_create_close(factory: LoopFactory, count: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(count):
        factory().close()
    return (time.perf_counter_ns() - start) / count / 1e3


@micro("life", "make a loop, run a coroutine, close it", unit="us", count=300)
def loop_run_once(factory: LoopFactory, count: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(count):
        loop = factory()
        loop.run_until_complete(nothing())
        loop.close()
    return (time.perf_counter_ns() - start) / count / 1e3


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def kept(factory: LoopFactory, count: int, used: bool) -> float:
    def make() -> asyncio.AbstractEventLoop:
        loop = factory()
        if used:
            loop.run_until_complete(nothing())
        return loop

    for _ in range(3):  # what only the first loops of a process pay
        make().close()
    gc.collect()
    before = resident()
    loops = [make() for _ in range(count)]
    gc.collect()
    held = resident() - before
    for loop in loops:
        loop.close()
    return held / count / 1024


@micro("memory", "resident memory per fresh loop", unit="KiB", count=150, repeats=0)
def memory_fresh(factory: LoopFactory, count: int) -> float:
    return kept(factory, count, False)


@micro("memory", "resident memory per loop that has run", unit="KiB", count=150, repeats=0)
def memory_used(factory: LoopFactory, count: int) -> float:
    return kept(factory, count, True)


@micro("memory", "heap of a fresh core (csploop_heap_bytes)", unit="bytes", count=1, repeats=0)
def memory_core(factory: LoopFactory, count: int) -> float:
    if factory.__module__.split(".")[0] != "csploop":
        raise NotApplicable
    from csploop._ffi import ffi, lib

    loop = ffi.new("csploop_t **")
    code = lib.csploop_new(loop, ffi.NULL)
    if code < 0:
        raise OSError(-code, "csploop_new")
    try:
        return float(lib.csploop_heap_bytes(loop[0]))
    finally:
        lib.csploop_unref(loop[0])
