"""Datagram protocols that write down what happens to them, and their endpoints."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Callable


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: Any = None
        self.events: list[str] = []
        self.received: list[tuple[bytes, Any]] = []
        self.errors: list[Exception] = []
        self.waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.end = self.loop.create_future()

    def _happened(self, name: str) -> None:
        self.events.append(name)
        for test, future in self.waiters:
            if not future.done() and test():
                future.set_result(None)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._happened("made")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        assert type(data) is bytes
        self.received.append((data, addr))
        self._happened("datagram")

    def error_received(self, exc: Exception) -> None:
        self.errors.append(exc)
        self._happened("error")

    def pause_writing(self) -> None:
        self._happened("pause")

    def resume_writing(self) -> None:
        self._happened("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self._happened("lost")
        self.end.set_result(exc)

    async def until(self, test: Callable[[], bool]) -> None:
        """Waits until test() holds; the test's own timeout bounds it."""
        if not test():
            future = self.loop.create_future()
            self.waiters.append((test, future))
            await future

    async def get(self, count: int = 1) -> list[bytes]:
        """The first `count` datagrams."""
        await self.until(lambda: len(self.received) >= count)
        return [data for data, _ in self.received[:count]]

    async def error(self) -> Exception:
        await self.until(lambda: bool(self.errors))
        return self.errors[0]

    async def close(self) -> Exception | None:
        self.transport.close()
        result = await self.end
        assert result is None or isinstance(result, Exception)
        return result

    @property
    def name(self) -> Any:
        return self.transport.get_extra_info("sockname")


async def endpoint(loop: Any, **options: Any) -> Datagrams:
    _, protocol = await loop.create_datagram_endpoint(Datagrams, **options)
    assert isinstance(protocol, Datagrams)
    return protocol


async def bound(loop: Any, host: str = "127.0.0.1") -> Datagrams:
    return await endpoint(loop, local_addr=(host, 0))


async def connected(loop: Any, peer: Datagrams) -> Datagrams:
    return await endpoint(loop, remote_addr=peer.name[:2])


def free_port() -> int:
    """A UDP port on loopback where nobody is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
