"""Reading from pipes, FIFOs, terminals, character devices and sockets. Owner and thread: see pipe_end.py."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from asyncio import transports
from asyncio.log import logger
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Callable

from csploop._ffi.errors import error_from_code
from csploop._loop.words import EOF, ERROR, OP_READ_START, OP_READ_STOP, READ_SLAB, REJECTED
from csploop._transports.common import wake_waiter
from csploop._transports.pipe_end import GONE, PipeEnd, adopt_pipe

if TYPE_CHECKING:
    from csploop._loop.state import LoopState

__all__ = ["ReadPipeTransport"]


class ReadPipeTransport(PipeEnd, transports.ReadTransport):
    """Reads with the loop's slab; the loop calls `_deliver` with the bytes of each record.

    Bytes that come while reading is paused, or behind such bytes, wait in `_held`; None is the end there.
    """

    if TYPE_CHECKING:
        _extra: dict[str, Any]

    def __init__(
        self,
        loop: LoopState,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        self._pipe: Any = None
        self._sock_fd = -1
        super().__init__(extra)
        self._extra["pipe"] = pipe
        fd = pipe.fileno()
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)):
            raise ValueError("Pipe transport is for pipes/sockets only.")
        self._loop: Any = loop
        self._protocol: Any = None
        self._closing = False
        self._paused = False
        self._read_started = False
        self._ended = False  # EOF, or the core was told to close
        self._held: list[bytes | None] = []
        self._context = copy_context() if context is None else context
        self._run = self._context.run
        self._deliver: Callable[[bytes], object] = self._drop
        self.set_protocol(protocol)
        self._id = adopt_pipe(loop, self, fd)
        self._sock_fd = fd
        self._pipe = pipe
        call_soon = loop.call_soon
        call_soon(protocol.connection_made, self, context=self._context)
        call_soon(self._start_reading)
        if waiter is not None:
            call_soon(wake_waiter, waiter)

    def _activity(self) -> list[str]:
        return ["polling" if self._read_started and self.is_reading() else "idle"]

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        self._choose_deliver()

    def is_reading(self) -> bool:
        return not self._closing and not self._paused

    def pause_reading(self) -> None:
        if self._closing or self._paused:
            return
        self._paused = True
        self._choose_deliver()
        if self._read_started and not self._ended:
            self._loop._ops.append((self._id, OP_READ_STOP, 0))
        if self._loop._debug:
            logger.debug("%r pauses reading", self)

    def resume_reading(self) -> None:
        if self._closing or not self._paused:
            return
        self._paused = False
        if self._held:
            self._loop.call_soon(self._deliver_held)
        else:
            self._choose_deliver()
            self._ask_to_read()
        if self._loop._debug:
            logger.debug("%r resumes reading", self)

    def _choose_deliver(self) -> None:
        if self._closing:
            self._deliver = self._drop
        elif self._paused or self._held:
            self._deliver = self._held.append
        else:
            # A protocol without the method fails when there is data, not before.
            self._deliver = getattr(self._protocol, "data_received", self._no_data_received)

    @staticmethod
    def _drop(data: bytes) -> None:
        """What comes after close() is nobody's. Not a method: an ended transport shall not hold itself."""

    def _no_data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def _start_reading(self) -> None:
        """After connection_made, which may have paused or closed."""
        self._read_started = True
        self._ask_to_read()

    def _ask_to_read(self) -> None:
        if self._read_started and not self._ended and self.is_reading():
            self._loop._ops.append((self._id, OP_READ_START, READ_SLAB))

    def _deliver_held(self) -> None:
        """Delivers what came while reading was paused, as long as it stays resumed."""
        while self._held and self.is_reading():
            data = self._held.pop(0)
            if data is None:
                self._on_eof()
                continue
            try:
                self._run(self._protocol.data_received, data)
            except (SystemExit, KeyboardInterrupt):
                self._loop.call_soon(self._deliver_held)
                raise
            except BaseException as exc:
                self._fatal_error(exc, "Fatal error: protocol.data_received() call failed.")
        if self.is_reading():
            self._choose_deliver()
            self._ask_to_read()

    def _on_record(self, kind: int, result: int, offset: int) -> None:
        if kind == EOF:
            self._ended = True
            if self._paused or self._held:
                self._held.append(None)
                self._choose_deliver()
            else:
                self._on_eof()
        elif kind == ERROR or (kind == REJECTED and result not in GONE):
            self._broke(error_from_code(result))

    def _on_eof(self) -> None:
        if self._closing:
            return
        if self._loop._debug:
            logger.info("%r was closed by peer", self)
        self._loop.call_soon(self._protocol.eof_received, context=self._context)
        self._end(None)

    def _broke(self, exc: Exception) -> None:
        if (
            isinstance(exc, OSError) and exc.errno == errno.EIO
        ):  # how a terminal says that its other side is gone
            if self._loop.get_debug():
                logger.debug("%r: Fatal read error on pipe transport", self, exc_info=exc)
        else:
            self._report(exc, "Fatal read error on pipe transport")
        if not self._closing:
            self._end(exc)

    def _fatal_error(self, exc: BaseException, message: str = "Fatal error on pipe transport") -> None:
        """The loop says that the protocol raised. As in asyncio, a pipe goes on after that."""
        self._report(exc, message)

    def close(self) -> None:
        if not self._closing:
            self._end(None)

    def _end(self, exc: BaseException | None) -> None:
        self._closing = self._ended = True
        self._deliver = self._drop
        self._held.clear()
        self._lose(exc)
