"""create_unix_connection and create_unix_server, which asyncio's base class leaves to the loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from asyncio.log import logger
from contextvars import Context
from typing import Any, Callable, Union

from csploop._compat import SSL_HAS_SHUTDOWN_TIMEOUT, UNIX_SERVER_CLEANS_UP, make_server
from csploop._loop.state import LoopState
from csploop._loop.tls import shutdown_timeout

__all__ = ["ConnectingMixin"]

Factory = Callable[[], asyncio.BaseProtocol]
Path = Union[str, bytes, "os.PathLike[Any]", None]


def _is_named(path: Any) -> bool:
    """Whether a Unix address is a file; abstract and unnamed ones are not."""
    return bool(path) and path[0] not in (0, "\x00")


def _check_address(path: Path, sock: socket.socket | None, neither: str) -> None:
    """Exactly one of the two, in asyncio's words."""
    if path is not None:
        if sock is not None:
            raise ValueError("path and sock can not be specified at the same time")
    elif sock is None:
        raise ValueError(neither)
    elif sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A UNIX Domain Stream Socket was expected, got {sock!r}")


def _check_timeouts(ssl: Any, handshake: float | None, shutdown: float | None) -> None:
    if ssl:
        return
    if handshake is not None:
        raise ValueError("ssl_handshake_timeout is only meaningful with ssl")
    if shutdown is not None:
        raise ValueError("ssl_shutdown_timeout is only meaningful with ssl")


class ConnectingMixin(LoopState):
    async def create_unix_connection(  # type: ignore[override]  # what asyncio has depends on its version
        self,
        protocol_factory: Factory,
        path: Path = None,
        *,
        ssl: Any = None,
        sock: socket.socket | None = None,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        assert server_hostname is None or isinstance(server_hostname, str)
        if ssl and server_hostname is None:
            raise ValueError("you have to pass server_hostname when using ssl")
        if not ssl and server_hostname is not None:
            raise ValueError("server_hostname is only meaningful with ssl")
        _check_timeouts(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        _check_address(path, sock, "no path and sock were specified")
        if sock is None:
            sock = await self._connect_unix(path)
        else:
            sock.setblocking(False)
        timeouts: dict[str, Any] = {"ssl_handshake_timeout": ssl_handshake_timeout}
        if SSL_HAS_SHUTDOWN_TIMEOUT:
            timeouts["ssl_shutdown_timeout"] = ssl_shutdown_timeout
        token = shutdown_timeout.set(None if SSL_HAS_SHUTDOWN_TIMEOUT else ssl_shutdown_timeout)
        try:
            transport, protocol = await self._create_connection_transport(
                sock, protocol_factory, ssl, server_hostname, **timeouts
            )
        finally:
            shutdown_timeout.reset(token)
        return transport, protocol

    async def _create_connection_transport(
        self,
        sock: socket.socket,
        protocol_factory: Factory,
        ssl: Any,
        server_hostname: str | None,
        server_side: bool = False,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        context: Context | None = None,
        **newer: Any,
    ) -> tuple[Any, Any]:
        """asyncio's, for all that connects. Without a transport a socket is closed, as there since 3.15."""
        options: dict[str, Any] = {
            "ssl_handshake_timeout": ssl_handshake_timeout,
            "ssl_shutdown_timeout": ssl_shutdown_timeout,
            "context": context,
        }
        options = {name: value for name, value in options.items() if value is not None}
        connect: Callable[..., Any] = getattr(super(), "_create_connection_transport")  # noqa: B009
        try:
            made: tuple[Any, Any] = await connect(
                sock, protocol_factory, ssl, server_hostname, server_side, **options, **newer
            )
        except BaseException:
            if sock.fileno() not in self._streams:
                sock.close()
            raise
        return made

    async def _connect_unix(self, path: Any) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await self.sock_connect(sock, os.fspath(path))
        except BaseException:
            sock.close()
            raise
        return sock

    async def create_unix_server(
        self,
        protocol_factory: Factory,
        path: Path = None,
        *,
        sock: socket.socket | None = None,
        backlog: int = 100,
        ssl: Any = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        start_serving: bool = True,
        cleanup_socket: bool = UNIX_SERVER_CLEANS_UP,
    ) -> Any:
        if isinstance(ssl, bool):
            raise TypeError("ssl argument must be an SSLContext or None")
        _check_timeouts(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        _check_address(path, sock, "path was not specified, and no sock specified")
        if sock is None:
            sock = self._bind_unix(path)
        if cleanup_socket:
            name = sock.getsockname()
            if _is_named(name):
                with contextlib.suppress(FileNotFoundError):  # removed already: nothing to clean up
                    self._unix_paths[sock] = (name, os.lstat(name).st_ino)
        sock.setblocking(False)
        server = make_server(
            self, [sock], protocol_factory, ssl, backlog, ssl_handshake_timeout, ssl_shutdown_timeout
        )
        if start_serving:
            server._start_serving()
            await asyncio.sleep(0)  # as in asyncio, serving has begun when this returns
        return server

    def _bind_unix(self, path: Any) -> socket.socket:
        path = os.fspath(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            try:
                sock.bind(path)
            except OSError as exc:
                # Only now: the usual case has no need to look at the file system.
                if exc.errno != errno.EADDRINUSE or not _is_named(path) or not self._remove_stale(path):
                    raise
                sock.bind(path)
        except OSError as exc:
            sock.close()
            if exc.errno == errno.EADDRINUSE:
                raise OSError(errno.EADDRINUSE, f"Address {path!r} is already in use") from None
            raise
        except BaseException:
            sock.close()
            raise
        return sock

    def _remove_stale(self, path: Any) -> bool:
        """A socket file that an earlier server left makes bind fail. Whether it is gone now."""
        try:
            if not stat.S_ISSOCK(os.stat(path).st_mode):
                return False
            os.remove(path)
        except FileNotFoundError:
            pass
        except OSError as exc:
            logger.error("Unable to check or remove stale UNIX socket %r: %r", path, exc)
            return False
        return True

    def _remove_unix_path(self, sock: socket.socket) -> None:
        """Removes a server's socket file, unless the path is somebody else's by now."""
        path, inode = self._unix_paths.pop(sock, (None, 0))
        if path is None:
            return
        try:
            if os.lstat(path).st_ino == inode:
                os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as exc:
            logger.error("Unable to clean up listening UNIX socket %r: %r", path, exc)
