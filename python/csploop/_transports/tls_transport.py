"""SSLTransport: what a protocol over TLS gets as its transport. It has no state but whether it is closed."""

from __future__ import annotations

import asyncio
import warnings
from asyncio import constants, sslproto
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from csploop._transports.tls import TLSProtocol

__all__ = ["SSLTransport"]

_mode: Any = getattr(constants, "_SendfileMode")  # noqa: B009
# Libraries tell TLS from plain transports by asyncio's class; nothing of it is used.
_Base: Any = getattr(sslproto, "_SSLProtocolTransport", asyncio.Transport)


class SSLTransport(_Base):  # type: ignore[misc]
    _start_tls_compatible = True
    _sendfile_compatible = _mode.FALLBACK

    def __init__(self, loop: Any, protocol: TLSProtocol) -> None:
        self._loop = loop
        self._ssl_protocol = protocol
        self._closed = False

    def __repr__(self) -> str:
        state = " closing" if self._closed else ""
        return f"<{type(self).__name__}{state} over {self._ssl_protocol._transport!r}>"

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if not getattr(self, "_closed", True):
            self._closed = True
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._ssl_protocol._get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._ssl_protocol._set_app_protocol(protocol)

    def get_protocol(self) -> Any:
        return self._ssl_protocol._protocol

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._ssl_protocol._start_shutdown()

    def abort(self) -> None:
        self._force_close(None)

    def _force_close(self, exc: BaseException | None) -> None:
        self._closed = True
        self._ssl_protocol._abort(exc)

    @property
    def _context(self) -> Any:
        # For TLS inside this: the connection's context is that of the socket.
        return self._ssl_protocol._context

    # Reading

    def is_reading(self) -> bool:
        return not self._closed and not self._ssl_protocol._paused

    def pause_reading(self) -> None:
        self._ssl_protocol._pause_reading()

    def resume_reading(self) -> None:
        self._ssl_protocol._resume_reading()

    def set_read_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """How many bytes are kept while reading is paused."""
        self._ssl_protocol._set_read_buffer_limits(high, low)

    def get_read_buffer_limits(self) -> tuple[int, int]:
        return self._ssl_protocol._read_low, self._ssl_protocol._read_high

    def get_read_buffer_size(self) -> int:
        return self._ssl_protocol._incoming.pending + self._ssl_protocol._ahead_size

    # Writing

    def write(self, data: Any) -> None:
        if type(data) is not bytes:
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise TypeError(f"data: expecting a bytes-like instance, got {type(data).__name__}")
            data = bytes(data)  # the user may change it before it is encrypted
        if data:
            self._ssl_protocol._write(data)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return False

    def write_eof(self) -> None:
        raise NotImplementedError

    @property
    def _protocol_paused(self) -> bool:
        # asyncio's sendfile asks, and so does TLS inside TLS.
        return self._ssl_protocol._app_paused

    def get_write_buffer_size(self) -> int:
        protocol = self._ssl_protocol
        protocol._write_now()
        return protocol._write_buffer_size + protocol._outgoing.pending

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._ssl_protocol._low_water, self._ssl_protocol._high_water

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._ssl_protocol._set_write_buffer_limits(high, low)
