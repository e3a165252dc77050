"""How the core gets a pipe and lets it go, and what both pipe transports have in common about their end.

Owner: the file object is the user's until the transport is made, then the transport's: it is closed after
connection_lost, when the core has let go of its descriptor. A descriptor that this loop works on already (one
terminal for both directions) is duplicated for the core; the copy is the core's to close. All methods belong
on the loop's thread.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, Callable

from csploop._ffi import ffi, lib
from csploop._ffi.errors import check
from csploop._loop.words import CLOSE_ABORT, OP_CLOSE
from csploop._transports.common import Common

if TYPE_CHECKING:
    from contextvars import Context

    from csploop._loop.state import LoopState

__all__ = ["GONE", "PipeEnd", "adopt_pipe"]

EEXIST = lib.CSPLOOP_EEXIST
# Refusals of a request that crossed with the pipe's end: ERROR tells the protocol.
GONE = (lib.CSPLOOP_EPIPE, lib.CSPLOOP_EBADID, lib.CSPLOOP_ENOTCONN, lib.CSPLOOP_EALREADY)


def _options(flags: int) -> Any:
    options = ffi.new("csploop_stream_options *")
    options.size = ffi.sizeof("csploop_stream_options")
    options.flags = flags
    return options


OURS_OPTIONS = _options(lib.CSPLOOP_ADOPT_KEEP_FD)
COPY_OPTIONS = _options(0)


def adopt_pipe(loop: LoopState, transport: Any, fd: int) -> int:
    """Gives the descriptor to the core; returns the stream's id."""
    loop._forget_socket(fd)
    out = ffi.new("csploop_id *")
    code = loop._lib.csploop_stream_adopt(loop._core, out, fd, OURS_OPTIONS, ffi.NULL, ffi.NULL)
    if code == EEXIST:
        copy = os.dup(fd)
        try:
            check(loop._lib.csploop_stream_adopt(loop._core, out, copy, COPY_OPTIONS, ffi.NULL, ffi.NULL))
        except BaseException:
            os.close(copy)
            raise
    else:
        check(code)
        loop._streams[fd] = transport
    id: int = out[0]
    loop._owners[id] = transport
    return id


class PipeEnd(Common):
    """`_pipe` is the file object, None when it is closed."""

    __slots__ = ()

    if TYPE_CHECKING:
        _pipe: Any
        _id: int
        _context: Context

        def _activity(self) -> list[str]:
            """Words for repr()."""

    def __repr__(self) -> str:
        info = self._first_words(self._pipe is None)
        if self._pipe is None:
            info.append("closed")
        elif self._loop.is_closed():
            info.append("open")
        else:
            info += self._activity()
        return f"<{' '.join(info)}>"

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if self._pipe is not None:
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
            self._pipe.close()

    def _has_descriptor(self) -> bool:
        try:
            number: int = self._pipe.fileno()
        except ValueError:  # it is closed
            return False
        return number == self._sock_fd

    def _lose(self, exc: BaseException | None) -> None:
        """Calls connection_lost in the next turn, when the core has let go of the descriptor."""
        if self._loop.is_closed():
            # Nobody is left to be told; a process transport ends this way when it is collected late.
            pipe, self._pipe = self._pipe, None
            pipe.close()
            return
        self._loop._ops.append((self._id, OP_CLOSE, CLOSE_ABORT))
        self._loop.call_soon(self._call_connection_lost, exc, context=self._context)

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        loop = self._loop
        loop._owners.pop(self._id, None)
        if loop._streams.get(self._sock_fd) is self:
            del loop._streams[self._sock_fd]
        pipe, self._pipe = self._pipe, None
        try:
            self._protocol.connection_lost(exc)
        finally:
            pipe.close()
            self._protocol = None
            self._leave_context()
