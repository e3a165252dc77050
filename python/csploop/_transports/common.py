"""What all transports over a descriptor have in common. Their methods belong on the loop's thread."""

from __future__ import annotations

import asyncio
from asyncio.log import logger
from contextvars import Context
from typing import TYPE_CHECKING, Any

__all__ = ["Abortable", "Common", "wake_waiter"]


class Common:
    __slots__ = ()

    if TYPE_CHECKING:
        _loop: Any
        _protocol: Any
        _closing: bool
        _sock_fd: int
        _context: Context
        _run: Any

    def _first_words(self, closed: bool) -> list[str]:
        """Of repr(), as asyncio's begin."""
        state = ["closed"] if closed else ["closing"] if self._closing else []
        return [type(self).__name__, *state, f"fd={self._sock_fd}"]

    def _leave_context(self) -> None:
        """After the end: what the context's variables hold may well lead back here."""
        self._context = context = Context()  # type: ignore[misc]  # who inherits has room for it
        self._run = context.run

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def is_closing(self) -> bool:
        return self._closing

    def _report(self, exc: BaseException, message: str) -> None:
        self._loop.call_exception_handler(
            {"message": message, "exception": exc, "transport": self, "protocol": self._protocol}
        )


class Abortable(Common):
    """What can be written to. Who inherits it says what `_force_close` does: the end without a delay."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _force_close(self, exc: BaseException | None) -> None: ...

    def abort(self) -> None:
        self._force_close(None)

    def _fatal_error(self, exc: BaseException, message: str = "Fatal error on transport") -> None:
        if isinstance(exc, OSError):
            if self._loop.get_debug():
                logger.debug("%r: %s", self, message, exc_info=exc)
        else:
            self._report(exc, message)
        self._force_close(exc)


def wake_waiter(waiter: asyncio.Future[None]) -> None:
    """What is scheduled behind connection_made, for who waits for the transport."""
    if not waiter.done():
        waiter.set_result(None)
