"""InPlace: who a transport talks to while a file goes through it piece by piece.

It stands in the place of the transport's protocol, which reads nothing meanwhile, and waits in its stead
until the transport takes more. Owner: the call of sendfile, which puts the protocol back with `restore`.
"""

from __future__ import annotations

import asyncio
from asyncio import transports
from typing import Any

__all__ = ["InPlace"]

_FlowControl: Any = getattr(transports, "_FlowControlMixin")  # noqa: B009


class InPlace(asyncio.Protocol):
    def __init__(self, transport: Any) -> None:
        if not isinstance(transport, _FlowControl):
            raise TypeError("transport should be _FlowControlMixin instance")
        self._transport: Any = transport
        self._protocol: Any = transport.get_protocol()
        self._was_reading: bool = transport.is_reading()
        # What the protocol believes, and what is so.
        self._told_to_pause: bool = transport._protocol_paused
        self._paused = self._told_to_pause
        self._waiter: asyncio.Future[None] | None = None
        transport.pause_reading()
        transport.set_protocol(self)

    def check(self) -> None:
        if self._transport.is_closing():
            raise ConnectionError("Connection closed by peer")

    async def drain(self) -> None:
        """Waits until the transport takes more."""
        self.check()
        if self._paused:
            self._waiter = self._transport._loop.create_future()
            await self._waiter

    def _wake(self, exc: BaseException | None) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if exc is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(exc)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._wake(None)

    def eof_received(self) -> bool | None:
        # Reading is paused; but TLS may find the peer's end when it closes.
        answer: bool | None = self._protocol.eof_received()
        return answer

    def connection_lost(self, exc: BaseException | None) -> None:
        self._wake(exc or ConnectionError("Connection is closed by peer"))
        self._protocol.connection_lost(exc)

    def restore(self) -> None:
        """Puts the protocol back, and tells it what has changed meanwhile."""
        transport = self._transport
        if transport.get_protocol() is not self:
            return  # the connection is lost, or somebody has set another
        protocol = self._protocol
        transport.set_protocol(protocol)
        if self._was_reading:
            transport.resume_reading()
        if self._paused and not self._told_to_pause:
            protocol.pause_writing()
        elif self._told_to_pause and not self._paused:
            protocol.resume_writing()
