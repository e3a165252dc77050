"""WritePipeTransport: writing to pipes, FIFOs, terminals, character devices and sockets.

Bytes go the way of a socket's. The core also watches for the reader's end, so that it is noticed while
nothing is written; data that arrives there counts as that end, as in asyncio. The core hears of a close only
when all is sent: until then an error would still have to be told.

    open --close()--> closing, unsent bytes go out --> connection_lost(None)
    open --abort(), the reader is gone, an error--> unsent bytes are dropped --> connection_lost(error)
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import sys
from asyncio import base_subprocess, constants
from asyncio.log import logger
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from csploop._compat import NEVER_LOOK
from csploop._ffi import ffi
from csploop._ffi.errors import error_from_code
from csploop._loop.words import (
    BACKLOG,
    EOF,
    ERROR,
    OP_READ_START,
    READ_READY,
    READABLE,
    REJECTED,
)
from csploop._transports.common import wake_waiter
from csploop._transports.pipe_end import GONE, PipeEnd, adopt_pipe
from csploop._transports.writing import BROKEN, Writing

if TYPE_CHECKING:
    from csploop._loop.state import LoopState

__all__ = ["WritePipeTransport"]


class WritePipeTransport(PipeEnd, Writing):
    __slots__ = ()

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
        self._sock = None
        self._sock_fd = -1
        self._room = 0
        # A pipe is the user's own file, who may write to it beside the transport; but not a child's input,
        # until somebody asks for it.
        self._at_once = not isinstance(protocol, base_subprocess.WriteSubprocessPipeProto)
        super().__init__(extra, loop)
        self._extra["pipe"] = pipe
        fd = pipe.fileno()
        mode = os.fstat(fd).st_mode
        is_fifo, is_socket = stat.S_ISFIFO(mode), stat.S_ISSOCK(mode)
        if not (is_fifo or is_socket or stat.S_ISCHR(mode)):
            raise ValueError("Pipe transport is only for pipes, sockets and character devices")
        self._context = copy_context() if context is None else context
        self._protocol = protocol
        self._above = None
        self._out = []
        self._queued = 0
        self._backlog = 0
        self._choose_room()
        self._closing = False
        self._ended = False  # the core was told to close
        self._refuses = False
        self._eof = False
        self._conn_lost = 0
        self._empty_waiter = None
        self._id = adopt_pipe(loop, self, fd)
        self._sock_fd = fd
        # The core sees to it: a file object's own fileno() is anybody's code.
        self._given = NEVER_LOOK
        self._pipe = pipe
        call_soon = loop.call_soon
        call_soon(protocol.connection_made, self, context=self._context)
        # A terminal has input of its own; there the end shows when something is written.
        if is_socket or (is_fifo and not sys.platform.startswith("aix")):
            call_soon(self._watch_reader)
        if waiter is not None:
            call_soon(wake_waiter, waiter)

    def _activity(self) -> list[str]:
        return ["polling" if self._backlog else "idle", f"bufsize={self._queued + self._backlog}"]

    def _sends(self) -> bool:
        return self._pipe is not None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "pipe":
            self._gather_no_more()
        return super().get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def write(self, data: Any) -> None:
        assert isinstance(data, (bytes, bytearray, memoryview)), repr(data)
        super().write(data)

    def _refuse(self, call: str, verb: str, some: bool) -> None:
        if not some:
            return
        if self._conn_lost >= constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
            logger.warning("pipe closed by peer or os.write(pipe, data) raised exception.")
        self._conn_lost += 1

    def get_write_buffer_size(self) -> int:
        if self._backlog and not self._ended:
            self._backlog = self._unsent()
        return self._queued + self._backlog

    def write_eof(self) -> None:
        self.close()

    def close(self) -> None:
        if self._closing:
            return
        self._closing = self._refuses = True
        if self._queued:
            self._loop._flush()
        self._finish_close()

    def _finish_close(self) -> None:
        """Ends when everything is sent; until then BACKLOG or ERROR will tell."""
        if self._queued or self._unsent():
            return
        loop = self._loop
        # Also nothing is unsent when sending failed, and then ERROR is on its way.
        if loop._lib.csploop_stream_write(loop._core, self._id, ffi.NULL, 0) not in BROKEN:
            self._end(None)

    def _force_close(self, exc: BaseException | None) -> None:
        if not self._ended:
            self._end(exc)

    def _watch_reader(self) -> None:
        if not self._ended:
            self._loop._ops.append((self._id, OP_READ_START, READ_READY))

    def _on_record(self, kind: int, result: int, offset: int) -> None:
        if self._ended:
            return
        if kind == BACKLOG:
            self._context.run(self._on_backlog, result)
        elif kind in (READABLE, EOF):
            self._reader_gone()
        elif kind == ERROR or (kind == REJECTED and result not in GONE):
            self._fatal_error(error_from_code(result), "Fatal write error on pipe transport")

    def _reader_gone(self) -> None:
        if self._loop._debug:
            logger.info("%r was closed by peer", self)
        lost = self._queued or self._unsent()
        self._end(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) if lost else None)

    def _end(self, exc: BaseException | None) -> None:
        self._closing = self._ended = self._refuses = True
        self._conn_lost += 1
        self._lose(exc)

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        self._queued = self._backlog = 0
        self._out.clear()
        super()._call_connection_lost(exc)
