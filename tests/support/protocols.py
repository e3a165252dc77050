"""Protocols that write down what happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Recorder(asyncio.Protocol):
    """Keeps every event in order, and lets a test wait for a state of affairs.

    `on` maps an event's name to a function(recorder, *event arguments) that is
    called as part of the event.
    """

    def __init__(self, on: dict[str, Callable[..., Any]] | None = None, keep_open: bool = False) -> None:
        self.loop = asyncio.get_running_loop()
        self.events: list[str] = []
        self.chunks: list[bytes] = []
        self.received = 0
        self.error: BaseException | None = None
        self.transport: Any = None
        self.keep_open = keep_open
        self.on = on or {}
        self.waiters: list[tuple[Callable[[Recorder], bool], asyncio.Future[None]]] = []

    def _happened(self, name: str, *args: Any) -> Any:
        self.events.append(name)
        try:
            if name in self.on:
                return self.on[name](self, *args)
            return None
        finally:
            for test, future in list(self.waiters):
                if not future.done() and test(self):
                    future.set_result(None)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._happened("made")

    def data_received(self, data: bytes) -> None:
        assert data, "data_received without data"
        self.chunks.append(bytes(data))
        self.received += len(data)
        self._happened("data", data)

    def eof_received(self) -> bool | None:
        self._happened("eof")
        return self.keep_open

    def connection_lost(self, exc: BaseException | None) -> None:
        self.error = exc
        self._happened("lost", exc)

    def pause_writing(self) -> None:
        self._happened("pause")

    def resume_writing(self) -> None:
        self._happened("resume")

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def lost(self) -> bool:
        return "lost" in self.events

    async def until(self, test: Callable[[Recorder], bool]) -> None:
        """Waits until test(self) holds; the test's own timeout bounds it."""
        if test(self):
            return
        future: asyncio.Future[None] = self.loop.create_future()
        entry = (test, future)
        self.waiters.append(entry)
        try:
            await future
        finally:
            self.waiters.remove(entry)

    async def until_event(self, name: str) -> None:
        await self.until(lambda self: name in self.events)

    async def until_received(self, count: int) -> None:
        await self.until(lambda self: self.received >= count)

    async def until_lost(self) -> None:
        await self.until_event("lost")


class Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Buffered(asyncio.BufferedProtocol):
    """A BufferedProtocol over one buffer of a given size; keeps what came and the size hints."""

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.data = bytearray()
        self.hints: list[int] = []
        self.updates: list[int] = []
        self.ended = asyncio.get_running_loop().create_future()
        self.target: int | None = None
        self.reached = asyncio.get_running_loop().create_future()
        self.events: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.events.append("made")

    def get_buffer(self, sizehint: int) -> Any:
        self.hints.append(sizehint)
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.updates.append(nbytes)
        self.data += memoryview(self.buffer).cast("B")[:nbytes]
        if self.target is not None and len(self.data) >= self.target and not self.reached.done():
            self.reached.set_result(None)

    async def until_received(self, count: int) -> None:
        self.target = count
        if len(self.data) < count:
            await self.reached

    def eof_received(self) -> None:
        self.events.append("eof")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.events.append("lost")
        if not self.ended.done():
            self.ended.set_result(exc)
