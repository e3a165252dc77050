"""sendfile and sock_sendfile: files to sockets inside the kernel, where it can, else by reading and writing.

A transport's descriptor belongs to the core, so the kernel's sendfile works on a duplicate, which can be
waited for beside it. While it runs, the transport refuses writes and reads nothing.

Both ways begin at the offset, whatever the file's position is, and leave the position behind what was sent,
however they end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any

from csploop._ffi import lib
from csploop._loop.sockets import WOULD_BLOCK, SocketsMixin
from csploop._transports.sendfile import InPlace

if TYPE_CHECKING:
    from csploop._transports.stream import StreamTransport

__all__ = ["SendfileMixin"]

WRITE = lib.CSPLOOP_WATCH_WRITE

# How much one call may send, so that a fast reader does not keep the loop from the others.
MOST_AT_ONCE = 1 << 20
# How much is read at once where the kernel cannot send it: for a socket, which takes it all, and for a
# transport, which may have to encrypt it.
SOCKET_PIECE = 256 * 1024
TRANSPORT_PIECE = 16 * 1024


def _descriptor(file: Any) -> int:
    """The descriptor of what the kernel may be able to send, else SendfileNotAvailableError."""
    if not hasattr(os, "sendfile"):
        raise asyncio.SendfileNotAvailableError("os.sendfile() is not available")
    try:
        fd: int = file.fileno()
        os.fstat(fd)
    except (AttributeError, OSError):  # io.UnsupportedOperation is an OSError
        raise asyncio.SendfileNotAvailableError("not a regular file") from None
    return fd


def _go_to(file: Any, offset: int) -> None:
    """Before it is read: what cannot be moved is at its beginning."""
    if offset or (hasattr(file, "seek") and getattr(file, "seekable", _yes)()):
        file.seek(offset)


def _yes() -> bool:
    return True


def _leave_at(file: Any, position: int) -> None:
    """By the file object, which may hold what it has read ahead. It may also be closed meanwhile."""
    seek = getattr(file, "seek", None)
    with contextlib.suppress(OSError, ValueError):
        if seek is not None:
            seek(position)
        else:
            os.lseek(file.fileno(), position, os.SEEK_SET)


class SendfileMixin(SocketsMixin):
    async def _sock_sendfile_native(
        self, sock: socket.socket, file: Any, offset: int, count: int | None
    ) -> int:
        """asyncio's sock_sendfile calls this first."""
        _descriptor(file)
        flush = getattr(file, "flush", None)
        if flush is not None:
            flush()  # of a file that is written to as well: the kernel sends what it has
        total = 0

        def attempt() -> int:
            # Counted here, because a cancellation may come between the attempt and its result. The numbers
            # are asked for each time: once a file or a socket is closed, its number may be a stranger's.
            nonlocal total
            most = MOST_AT_ONCE if count is None else min(count - total, MOST_AT_ONCE)
            sent = os.sendfile(sock.fileno(), file.fileno(), offset + total, most)
            total += sent
            return sent

        try:
            while count is None or total < count:
                try:
                    sent = attempt()
                except WOULD_BLOCK:
                    sent = await self._wait(sock, WRITE, attempt)
                else:
                    await asyncio.sleep(0)
                if not sent:
                    break  # the file's end
        except OSError as exc:
            if total:
                raise
            # Not a file that can be mapped, or not a connection: plain sending will do, or say what is wrong.
            raise asyncio.SendfileNotAvailableError("os.sendfile call failed") from exc
        finally:
            _leave_at(file, offset + total)
        return total

    async def _sock_sendfile_fallback(
        self, sock: socket.socket, file: Any, offset: int, count: int | None
    ) -> int:
        """asyncio's sock_sendfile calls this next."""
        _go_to(file, offset)
        piece = bytearray(SOCKET_PIECE if count is None else min(count, SOCKET_PIECE))
        total = 0
        try:
            while count is None or total < count:
                view = memoryview(piece)[: None if count is None else count - total]
                size = await self.run_in_executor(None, file.readinto, view)
                if not size:
                    break
                await self.sock_sendall(sock, view[:size])
                total += size
        finally:
            _leave_at(file, offset + total)
        return total

    async def _sendfile_native(
        self, transport: StreamTransport, file: Any, offset: int, count: int | None
    ) -> int:
        """asyncio's sendfile calls this for a StreamTransport."""
        _descriptor(file)
        was_reading = transport.is_reading()
        transport.pause_reading()
        waiter = transport._make_empty_waiter()
        try:
            await waiter
            sock = transport._sock
            if sock is None:
                raise ConnectionError("Connection is closed by peer")
            with sock.dup() as twin:
                transport._abort_sendfile = lambda: _shut_down(twin)
                try:
                    return await self.sock_sendfile(twin, file, offset, count, fallback=False)
                except asyncio.SendfileNotAvailableError as exc:
                    if transport.is_closing():
                        raise ConnectionError("Connection is closed by peer") from exc
                    raise
                finally:
                    transport._abort_sendfile = None
                    self._forget_socket(twin.fileno())
        finally:
            transport._reset_empty_waiter()
            if was_reading:
                transport.resume_reading()

    async def _sendfile_fallback(self, transp: Any, file: Any, offset: int, count: int | None) -> int:
        """asyncio's sendfile calls this for TLS, and for files that the kernel cannot send."""
        between = InPlace(transp)
        total = 0
        try:
            await between.drain()
            _go_to(file, offset)
            piece = bytearray(TRANSPORT_PIECE if count is None else min(count, TRANSPORT_PIECE))
            while count is None or total < count:
                view = memoryview(piece)[: None if count is None else count - total]
                size = await self.run_in_executor(None, file.readinto, view)
                if not size:
                    break
                between.check()  # what a closing transport would drop does not count
                transp.write(view[:size])
                total += size
                await between.drain()
        finally:
            between.restore()
            _leave_at(file, offset + total)
        return total


def _shut_down(sock: socket.socket) -> None:
    """Lets a sendfile that is under way find out that its connection is gone."""
    with contextlib.suppress(OSError):  # the peer was faster
        sock.shutdown(socket.SHUT_RDWR)
