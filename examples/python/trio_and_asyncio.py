#!/usr/bin/env python3
"""Trio and asyncio in one thread, on one loop: a server of asyncio's, clients of Trio's, calls between them.

python trio_and_asyncio.py           # Trio has the thread, asyncio is inside
python trio_and_asyncio.py --guest   # asyncio has it, Trio is the guest
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import csploop
import csploop.trio
import trio
from csploop.trio import aio_as_trio, trio_as_aio

CLIENTS = 5


async def price(item: str) -> int:
    """Trio code that asyncio code calls."""
    await trio.sleep(0.001)
    return len(item) * 10


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """asyncio code: one connection."""
    while line := await reader.readline():
        item = line.decode().strip()
        writer.write(b"%s costs %d\n" % (item.encode(), await trio_as_aio(price)(item)))
        await writer.drain()
    writer.close()


async def ask(port: int, item: str, answers: list[str]) -> None:
    """Trio code: one client."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(f"{item}\n".encode())
        with trio.fail_after(10):
            answers.append((await stream.receive_some()).decode().strip())


async def main() -> list[str]:
    """Trio code."""
    server = await aio_as_trio(asyncio.start_server)(answer, "127.0.0.1", 0)
    answers: list[str] = []
    async with trio.open_nursery() as nursery:
        for number in range(CLIENTS):
            nursery.start_soon(ask, server.sockets[0].getsockname()[1], "x" * number, answers)
    server.close()
    await aio_as_trio(server.wait_closed)()
    return answers


async def program() -> list[str]:
    """asyncio code that calls a Trio library without giving up its loop."""
    return await csploop.trio.run_guest(main)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--guest", action="store_true", help="asyncio has the thread, Trio is its guest")
    answers = csploop.run(program()) if parser.parse_args().guest else csploop.trio.run(main)
    for text in sorted(answers):
        print(text)
    print(f"{len(answers)} of {CLIENTS} clients got an answer")
    sys.exit(len(answers) != CLIENTS)
