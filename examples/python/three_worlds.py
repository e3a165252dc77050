"""A csp graph, asyncio and Trio in one thread, on one loop, passing values round.

asyncio: readings --> csp: double --> asyncio: through_trio --> Trio: in_trio --> asyncio: tenfold
                                                                                        |
csp: answers, and the end of the run  <-------------------------------------------------+
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator

try:
    import csp
    import trio
except ModuleNotFoundError as error:
    sys.exit(f"three_worlds: {error.name} is not installed: pip install csploop[csp,trio]")

import csploop.csp
from csp import ts
from csploop.trio import aio_as_trio, run_guest

COUNT = 5
threads: set[int] = set()


async def readings() -> AsyncIterator[int]:
    for number in range(COUNT):
        await asyncio.sleep(0.01)
        threads.add(threading.get_ident())
        yield number


async def tenfold(value: int) -> int:
    await asyncio.sleep(0.001)
    threads.add(threading.get_ident())
    return 10 * value


async def in_trio(value: int) -> int:
    """Trio code: two tasks, of which one goes back to asyncio."""
    results: list[int] = []

    async def one() -> None:
        await trio.sleep(0.001)
        results.append(1)

    async def other() -> None:
        results.append(await aio_as_trio(tenfold)(value))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(other)
    threads.add(threading.get_ident())
    return sum(results)


async def through_trio(value: int) -> int:
    return await run_guest(in_trio, value)


@csp.node
def double(number: ts[int]) -> ts[int]:
    if csp.ticked(number):
        threads.add(threading.get_ident())
        csp.output(2 * number)


@csp.node
def stop_after(answer: ts[int], count: int) -> ts[int]:
    with csp.state():
        s_seen = 0
    if csp.ticked(answer):
        s_seen += 1
        csp.output(answer)
        if s_seen == count:
            csp.stop_engine()


@csp.graph
def graph():
    doubled = double(csploop.csp.async_for(readings()))
    answers = csploop.csp.async_node(doubled, through_trio, ordered=True)
    csp.add_graph_output("answers", stop_after(answers, COUNT))


def main() -> None:
    answers = [value for _, value in csploop.csp.run(graph, realtime=True)["answers"]]
    print(f"answers {answers} from {len(threads)} thread{'s' * (len(threads) != 1)}")


if __name__ == "__main__":
    main()
