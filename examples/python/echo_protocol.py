#!/usr/bin/env python3
"""An echo server as an asyncio.Protocol: less convenient than streams, and the fastest way."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from typing import cast

import csploop


class Echo(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    # A peer that sends but does not read would fill our memory with its echo: take no more from it meanwhile.
    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


class Client(asyncio.Protocol):
    def __init__(self, text: bytes, answered: asyncio.Future[bytes]) -> None:
        self._text = text
        self._answered = answered
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        transport.write(self._text)
        transport.write_eof()

    def data_received(self, data: bytes) -> None:
        self._received += data

    def connection_lost(self, error: Exception | None) -> None:
        if error is None:
            self._answered.set_result(bytes(self._received))
        else:
            self._answered.set_exception(error)


async def ask(port: int, text: bytes) -> bool:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()
    await loop.create_connection(lambda: Client(text, answered), "127.0.0.1", port)
    return await answered == text


async def main(port: int, selftest: bool) -> int:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
    port = server.sockets[0].getsockname()[1]
    print(f"listening on 127.0.0.1:{port}", flush=True)
    async with server:
        if not selftest:
            await server.serve_forever()
        good = await asyncio.gather(*(ask(port, b"%d " % n * 10_000) for n in range(5)))
    print(f"{sum(good)} of {len(good)} clients got back what they sent")
    return 0 if all(good) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int, nargs="?", default=0, help="TCP port; 0, the default: any")
    parser.add_argument("--selftest", action="store_true", help="serve five clients of its own, then end")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(csploop.run(main(options.port, options.selftest)))
