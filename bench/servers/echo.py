"""One echo server on one event loop, in a process of its own.

    python echo.py --loop uvloop --kind protocol [--unix PATH] [--warm-malloc]

Prints ``READY <port or path>`` when it listens. It ends by SIGTERM, or by itself after --limit seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import signal
import socket
import sys
from typing import Any, Callable

READ_SIZE = 256 * 1024
"""What a read takes at most in the kinds that choose: asyncio's own reads are of this size too."""


class EchoProtocol(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        check_nodelay(transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


class EchoBufferedProtocol(asyncio.BufferedProtocol):
    transport: asyncio.Transport

    def __init__(self) -> None:
        self.buffer = bytearray(READ_SIZE)
        self.view = memoryview(self.buffer)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        check_nodelay(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.view

    def buffer_updated(self, nbytes: int) -> None:
        # A copy: the buffer is reused while the transport may still hold what was written.
        self.transport.write(bytes(self.view[:nbytes]))

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


async def echo_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    check_nodelay(writer.transport)
    try:
        while True:
            data = await reader.read(READ_SIZE)
            if not data:
                break
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # the load client leaves without a goodbye
    finally:
        writer.close()


def check_nodelay(transport: Any) -> None:
    """Delayed acknowledgements would swamp every other figure, so every contender must run without them."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family == socket.AF_UNIX:
        return
    if not sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY):
        sys.exit("TCP_NODELAY is off on an accepted socket")


def listening_socket(path: str | None) -> socket.socket:
    if path is not None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(path)
    else:
        # asyncio sets TCP_NODELAY only where proto says TCP; on Linux accepted sockets inherit the option as
        # well, which takes care of loops that do neither.
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(("127.0.0.1", 0))
    sock.listen(512)
    sock.setblocking(False)
    return sock


async def start_server(kind: str, sock: socket.socket) -> Any:
    loop = asyncio.get_running_loop()
    local = sock.family == socket.AF_UNIX
    if kind == "streams":
        start = asyncio.start_unix_server if local else asyncio.start_server
        return await start(echo_stream, sock=sock)
    factory: Callable[[], Any] = EchoBufferedProtocol if kind == "buffered" else EchoProtocol
    if local:
        return await loop.create_unix_server(factory, sock=sock)
    return await loop.create_server(factory, sock=sock)


def grow_malloc_threshold() -> None:
    """Frees a block that malloc had mapped: from then on it takes blocks of up to that size from its heap.

    A process that has not done so yet maps and unmaps fresh pages for every read buffer over 128 KiB.
    """
    block = bytearray(8 * 1024 * 1024)
    del block


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module(name).new_event_loop
    return factory


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Echo server for the benchmarks.")
    parser.add_argument(
        "--loop", required=True, help="a module with new_event_loop: asyncio, csploop, uvloop, rloop"
    )
    parser.add_argument("--kind", choices=["protocol", "streams", "buffered"], default="protocol")
    parser.add_argument("--unix", metavar="PATH", help="listen there rather than on TCP")
    parser.add_argument("--warm-malloc", action="store_true", help="free a large block first")
    parser.add_argument(
        "--limit", type=int, default=300, help="seconds after which the server ends by itself"
    )
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    signal.alarm(arguments.limit)
    if arguments.warm_malloc:
        grow_malloc_threshold()
    loop = loop_factory(arguments.loop)()
    asyncio.set_event_loop(loop)
    sock = listening_socket(arguments.unix)
    address = arguments.unix or sock.getsockname()[1]  # asked now: rloop detaches the socket it is given
    server = loop.run_until_complete(start_server(arguments.kind, sock))
    print("READY", address, flush=True)
    try:
        loop.run_forever()
    finally:
        server.close()


if __name__ == "__main__":
    main()
