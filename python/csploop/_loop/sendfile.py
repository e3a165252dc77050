"""sendfile and sock_sendfile: files to sockets inside the kernel, where it can, else as asyncio does it.

A transport's descriptor belongs to the core, so the kernel's sendfile works on a duplicate, which can be
waited for beside it. While it runs, the transport refuses writes and reads nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any

from csploop._ffi import lib
from csploop._loop.sockets import WOULD_BLOCK, SocketsMixin

if TYPE_CHECKING:
    from csploop._transports.stream import StreamTransport

__all__ = ["SendfileMixin"]

WRITE = lib.CSPLOOP_WATCH_WRITE

# How much one call may send, so that a fast reader does not keep the loop from the others.
MOST_AT_ONCE = 1 << 20


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


class SendfileMixin(SocketsMixin):
    async def _sock_sendfile_native(
        self, sock: socket.socket, file: Any, offset: int, count: int | None
    ) -> int:
        """asyncio's sock_sendfile calls this first."""
        in_fd = _descriptor(file)
        left = count or os.fstat(in_fd).st_size
        out_fd = sock.fileno()
        total = 0

        def attempt() -> int:
            # Counted here, because a cancellation may come between the attempt and its result.
            nonlocal total
            sent = os.sendfile(out_fd, in_fd, offset + total, min(left - total, MOST_AT_ONCE))
            total += sent
            return sent

        try:
            while total < left:
                try:
                    sent = attempt()
                except WOULD_BLOCK:
                    sent = await self._wait(sock, WRITE, attempt)
                else:
                    await asyncio.sleep(0)
                if not sent:
                    break  # the file ended early
        except OSError as exc:
            if total:
                raise
            # Not a file that can be mapped, or not a connection: plain sending will do, or say what is wrong.
            raise asyncio.SendfileNotAvailableError("os.sendfile call failed") from exc
        finally:
            if total:
                os.lseek(in_fd, offset + total, os.SEEK_SET)
        return total

    async def _sendfile_native(
        self, transp: StreamTransport, file: Any, offset: int, count: int | None
    ) -> int:
        """asyncio's sendfile calls this for a StreamTransport."""
        _descriptor(file)
        was_reading = transp.is_reading()
        transp.pause_reading()
        waiter = transp._make_empty_waiter()
        try:
            await waiter
            sock = transp._sock
            if sock is None:
                raise ConnectionError("Connection is closed by peer")
            with sock.dup() as twin:
                transp._abort_sendfile = lambda: _shut_down(twin)
                try:
                    return await self.sock_sendfile(twin, file, offset, count, fallback=False)
                except asyncio.SendfileNotAvailableError as exc:
                    if transp.is_closing():
                        raise ConnectionError("Connection is closed by peer") from exc
                    raise
                finally:
                    transp._abort_sendfile = None
                    self._forget_socket(twin.fileno())
        finally:
            transp._reset_empty_waiter()
            if was_reading:
                transp.resume_reading()


def _shut_down(sock: socket.socket) -> None:
    """Lets a sendfile that is under way find out that its connection is gone."""
    with contextlib.suppress(OSError):  # the peer was faster
        sock.shutdown(socket.SHUT_RDWR)
