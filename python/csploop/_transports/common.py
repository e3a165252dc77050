"""What all transports over a descriptor have in common. Their methods belong on the loop's thread."""

from __future__ import annotations

import asyncio
import errno
import os
from asyncio.log import logger
from contextvars import Context
from threading import get_ident
from typing import TYPE_CHECKING, Any, Callable

__all__ = ["AT_ONCE", "Abortable", "Common", "bad_descriptor", "nowhere", "wake_waiter"]


class Common:
    __slots__ = ()

    if TYPE_CHECKING:
        _loop: Any
        _protocol: Any
        _closing: bool
        _sock_fd: int
        # The socket's own fileno(): another number than _sock_fd once somebody else has closed it.
        _fileno: Callable[[], int]
        # Its `_closed` is false as long as nobody has. The loop looks there before it asks.
        _given: Any
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

    def _has_descriptor(self) -> bool:
        """Whether the descriptor still is the one that this transport was made with."""
        return self._fileno() == self._sock_fd

    def is_closing(self) -> bool:
        return self._closing

    def _report(self, exc: BaseException, message: str) -> None:
        self._loop.call_exception_handler(
            {"message": message, "exception": exc, "transport": self, "protocol": self._protocol}
        )


# The room of a transport each of whose writes is sent at once: none is small enough to wait.
AT_ONCE = -1


class Abortable(Common):
    """What can be written to. Who inherits it says what `_force_close` does: the end without a delay."""

    __slots__ = ()

    # Whether the user has the descriptor, so that nothing may wait that another write there would overtake.
    _at_once = False

    if TYPE_CHECKING:
        _queued: int

        def _choose_room(self) -> None: ...

        def _force_close(self, exc: BaseException | None) -> None: ...

    def _settle(self) -> None:
        """What a layer above holds back comes down now."""

    def _hand_over(self) -> None:
        """Sends what was written. For whoever uses the descriptor beside the transport.

        Only the loop's thread can; what another does there has no order with what is written here.
        """
        loop = self._loop
        if not self._sends() or loop._closed or loop._forked:
            return
        if loop._thread_id is None or loop._thread_id == get_ident():
            self._settle()
            if self._queued:
                loop._flush()

    def _sends(self) -> bool:
        """Whether there is still somewhere to send to."""
        return True

    def _gather_no_more(self) -> None:
        """The descriptor is out: sends what was written, and from now on each write at once."""
        self._hand_over()
        if self._sends() and not self._at_once:
            self._at_once = True  # type: ignore[misc]  # who inherits has room for it
            self._choose_room()

    def abort(self) -> None:
        self._force_close(None)

    def _fatal_error(self, exc: BaseException, message: str = "Fatal error on transport") -> None:
        if isinstance(exc, OSError):
            if self._loop.get_debug():
                logger.debug("%r: %s", self, message, exc_info=exc)
        else:
            self._report(exc, message)
        self._force_close(exc)


def bad_descriptor() -> OSError:
    """What a socket says to whoever uses it when it is closed."""
    return OSError(errno.EBADF, os.strerror(errno.EBADF))


def nowhere() -> int:
    """In place of a socket's fileno() when the transport has let it go."""
    return -1


def wake_waiter(waiter: asyncio.Future[None]) -> None:
    """What is scheduled behind connection_made, for who waits for the transport."""
    if not waiter.done():
        waiter.set_result(None)
