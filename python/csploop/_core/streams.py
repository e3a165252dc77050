"""A core's watchers of descriptors, its listeners and streams."""

from __future__ import annotations

from typing import Any

from csploop._core.turning import Turning, options_of, token_of
from csploop._ffi import ffi, lib
from csploop._ffi.errors import check
from csploop._loop import words

__all__ = ["Streams"]

OPTIONS = ("flags", "high_water", "backlog")


class Streams(Turning):
    def watch(self, fd: int, events: int, token: int = 0) -> int:
        return self._id(lib.csploop_watch, token, fd, events)

    def watch_modify(self, id: int, events: int) -> None:
        check(lib.csploop_watch_modify(self.handle, id, events))

    def unwatch(self, id: int) -> None:
        check(lib.csploop_unwatch(self.handle, id))

    def tcp_listen(self, host: str, port: int, token: int = 0, **options: int) -> int:
        return self._id(
            lib.csploop_tcp_listen, token, host.encode(), port, options_of("stream", OPTIONS, options)
        )

    def unix_listen(self, path: str | bytes, token: int = 0, **options: int) -> int:
        return self._id(lib.csploop_unix_listen, token, _path(path), options_of("stream", OPTIONS, options))

    def listener_adopt(self, fd: int, token: int = 0, **options: int) -> int:
        return self._id(lib.csploop_listener_adopt, token, fd, options_of("stream", OPTIONS, options))

    def listener_pause(self, id: int) -> None:
        check(lib.csploop_listener_pause(self.handle, id))

    def listener_resume(self, id: int) -> None:
        check(lib.csploop_listener_resume(self.handle, id))

    def tcp_connect(self, host: str, port: int, token: int = 0, **options: int) -> int:
        return self._id(
            lib.csploop_tcp_connect, token, host.encode(), port, options_of("stream", OPTIONS, options)
        )

    def unix_connect(self, path: str | bytes, token: int = 0, **options: int) -> int:
        return self._id(lib.csploop_unix_connect, token, _path(path), options_of("stream", OPTIONS, options))

    def stream_adopt(self, fd: int, token: int = 0, **options: int) -> int:
        return self._id(lib.csploop_stream_adopt, token, fd, options_of("stream", OPTIONS, options))

    def set_token(self, id: int, token: int) -> None:
        """The token of a stream's records from now on; accepted ones begin with their listener's."""
        check(lib.csploop_stream_set_handler(self.handle, id, ffi.NULL, token_of(token)))

    def read_start(self, id: int, mode: int = words.READ_SLAB) -> None:
        check(lib.csploop_stream_read_start(self.handle, id, mode))

    def read_stop(self, id: int) -> None:
        check(lib.csploop_stream_read_stop(self.handle, id))

    def read_into(self, id: int, buffer: Any) -> int:
        """Reads at once into a writable buffer; BlockingIOError when nothing waits."""
        with ffi.from_buffer(buffer, require_writable=True) as memory:
            return check(lib.csploop_stream_read_into(self.handle, id, memory, len(memory)))

    def write(self, id: int, data: Any) -> None:
        with ffi.from_buffer(data) as memory:
            check(lib.csploop_stream_write(self.handle, id, memory, len(memory)))

    def flush(self, id: int) -> int:
        """Sends now; returns the bytes still unsent."""
        return check(lib.csploop_stream_flush(self.handle, id))

    def buffered(self, id: int) -> int:
        return check(lib.csploop_stream_buffered(self.handle, id))

    def shutdown(self, id: int) -> None:
        check(lib.csploop_stream_shutdown(self.handle, id))

    def stream_close(self, id: int, flags: int = words.CLOSE_DRAIN) -> None:
        check(lib.csploop_stream_close(self.handle, id, flags))

    def stream_fd(self, id: int) -> int:
        return check(lib.csploop_stream_fd(self.handle, id))

    def local_address(self, id: int) -> str:
        return self._address(lib.csploop_stream_local_address, id)

    def peer_address(self, id: int) -> str:
        return self._address(lib.csploop_stream_peer_address, id)


def _path(path: str | bytes) -> bytes:
    return path.encode("utf-8", "surrogateescape") if isinstance(path, str) else path
