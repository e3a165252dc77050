"""start_tls, and ssl_shutdown_timeout where asyncio does not have it yet (before 3.11).

There, asyncio's own methods have no way to hand that timeout on. A context variable carries it to
_make_ssl_transport, which runs in the same task; a server carries its own.
"""

from __future__ import annotations

import asyncio
import inspect
import ssl
from contextvars import ContextVar
from typing import Any, Callable

from csploop._compat import SSL_HAS_SHUTDOWN_TIMEOUT
from csploop._loop.state import LoopState
from csploop._transports.tls import TLSProtocol

__all__ = ["TLSMixin", "shutdown_timeout"]

# What the running create_connection or connect_accepted_socket was given.
shutdown_timeout: ContextVar[float | None] = ContextVar("csploop_ssl_shutdown_timeout", default=None)


class StartTLS(LoopState):
    def _limit_handshake(self, seconds: float, give_up: Callable[[], None]) -> asyncio.TimerHandle | None:
        """The timer of a TLS handshake that begins, if it has one on this loop."""
        return self.call_later(seconds, give_up)

    async def start_tls(
        self,
        transport: Any,
        protocol: Any,
        sslcontext: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> Any:
        if not isinstance(sslcontext, ssl.SSLContext):
            raise TypeError(f"sslcontext is expected to be an instance of ssl.SSLContext, got {sslcontext!r}")
        if not getattr(transport, "_start_tls_compatible", False):
            raise TypeError(f"transport {transport!r} is not supported by start_tls()")
        waiter = self.create_future()
        tls = TLSProtocol(
            self,
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            ssl_handshake_timeout,
            ssl_shutdown_timeout,
            upgrade=True,
        )
        new_transport = tls._app_transport
        assert new_transport is not None
        # Nothing may reach the new protocol before connection_made does.
        transport.pause_reading()
        _take_over(protocol, tls)
        tls._take_pause_over(transport, protocol)
        transport.set_protocol(tls)
        made = self.call_soon(tls.connection_made, transport)
        resumed = self.call_soon(transport.resume_reading)
        try:
            await waiter
        except BaseException:
            transport.close()
            made.cancel()
            resumed.cancel()
            new_transport._closed = True
            del waiter  # it holds the exception, whose traceback holds this frame
            raise
        return new_transport


def _take_over(protocol: Any, tls: TLSProtocol) -> None:
    """The peer's first TLS bytes may have come with its last plain ones, and wait in a StreamReader."""
    buffer = getattr(getattr(protocol, "_stream_reader", None), "_buffer", None)
    if isinstance(buffer, bytearray) and buffer:
        tls._incoming.write(buffer)
        buffer.clear()


if SSL_HAS_SHUTDOWN_TIMEOUT:
    TLSMixin = StartTLS
else:

    async def _connect(call: Any, args: Any, timeout: float | None, keywords: dict[str, Any]) -> Any:
        if timeout is not None and not keywords.get("ssl"):
            raise ValueError("ssl_shutdown_timeout is only meaningful with ssl")
        token = shutdown_timeout.set(timeout)
        try:
            return await call(*args, **keywords)
        finally:
            shutdown_timeout.reset(token)

    class TLSMixin(StartTLS):  # type: ignore[no-redef]  # one of the two
        async def create_connection(
            self, *args: Any, ssl_shutdown_timeout: Any = None, **keywords: Any
        ) -> Any:
            return await _connect(super().create_connection, args, ssl_shutdown_timeout, keywords)

        async def connect_accepted_socket(
            self, *args: Any, ssl_shutdown_timeout: Any = None, **keywords: Any
        ) -> Any:
            return await _connect(super().connect_accepted_socket, args, ssl_shutdown_timeout, keywords)

        async def create_server(
            self, *args: Any, ssl_shutdown_timeout: Any = None, start_serving: bool = True, **keywords: Any
        ) -> Any:
            if ssl_shutdown_timeout is not None and keywords.get("ssl") is None:
                raise ValueError("ssl_shutdown_timeout is only meaningful with ssl")
            server: Any = await super().create_server(*args, start_serving=False, **keywords)
            server._ssl_shutdown_timeout = ssl_shutdown_timeout
            if start_serving:
                server._start_serving()
                await asyncio.sleep(0)  # as in asyncio, serving has begun when this returns
            return server

    for method in (TLSMixin.create_connection, TLSMixin.connect_accepted_socket, TLSMixin.create_server):
        # asyncio's own with one option more, for those who ask.
        theirs = inspect.signature(getattr(asyncio.BaseEventLoop, method.__name__))
        option = inspect.Parameter("ssl_shutdown_timeout", inspect.Parameter.KEYWORD_ONLY, default=None)
        signature = theirs.replace(parameters=[*theirs.parameters.values(), option])
        setattr(method, "__signature__", signature)  # noqa: B010
