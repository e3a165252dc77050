"""How a benchmark is written down: a function that is given a loop factory and returns what it measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
Body = Callable[[LoopFactory, int], float]
"""Does `count` operations on a loop of its own; returns the cost of one in the benchmark's unit."""


class NotApplicable(Exception):
    """The benchmark asks for something that this loop does not have and need not have."""


@dataclass(frozen=True)
class Micro:
    name: str
    group: str
    title: str
    unit: str
    count: int
    body: Body
    repeats: int
    """Measured runs in one process, after one that is thrown away; 0: a single run in a fresh process."""

    @property
    def alone(self) -> bool:
        return self.repeats == 0


MICROS: dict[str, Micro] = {}


def micro(
    group: str, title: str, *, unit: str = "ns", count: int, repeats: int = 3
) -> Callable[[Body], Body]:
    def add(body: Body) -> Body:
        name = body.__name__
        MICROS[name] = Micro(name, group, title, unit, count, body, repeats)
        return body

    return add


def timed_main(factory: LoopFactory, count: int, main: Callable[[int], Coroutine[Any, Any, object]]) -> float:
    """ns per operation of a coroutine that does `count` of them; making and closing the loop are not in it.

    It is CPU time: nothing here waits, and other work on the machine disturbs it less than the wall clock.
    """
    loop = factory()
    try:
        asyncio.set_event_loop(loop)
        start = time.process_time_ns()
        loop.run_until_complete(main(count))
        return (time.process_time_ns() - start) / count
    finally:
        asyncio.set_event_loop(None)
        loop.close()
