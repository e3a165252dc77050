"""Ten thousand connects, TLS handshakes and children, and a gigabyte over TLS: nothing may stay behind.

Each kind of work first runs a tenth of its count, so that caches fill and the allocator settles. Then it runs
in full, and file descriptors, threads, child processes, core heap and resident memory are compared. What the
core keeps on purpose, spare blocks for unsent bytes and ids for timers still to come, is made to be at its
most beforehand: whatever the core's heap grows by from then on has been left behind. Too slow for every test
run; `make soak` runs it by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Callable

import csploop
from csploop._ffi import lib
from csploop._loop.timers import LARGEST_ID_BLOCK

# What malloc may have kept in hand after ten thousand rounds.
MEMORY_ALLOWANCE_KIB = 4096
# What a transfer may hold at any moment: both ends' buffers, here in one process.
GIGABYTE_ALLOWANCE_KIB = 32 * 1024
# Lists in the core grow with what comes together in one turn; one id left by each round is far more.
CORE_ALLOWANCE_BYTES = 8192
# The core keeps spare blocks for unsent bytes (src/blocks.hpp): how many, of what size, for how much.
SPARE_BLOCKS = ((64, 16 * 1024, 1), (8, 128 * 1024, 16 * 1024 + 1))
AT_ONCE = 20


def resident_kib() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))


def children() -> int:
    try:
        pid, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return 0
    return 1 + (pid == 0)


class State:
    def __init__(self, loop: csploop.Loop) -> None:
        for _ in range(3):
            gc.collect()
        self.descriptors = descriptors()
        self.threads = threading.active_count()
        self.children = children()
        self.heap = lib.csploop_heap_bytes(loop._core)
        self.resident = resident_kib()


async def many(count: int, once: Callable[[], Awaitable[None]], label: str) -> None:
    done = 0

    async def worker(share: int) -> None:
        nonlocal done
        for _ in range(share):
            await once()
            done += 1
            if sys.stderr.isatty() and done % 100 == 0:
                print(f"\r{label}: {done} of {count} ", end="", file=sys.stderr, flush=True)

    await asyncio.gather(*(worker(count // AT_ONCE) for _ in range(AT_ONCE)))


def certificate(folder: str) -> tuple[str, str]:
    key, cert = f"{folder}/key.pem", f"{folder}/cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=DNS:localhost"],
        check=True,
        capture_output=True,
    )
    return key, cert


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def fill_spare_blocks(loop: csploop.Loop) -> None:
    """As many streams as there can be spare blocks each need one at the same time, and give it back."""
    before = lib.csploop_heap_bytes(loop._core)
    transports = []
    ends = []
    for most, _, unsent in SPARE_BLOCKS:
        for _ in range(most):
            near, far = socket.socketpair()
            near.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    near.send(bytes(65536))
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=near)
            transport.write(bytes(unsent))  # the kernel takes no more
            transports.append(transport)
            ends.append(far)
    for transport in transports:
        transport.abort()
    for _ in range(10):
        await asyncio.sleep(0)
    for far in ends:
        far.close()
    kept = lib.csploop_heap_bytes(loop._core) - before
    expected = sum(most * size for most, size, _ in SPARE_BLOCKS)
    assert kept >= expected, f"{kept} of {expected} bytes of spare blocks are there"


async def fill_spare_ids() -> None:
    """Timers come and go until the loop asks for as many ids at once as it ever will."""
    loop = asyncio.get_running_loop()
    for _ in range(3):
        timers = [loop.call_later(3600, int) for _ in range(LARGEST_ID_BLOCK)]
        await asyncio.sleep(0)  # now the core has them
        for timer in timers:
            timer.cancel()
        await asyncio.sleep(0)


async def connects(count: int, folder: str) -> Callable[[], Awaitable[None]]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def once() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()

    once.server = server  # type: ignore[attr-defined]
    return once


async def handshakes(count: int, folder: str) -> Callable[[], Awaitable[None]]:
    key, cert = certificate(folder)
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(cert, key)
    outside = ssl.create_default_context(cafile=cert)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=inside)
    port = server.sockets[0].getsockname()[1]

    async def once() -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=outside, server_hostname="localhost"
        )
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()

    once.server = server  # type: ignore[attr-defined]
    return once


async def spawns(count: int, folder: str) -> Callable[[], Awaitable[None]]:
    async def once() -> None:
        child = await asyncio.create_subprocess_exec("/bin/echo", "hello", stdout=asyncio.subprocess.PIPE)
        out, _ = await child.communicate()
        assert (out, child.returncode) == (b"hello\n", 0)

    return once


async def gigabyte(folder: str) -> int:
    """A gigabyte over TLS in bounded memory. Returns how many bounds were broken."""
    key, cert = certificate(folder)
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(cert, key)
    outside = ssl.create_default_context(cafile=cert)
    piece = os.urandom(1 << 20)
    received = asyncio.get_running_loop().create_future()

    async def count_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        total = 0
        while data := await reader.read(1 << 20):
            total += len(data)
        received.set_result(total)
        writer.close()

    server = await asyncio.start_server(count_all, "127.0.0.1", 0, ssl=inside)
    address = server.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(*address, ssl=outside, server_hostname="localhost")
    before = most = resident_kib()
    start = time.perf_counter()
    for _ in range(1024):
        writer.write(piece)
        await writer.drain()
        most = max(most, resident_kib())
    writer.close()
    total = await received
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    seconds = time.perf_counter() - start
    broken = (total != 1024 * len(piece)) + (most - before > GIGABYTE_ALLOWANCE_KIB)
    print(
        f"{total} of {1024 * len(piece)} bytes over TLS in {seconds:.1f} s:"
        f" at most {most - before:+d} KiB resident, {'too much' if broken else 'bounded'}",
        flush=True,
    )
    return broken


WORK = {"connects": connects, "TLS handshakes": handshakes, "children": spawns}


async def soak(count: int) -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, csploop.Loop)
    left = 0
    await fill_spare_blocks(loop)
    await fill_spare_ids()
    with tempfile.TemporaryDirectory() as folder:
        for label, make in WORK.items():
            once = await make(count, folder)
            await many(count // 10, once, label)
            await asyncio.sleep(0)
            before = State(loop)
            start = time.perf_counter()
            await many(count, once, label)
            seconds = time.perf_counter() - start
            for _ in range(10):
                await asyncio.sleep(0)
            after = State(loop)
            found = [
                f"{what} {old} -> {new}"
                for what, old, new, allowance in (
                    ("descriptors", before.descriptors, after.descriptors, 0),
                    ("threads", before.threads, after.threads, 0),
                    ("child processes", before.children, after.children, 0),
                    ("core heap", before.heap, after.heap, CORE_ALLOWANCE_BYTES),
                    ("resident KiB", before.resident, after.resident, MEMORY_ALLOWANCE_KIB),
                )
                if new - old > allowance
            ]
            left += len(found)
            print(
                f"\r{count} {label} in {seconds:.1f} s: {', '.join(found) or 'nothing left behind'}"
                f" (resident {after.resident - before.resident:+d} KiB,"
                f" core heap {after.heap - before.heap:+d} B)",
                flush=True,
            )
            server = getattr(once, "server", None)
            if server is not None:
                server.close()
                await server.wait_closed()
        left += await gigabyte(folder)
    return left


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000, help="of each kind of work (10000)")
    return 1 if csploop.run(soak(parser.parse_args().count)) else 0


if __name__ == "__main__":
    sys.exit(main())
