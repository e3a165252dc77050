"""call_soon: one callback a turn, and many callbacks in a turn. CPU time."""

from __future__ import annotations

import time

from .registry import LoopFactory, micro

BURST = 1000


@micro("callbacks", "call_soon, one callback a turn", count=100_000)
def call_soon_chain(factory: LoopFactory, count: int) -> float:
    loop = factory()
    left = count

    def again() -> None:
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(again)
        else:
            loop.stop()

    try:
        loop.call_soon(again)
        start = time.process_time_ns()
        loop.run_forever()
        return (time.process_time_ns() - start) / count
    finally:
        loop.close()


@micro("callbacks", f"call_soon, {BURST} callbacks a turn", count=200_000)
def call_soon_burst(factory: LoopFactory, count: int) -> float:
    loop = factory()
    rounds = count // BURST

    def nothing() -> None:
        pass

    def refill() -> None:
        nonlocal rounds
        for _ in range(BURST):
            loop.call_soon(nothing)
        rounds -= 1
        loop.call_soon(refill if rounds else loop.stop)

    try:
        loop.call_soon(refill)
        start = time.process_time_ns()
        loop.run_forever()
        return (time.process_time_ns() - start) / (count // BURST * BURST)
    finally:
        loop.close()
