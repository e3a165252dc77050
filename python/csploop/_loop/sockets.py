"""sock_recv, sock_sendall and their kin: coroutines over the user's own non-blocking sockets.

Each tries the system call first. Only when it would block does the operation wait, on an edge-triggered
registration that is kept for the descriptor, so that a socket in steady use is registered once. The
registration remembers the socket object: a number that came back for another socket is registered anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import weakref
from asyncio import base_events
from collections import deque
from typing import Any, Callable

from csploop._ffi import ffi, lib
from csploop._ffi.errors import check
from csploop._loop.state import LoopState
from csploop._loop.watchers import GONE

__all__ = ["SocketWatch", "SocketsMixin"]

READ = lib.CSPLOOP_WATCH_READ
WRITE = lib.CSPLOOP_WATCH_WRITE
EDGE = lib.CSPLOOP_WATCH_EDGE

# Offered to the kernel at once. PyPy copies what it offers, also what is not taken.
SEND_BYTES = 256 * 1024

WOULD_BLOCK = (BlockingIOError, InterruptedError)

# A waiting operation: its future, and the attempt that raises BlockingIOError or returns the result.
Waiting = "tuple[asyncio.Future[Any], Callable[[], Any]]"


class SocketWatch:
    """The registration of one socket and the operations that wait on it, in order for each direction."""

    __slots__ = ("fd", "id", "loop", "readers", "sock", "writers")

    def __init__(self, loop: LoopState, sock: socket.socket, fd: int) -> None:
        self.loop = loop
        self.fd = fd
        self.id = 0
        self.sock = weakref.ref(sock)
        self.readers: deque[Any] = deque()
        self.writers: deque[Any] = deque()

    def _on_record(self, kind: int, events: int, offset: int) -> None:
        try:
            if events & READ or events < 0:
                self.attempt(self.readers)
            if events & WRITE or events < 0:
                self.attempt(self.writers)
            self.rearm()
        except (SystemExit, KeyboardInterrupt):
            self.loop.call_soon(self._on_record, kind, events, offset)  # an edge does not come again
            raise

    def rearm(self) -> None:
        """Asks for the next edge, where the poller wants to be asked."""
        loop = self.loop
        if loop._edges_stay or loop._socket_watches.get(self.fd) is not self:
            return
        self._drop_done()
        events = (READ if self.readers else 0) | (WRITE if self.writers else 0)
        code = loop._lib.csploop_watch_modify(loop._core, self.id, events | EDGE)
        if code in GONE:
            self.give_up()
        else:
            check(code)

    def give_up(self) -> None:
        """The socket was closed, so nothing will come of waiting. The attempts say what it says: EBADF."""
        self.attempt(self.readers)
        self.attempt(self.writers)

    def _drop_done(self) -> None:
        for waiting in (self.readers, self.writers):
            while waiting and waiting[0][0].done():
                waiting.popleft()

    @staticmethod
    def attempt(waiting: deque[Any]) -> None:
        while waiting:
            future, attempt = waiting[0]
            if future.done():  # cancelled
                waiting.popleft()
                continue
            try:
                result = attempt()
            except WOULD_BLOCK:
                return
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exc:
                waiting.popleft()
                future.set_exception(exc)
            else:
                waiting.popleft()
                future.set_result(result)
            finally:
                # The exception's traceback leads to this frame, which must not lead back to the exception.
                future = attempt = None


class SocketsMixin(LoopState):
    # The names of arguments are those of asyncio's selector loop; the abstract class has another here.
    async def sock_recv(self, sock: socket.socket, n: int) -> bytes:
        self._check_socket(sock)
        try:
            return sock.recv(n)
        except WOULD_BLOCK:
            result: bytes = await self._wait(sock, READ, lambda: sock.recv(n))
            return result

    async def sock_recv_into(self, sock: socket.socket, buf: Any) -> int:
        self._check_socket(sock)
        try:
            return sock.recv_into(buf)
        except WOULD_BLOCK:
            count: int = await self._wait(sock, READ, lambda: sock.recv_into(buf))
            return count

    async def sock_recvfrom(self, sock: socket.socket, bufsize: int) -> Any:
        self._check_socket(sock)
        try:
            return sock.recvfrom(bufsize)
        except WOULD_BLOCK:
            return await self._wait(sock, READ, lambda: sock.recvfrom(bufsize))

    async def sock_recvfrom_into(self, sock: socket.socket, buf: Any, nbytes: int = 0) -> Any:
        self._check_socket(sock)
        if not nbytes:
            nbytes = len(buf)
        try:
            return sock.recvfrom_into(buf, nbytes)
        except WOULD_BLOCK:
            return await self._wait(sock, READ, lambda: sock.recvfrom_into(buf, nbytes))

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        self._check_socket(sock)
        try:
            sent = sock.send(data)
        except WOULD_BLOCK:
            sent = 0
        if sent == len(data):
            return
        rest = memoryview(data).cast("B")[sent:]

        def attempt() -> None:
            nonlocal rest
            while rest:
                rest = rest[sock.send(rest[:SEND_BYTES]) :]

        await self._wait(sock, WRITE, attempt)

    async def sock_sendto(self, sock: socket.socket, data: Any, address: Any) -> int:
        self._check_socket(sock)
        try:
            return sock.sendto(data, address)
        except WOULD_BLOCK:
            count: int = await self._wait(sock, WRITE, lambda: sock.sendto(data, address))
            return count

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self._check_socket(sock)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            resolve: Callable[..., Any] = getattr(self, "_ensure_resolved")  # noqa: B009
            infos = await resolve(address, family=sock.family, type=sock.type, proto=sock.proto, loop=self)
            address = infos[0][4]
        try:
            sock.connect(address)
        except WOULD_BLOCK as exc:
            if exc.errno == errno.EAGAIN:
                raise  # a Unix listener's queue is full; nothing is under way that could end
        else:
            return

        def attempt() -> None:
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, f"Connect call failed {address}")
            try:
                sock.getpeername()
            except OSError:
                # No error and no peer: the edge was an earlier one, the connect is still under way.
                raise BlockingIOError from None

        await self._wait(sock, WRITE, attempt)

    async def sock_accept(self, sock: socket.socket) -> tuple[socket.socket, Any]:
        self._check_socket(sock)

        def attempt() -> tuple[socket.socket, Any]:
            connection, address = sock.accept()
            connection.setblocking(False)
            return connection, address

        try:
            return attempt()
        except WOULD_BLOCK:
            result: tuple[socket.socket, Any] = await self._wait(sock, READ, attempt)
            return result

    def _check_socket(self, sock: socket.socket) -> None:
        refuse_ssl: Callable[[Any], None] = getattr(base_events, "_check_ssl_socket")  # noqa: B009
        refuse_ssl(sock)
        if self._debug and sock.gettimeout() != 0:
            raise ValueError("the socket must be non-blocking")

    async def _wait(self, sock: socket.socket, event: int, attempt: Callable[[], Any]) -> Any:
        fd = sock.fileno()
        self._ensure_fd_no_transport(fd)
        future = self.create_future()
        waiting: deque[Any] = deque()
        if fd in self._watchers:
            self._wait_beside_watcher(fd, event, future, attempt)
        else:
            watch = self._socket_watches.get(fd)
            if watch is None or watch.sock() is not sock:
                watch = self._watch_socket(sock, fd)
            waiting = watch.readers if event == READ else watch.writers
            waiting.append((future, attempt))
            watch.rearm()
        try:
            return await future
        except asyncio.CancelledError:
            # Not left for the next event: on a silent socket it may never come.
            with contextlib.suppress(ValueError):
                waiting.remove((future, attempt))
            raise
        finally:
            del future  # an exception would keep itself alive through this frame

    def _wait_beside_watcher(
        self, fd: int, event: int, future: asyncio.Future[Any], attempt: Callable[[], Any]
    ) -> None:
        """Waits where add_reader or add_writer has the descriptor already: as one more such callback."""

        def ready() -> None:
            SocketWatch.attempt(waiting)

        def done(future: asyncio.Future[Any]) -> None:
            if not handle.cancelled():
                (self._remove_reader if event == READ else self._remove_writer)(fd)

        waiting = deque([(future, attempt)])
        handle = (self._add_reader if event == READ else self._add_writer)(fd, ready)
        future.add_done_callback(done)

    def _watch_socket(self, sock: socket.socket, fd: int) -> SocketWatch:
        self._check_closed()
        before = self._socket_watches.get(fd)
        self._forget_socket(fd)
        watch = SocketWatch(self, sock, fd)
        if before is not None:
            other = before.sock()
            if other is not None and other.fileno() == fd:
                # Two socket objects with one descriptor: what waits for the other goes on waiting here.
                watch.readers = before.readers
                watch.writers = before.writers
        out = ffi.new("csploop_id *")
        check(self._lib.csploop_watch(self._core, out, fd, READ | WRITE | EDGE, ffi.NULL, ffi.NULL))
        watch.id = out[0]
        self._socket_watches[fd] = watch
        self._owners[watch.id] = watch
        return watch

    def _forget_socket(self, fd: int) -> None:
        """Gives the descriptor up, for whoever registers it next."""
        watch = self._socket_watches.get(fd)
        if watch is None:
            return
        code = self._lib.csploop_unwatch(self._core, watch.id)
        if code not in GONE:
            check(code)
        self._socket_watches.pop(fd, None)
        self._owners.pop(watch.id, None)
        sock = watch.sock()
        if sock is not None and sock.fileno() != fd:
            watch.give_up()

    def _share_socket(self, fd: int) -> None:
        """A watcher took the descriptor over from sock_*: what waited there goes on waiting beside it."""
        watch = self._socket_watches.get(fd)
        if watch is None:
            return
        self._forget_socket(fd)
        for event, waiting in ((READ, watch.readers), (WRITE, watch.writers)):
            for future, attempt in waiting:
                if not future.done():
                    self.call_soon(self._rejoin, fd, event, future, attempt)

    def _rejoin(self, fd: int, event: int, future: asyncio.Future[Any], attempt: Callable[[], Any]) -> None:
        watcher = self._watchers.get(fd)
        if watcher is not None and (watcher.reader if event == READ else watcher.writer) is not None:
            return  # as in asyncio, the newer callback for this direction replaces the operation
        if not future.done():
            self._wait_beside_watcher(fd, event, future, attempt)
