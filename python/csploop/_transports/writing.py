"""The writing side of a stream transport: bytes wait here for the turn's end, and the core for the kernel."""

from __future__ import annotations

import asyncio
import os
from asyncio import constants
from asyncio.log import logger
from typing import Any

from csploop._ffi import ffi, lib
from csploop._loop.words import OP_SHUTDOWN
from csploop._transports.common import AT_ONCE, bad_descriptor
from csploop._transports.state import StreamState

__all__ = ["Writing"]

# What the core says of a stream that is broken.
BROKEN = (lib.CSPLOOP_EPIPE, lib.CSPLOOP_EBADF)
WRITE_ERROR = "Fatal write error on socket transport"

# How many bytes a protocol that was told to pause may add before the next attempt to send.
PAUSED_ROOM = 64 * 1024


class Writing(StreamState):
    __slots__ = ()

    def write(self, data: Any) -> None:
        if type(data) is not bytes:
            data = _to_bytes(data)
        if self._refuses:
            self._refuse("write()", "write", bool(data))
            return
        size = len(data)
        if not size:
            return
        waiting = self._queued  # 0: nothing is in _out, and the loop does not know of it
        self._queued = queued = waiting + size
        self._out.append(data)
        if not waiting:
            self._loop._dirty.append(self)
        if queued > self._room:
            self._over_room()

    def _settle(self) -> None:
        """Before somebody looks at what was written, or ends it: what TLS holds back comes down now."""
        if self._above is not None:
            self._above._write_now()

    def _gather_no_more(self) -> None:
        super()._gather_no_more()
        if self._above is not None:
            self._above._stream = None  # it encrypts and writes at once, then

    def writelines(self, list_of_data: Any) -> None:
        if self._refuses:
            self._refuse("writelines()", "writelines", bool(list_of_data))
            return
        self.write(b"".join(list_of_data))

    def _refuse(self, call: str, verb: str, some: bool) -> None:
        """The rare answers to a write: exceptions, and silence once the connection is gone."""
        if self._eof:
            raise RuntimeError(f"Cannot call {call} after write_eof()")
        if self._empty_waiter is not None:
            raise RuntimeError(f"unable to {verb}; sendfile is in progress")
        if some and self._conn_lost:
            if self._conn_lost >= constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
                logger.warning("socket.send() raised exception.")
            self._conn_lost += 1

    def _over_room(self) -> None:
        """More waits than the high-water mark allows: send now, then see whether the protocol must pause."""
        loop = self._loop
        if self._queued:
            loop._flush()
        if self._ended:
            return
        unsent = self._unsent()
        if not unsent:
            code = loop._lib.csploop_stream_write(loop._core, self._id, ffi.NULL, 0)
            if code in BROKEN:
                # The ERROR record waits for a turn that a caller who never pauses would not let come.
                self._fatal_error(OSError(-code, os.strerror(-code)), WRITE_ERROR)
                return
        self._on_backlog(unsent)

    def _unsent(self) -> int:
        """What the core has not sent yet, asked for now."""
        code: int = self._loop._lib.csploop_stream_buffered(self._loop._core, self._id)
        return max(code, 0)

    def _look_at_backlog(self) -> None:
        """After bytes went to the core past what write() looks at: sees whether the protocol must pause."""
        if not self._ended:
            unsent = self._unsent()
            if unsent:
                self._on_backlog(unsent)

    def _on_backlog(self, size: int) -> None:
        """The core has `size` bytes that it could not send yet."""
        self._backlog = size
        if size + self._queued > self._high_water:
            if not self._protocol_paused and not self._ended:
                self._maybe_pause_protocol()
        elif self._protocol_paused:
            self._maybe_resume_protocol()
        self._choose_room()
        if self._empty_waiter is not None and not size and not self._queued and not self._empty_waiter.done():
            self._empty_waiter.set_result(None)
        if self._closing and not size and not self._ended and not self._protocol_paused:
            self._finish_close()

    def get_write_buffer_size(self) -> int:
        self._settle()
        if self._backlog and not self._ended and self._sock is not None:
            self._backlog = self._unsent()
        return self._queued + self._backlog

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        super().set_write_buffer_limits(high, low)
        self._choose_room()

    def _choose_room(self) -> None:
        """From how many queued bytes on a write looks at the high-water mark."""
        if self._at_once:
            self._room = AT_ONCE
        else:
            self._room = PAUSED_ROOM if self._protocol_paused else max(self._high_water - self._backlog, 0)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if self._closing or self._eof:
            return
        self._settle()
        self._eof = self._refuses = True
        if not self._queued and not self._has_descriptor():
            raise bad_descriptor()  # as the socket's own shutdown would
        self._loop._ops.append((self._id, OP_SHUTDOWN, 0))

    def _make_empty_waiter(self) -> asyncio.Future[None]:
        """asyncio's sendfile waits for this before it uses the socket."""
        if self._empty_waiter is not None:
            raise RuntimeError("Empty waiter is already set")
        self._settle()
        if self._queued:
            self._loop._flush()
        self._empty_waiter = self._loop.create_future()
        self._refuses = True
        if self._protocol_paused:
            # It may be told to resume, and that not in the context of who waits.
            self._loop.call_soon(self._ask_backlog, context=self._context)
        else:
            self._ask_backlog()
        return self._empty_waiter

    def _ask_backlog(self) -> None:
        if not self._ended:
            self._on_backlog(self._unsent())

    def _reset_empty_waiter(self) -> None:
        self._empty_waiter = None
        self._refuses = self._eof or self._ended


def _to_bytes(data: Any) -> bytes:
    """A copy of what the user may change before it is sent; TypeError for what is no buffer."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
    return bytes(data)
