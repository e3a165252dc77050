#!/usr/bin/env python3
"""An echo server with asyncio's streams on a csploop loop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys

import csploop


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def client(port: int, text: bytes) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer == text


async def main(port: int, selftest: bool) -> int:
    server = await asyncio.start_server(echo, "127.0.0.1", port)
    port = server.sockets[0].getsockname()[1]
    print(f"listening on 127.0.0.1:{port}", flush=True)
    async with server:
        if not selftest:
            await server.serve_forever()
        good = await asyncio.gather(*(client(port, b"%d " % n * 10_000) for n in range(5)))
    print(f"{sum(good)} of {len(good)} clients got back what they sent")
    return 0 if all(good) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int, nargs="?", default=0, help="TCP port; 0, the default: any")
    parser.add_argument("--selftest", action="store_true", help="serve five clients of its own, then end")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(csploop.run(main(options.port, options.selftest)))
