# Written by build.py --write from the headers below include/.
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from typing_extensions import Buffer, TypeAlias

# What CFFI hands out. Which pointer goes where is told by the alias's name; CFFI itself checks it at each
# call.
cdata: TypeAlias = Any
ctype: TypeAlias = Any
char_p: TypeAlias = cdata
csploop_batch_p: TypeAlias = cdata
csploop_bridge_counts_p: TypeAlias = cdata
csploop_bridge_options_p: TypeAlias = cdata
csploop_bridge_t_p: TypeAlias = cdata
csploop_bridge_t_pp: TypeAlias = cdata
csploop_fn: TypeAlias = cdata
csploop_id_p: TypeAlias = cdata
csploop_options_p: TypeAlias = cdata
csploop_record_p: TypeAlias = cdata
csploop_stream_options_p: TypeAlias = cdata
csploop_t_p: TypeAlias = cdata
csploop_t_pp: TypeAlias = cdata
csploop_udp_options_p: TypeAlias = cdata
int64_t_p: TypeAlias = cdata
size_t_p: TypeAlias = cdata
uint32_t_p: TypeAlias = cdata
uint64_t_p: TypeAlias = cdata
void_p: TypeAlias = cdata

class Lib:
    CSPLOOP_KIND_NONE: Final[int]
    CSPLOOP_KIND_SOON: Final[int]
    CSPLOOP_KIND_TIMER: Final[int]
    CSPLOOP_KIND_POST: Final[int]
    CSPLOOP_KIND_READ: Final[int]
    CSPLOOP_KIND_READABLE: Final[int]
    CSPLOOP_KIND_EOF: Final[int]
    CSPLOOP_KIND_WRITTEN: Final[int]
    CSPLOOP_KIND_BACKLOG: Final[int]
    CSPLOOP_KIND_SHUTDOWN: Final[int]
    CSPLOOP_KIND_ACCEPT: Final[int]
    CSPLOOP_KIND_CONNECT: Final[int]
    CSPLOOP_KIND_WATCH: Final[int]
    CSPLOOP_KIND_BRIDGE: Final[int]
    CSPLOOP_KIND_ERROR: Final[int]
    CSPLOOP_KIND_CLOSED: Final[int]
    CSPLOOP_KIND_REJECTED: Final[int]
    CSPLOOP_KIND_RECV: Final[int]
    CSPLOOP_KIND_DATAGRAM_ERROR: Final[int]
    CSPLOOP_OP_NONE: Final[int]
    CSPLOOP_OP_TIMER_ADD: Final[int]
    CSPLOOP_OP_TIMER_CANCEL: Final[int]
    CSPLOOP_OP_WRITE: Final[int]
    CSPLOOP_OP_WRITE_REF: Final[int]
    CSPLOOP_OP_READ_START: Final[int]
    CSPLOOP_OP_READ_STOP: Final[int]
    CSPLOOP_OP_SHUTDOWN: Final[int]
    CSPLOOP_OP_CLOSE: Final[int]
    CSPLOOP_OP_WALL_TIMER_ADD: Final[int]
    CSPLOOP_OP_SEND: Final[int]
    CSPLOOP_BRIDGE_BLOCK: Final[int]
    CSPLOOP_BRIDGE_FAIL: Final[int]
    CSPLOOP_BRIDGE_DROP_OLDEST: Final[int]
    CSPLOOP_OK: Final[int]
    CSPLOOP_EINVAL: Final[int]
    CSPLOOP_ENOMEM: Final[int]
    CSPLOOP_EBADF: Final[int]
    CSPLOOP_EPERM: Final[int]
    CSPLOOP_EACCES: Final[int]
    CSPLOOP_EEXIST: Final[int]
    CSPLOOP_ENOENT: Final[int]
    CSPLOOP_EAGAIN: Final[int]
    CSPLOOP_EBUSY: Final[int]
    CSPLOOP_EALREADY: Final[int]
    CSPLOOP_EDEADLK: Final[int]
    CSPLOOP_ECHILD: Final[int]
    CSPLOOP_ECANCELED: Final[int]
    CSPLOOP_EMFILE: Final[int]
    CSPLOOP_ENFILE: Final[int]
    CSPLOOP_ENOBUFS: Final[int]
    CSPLOOP_EMSGSIZE: Final[int]
    CSPLOOP_EPIPE: Final[int]
    CSPLOOP_ECONNRESET: Final[int]
    CSPLOOP_ECONNREFUSED: Final[int]
    CSPLOOP_ECONNABORTED: Final[int]
    CSPLOOP_ENOTCONN: Final[int]
    CSPLOOP_EISCONN: Final[int]
    CSPLOOP_ETIMEDOUT: Final[int]
    CSPLOOP_EADDRINUSE: Final[int]
    CSPLOOP_EADDRNOTAVAIL: Final[int]
    CSPLOOP_EAFNOSUPPORT: Final[int]
    CSPLOOP_ENETUNREACH: Final[int]
    CSPLOOP_EHOSTUNREACH: Final[int]
    CSPLOOP_ENOTSOCK: Final[int]
    CSPLOOP_ENOTSUP: Final[int]
    CSPLOOP_ENOSYS: Final[int]
    CSPLOOP_EBADID: Final[int]
    CSPLOOP_ECLOSED: Final[int]
    CSPLOOP_ETHREAD: Final[int]
    CSPLOOP_EPENDING: Final[int]
    CSPLOOP_EINTERNAL: Final[int]
    CSPLOOP_ERROR_LIST_END: Final[int]
    CSPLOOP_CLOCK_MONOTONIC: Final[int]
    CSPLOOP_CLOCK_WALL: Final[int]
    CSPLOOP_CLOCK_SIMULATED: Final[int]
    CSPLOOP_POLLER_DEFAULT: Final[int]
    CSPLOOP_POLLER_EPOLL: Final[int]
    CSPLOOP_POLLER_UV: Final[int]
    CSPLOOP_RUN_FOREVER: Final[int]
    CSPLOOP_RUN_ONCE: Final[int]
    CSPLOOP_RUN_NOWAIT: Final[int]
    CSPLOOP_STREAM_NODELAY: Final[int]
    CSPLOOP_LISTEN_REUSEPORT: Final[int]
    CSPLOOP_LISTEN_V6ONLY: Final[int]
    CSPLOOP_ADOPT_KEEP_FD: Final[int]
    CSPLOOP_ACCEPT_KEEP_FD: Final[int]
    CSPLOOP_READ_SLAB: Final[int]
    CSPLOOP_READ_READY: Final[int]
    CSPLOOP_CLOSE_DRAIN: Final[int]
    CSPLOOP_CLOSE_ABORT: Final[int]
    CSPLOOP_CLOSE_RESET: Final[int]
    CSPLOOP_UDP_REUSEADDR: Final[int]
    CSPLOOP_UDP_REUSEPORT: Final[int]
    CSPLOOP_UDP_V6ONLY: Final[int]
    CSPLOOP_UDP_BROADCAST: Final[int]
    CSPLOOP_UDP_KEEP_FD: Final[int]
    CSPLOOP_RECV_ADDRESS: Final[int]
    CSPLOOP_RECV_TRUNCATED: Final[int]
    CSPLOOP_WATCH_READ: Final[int]
    CSPLOOP_WATCH_WRITE: Final[int]
    CSPLOOP_WATCH_EDGE: Final[int]
    CSPLOOP_VERSION_MAJOR: Final[int]
    CSPLOOP_VERSION_MINOR: Final[int]
    CSPLOOP_VERSION_PATCH: Final[int]
    def csploop_bridge_new(
        self,
        loop: csploop_t_p,
        out: csploop_bridge_t_pp,
        options: csploop_bridge_options_p,
        fn: csploop_fn,
        arg: void_p,
        /,
    ) -> int: ...
    def csploop_bridge_push(self, bridge: csploop_bridge_t_p, data: void_p, length: int, /) -> int: ...
    def csploop_bridge_push_many(
        self, bridge: csploop_bridge_t_p, out_records: uint32_t_p, records: void_p, count: int, /
    ) -> int: ...
    def csploop_bridge_drain(
        self,
        bridge: csploop_bridge_t_p,
        out_items: uint32_t_p,
        out_bytes: size_t_p,
        buffer: void_p,
        buffer_bytes: int,
        /,
    ) -> int: ...
    def csploop_bridge_close(self, bridge: csploop_bridge_t_p, /) -> int: ...
    def csploop_bridge_stats(self, bridge: csploop_bridge_t_p, out: csploop_bridge_counts_p, /) -> int: ...
    def csploop_bridge_id(self, bridge: csploop_bridge_t_p, /) -> int: ...
    def csploop_bridge_ref(self, bridge: csploop_bridge_t_p, /) -> csploop_bridge_t_p: ...
    def csploop_bridge_unref(self, bridge: csploop_bridge_t_p, /) -> csploop_bridge_t_p: ...
    def csploop_strerror(self, code: int, /) -> char_p: ...
    def csploop_error_name(self, code: int, /) -> char_p: ...
    def csploop_new(self, out: csploop_t_pp, options: csploop_options_p, /) -> int: ...
    def csploop_close(self, loop: csploop_t_p, /) -> int: ...
    def csploop_ref(self, loop: csploop_t_p, /) -> csploop_t_p: ...
    def csploop_unref(self, loop: csploop_t_p, /) -> csploop_t_p: ...
    def csploop_attach(self, loop: csploop_t_p, /) -> int: ...
    def csploop_detach(self, loop: csploop_t_p, /) -> int: ...
    def csploop_run(self, loop: csploop_t_p, mode: int, /) -> int: ...
    def csploop_turn(self, loop: csploop_t_p, batch: csploop_batch_p, timeout_ns: int, /) -> int: ...
    def csploop_submit(self, loop: csploop_t_p, batch: csploop_batch_p, /) -> int: ...
    def csploop_ids_reserve(self, loop: csploop_t_p, out: csploop_id_p, n: int, /) -> int: ...
    def csploop_stop(self, loop: csploop_t_p, /) -> int: ...
    def csploop_wake(self, loop: csploop_t_p, /) -> int: ...
    def csploop_backend_fd(self, loop: csploop_t_p, /) -> int: ...
    def csploop_next_deadline(self, loop: csploop_t_p, out: int64_t_p, /) -> int: ...
    def csploop_poller_kind(self, loop: csploop_t_p, /) -> int: ...
    def csploop_heap_bytes(self, loop: csploop_t_p, /) -> int: ...
    def csploop_tcp_listen(
        self,
        loop: csploop_t_p,
        out: csploop_id_p,
        host: char_p,
        port: int,
        options: csploop_stream_options_p,
        fn: csploop_fn,
        arg: void_p,
        /,
    ) -> int: ...
    def csploop_unix_listen(
        self,
        loop: csploop_t_p,
        out: csploop_id_p,
        path: char_p,
        options: csploop_stream_options_p,
        fn: csploop_fn,
        arg: void_p,
        /,
    ) -> int: ...
    def csploop_listener_adopt(
        self,
        loop: csploop_t_p,
        out: csploop_id_p,
        fd: int,
        options: csploop_stream_options_p,
        fn: csploop_fn,
        arg: void_p,
        /,
    ) -> int: ...
    def csploop_listener_pause(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_listener_resume(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_tcp_connect(
        self,
        loop: csploop_t_p,
        out: csploop_id_p,
        host: char_p,
        port: int,
        options: csploop_stream_options_p,
        fn: csploop_fn,
        arg: void_p,
        /,
    ) -> int: ...
    def csploop_unix_connect(
        self,
        loop: csploop_t_p,
        out: csploop_id_p,
        path: char_p,
        options: csploop_stream_options_p,
        fn: csploop_fn,
        arg: void_p,
        /,
    ) -> int: ...
    def csploop_stream_adopt(
        self,
        loop: csploop_t_p,
        out: csploop_id_p,
        fd: int,
        options: csploop_stream_options_p,
        fn: csploop_fn,
        arg: void_p,
        /,
    ) -> int: ...
    def csploop_stream_set_handler(
        self, loop: csploop_t_p, id: int, fn: csploop_fn, arg: void_p, /
    ) -> int: ...
    def csploop_stream_read_start(self, loop: csploop_t_p, id: int, mode: int, /) -> int: ...
    def csploop_stream_read_stop(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_stream_read_into(self, loop: csploop_t_p, id: int, buffer: void_p, length: int, /) -> int: ...
    def csploop_slab(self, loop: csploop_t_p, out_size: uint64_t_p, /) -> void_p: ...
    def csploop_stream_write(self, loop: csploop_t_p, id: int, data: void_p, length: int, /) -> int: ...
    def csploop_stream_write_ref(
        self, loop: csploop_t_p, id: int, data: void_p, length: int, fn: csploop_fn, arg: void_p, /
    ) -> int: ...
    def csploop_stream_flush(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_stream_buffered(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_stream_shutdown(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_stream_close(self, loop: csploop_t_p, id: int, flags: int, /) -> int: ...
    def csploop_stream_fd(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_stream_local_address(
        self, loop: csploop_t_p, id: int, buffer: char_p, length: int, /
    ) -> int: ...
    def csploop_stream_peer_address(
        self, loop: csploop_t_p, id: int, buffer: char_p, length: int, /
    ) -> int: ...
    def csploop_now(self, loop: csploop_t_p, /) -> int: ...
    def csploop_clock_set(self, loop: csploop_t_p, now_ns: int, /) -> int: ...
    def csploop_call_soon(
        self, loop: csploop_t_p, out: csploop_id_p, fn: csploop_fn, arg: void_p, /
    ) -> int: ...
    def csploop_call_later(
        self, loop: csploop_t_p, out: csploop_id_p, delay_ns: int, fn: csploop_fn, arg: void_p, /
    ) -> int: ...
    def csploop_call_at(
        self, loop: csploop_t_p, out: csploop_id_p, when_ns: int, fn: csploop_fn, arg: void_p, /
    ) -> int: ...
    def csploop_call_at_wall(
        self, loop: csploop_t_p, out: csploop_id_p, wall_ns: int, fn: csploop_fn, arg: void_p, /
    ) -> int: ...
    def csploop_cancel(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_post(self, loop: csploop_t_p, fn: csploop_fn, arg: void_p, /) -> int: ...
    def csploop_udp_bind(
        self,
        loop: csploop_t_p,
        out: csploop_id_p,
        host: char_p,
        port: int,
        options: csploop_udp_options_p,
        fn: csploop_fn,
        arg: void_p,
        /,
    ) -> int: ...
    def csploop_udp_adopt(
        self,
        loop: csploop_t_p,
        out: csploop_id_p,
        fd: int,
        options: csploop_udp_options_p,
        fn: csploop_fn,
        arg: void_p,
        /,
    ) -> int: ...
    def csploop_udp_connect(self, loop: csploop_t_p, id: int, host: char_p, port: int, /) -> int: ...
    def csploop_udp_read_start(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_udp_read_stop(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_udp_sender(
        self, loop: csploop_t_p, record: csploop_record_p, out_length: uint32_t_p, /
    ) -> void_p: ...
    def csploop_udp_address(self, out: void_p, room: int, host: char_p, port: int, /) -> int: ...
    def csploop_udp_send(self, loop: csploop_t_p, id: int, data: void_p, length: int, /) -> int: ...
    def csploop_udp_send_to(
        self, loop: csploop_t_p, id: int, data: void_p, length: int, address: void_p, address_length: int, /
    ) -> int: ...
    def csploop_udp_flush(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_udp_buffered(self, loop: csploop_t_p, id: int, out_datagrams: uint32_t_p, /) -> int: ...
    def csploop_udp_close(self, loop: csploop_t_p, id: int, flags: int, /) -> int: ...
    def csploop_udp_fd(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_udp_local_address(
        self, loop: csploop_t_p, id: int, buffer: char_p, length: int, /
    ) -> int: ...
    def csploop_udp_peer_address(self, loop: csploop_t_p, id: int, buffer: char_p, length: int, /) -> int: ...
    def csploop_watch(
        self, loop: csploop_t_p, out: csploop_id_p, fd: int, events: int, fn: csploop_fn, arg: void_p, /
    ) -> int: ...
    def csploop_watch_modify(self, loop: csploop_t_p, id: int, events: int, /) -> int: ...
    def csploop_unwatch(self, loop: csploop_t_p, id: int, /) -> int: ...
    def csploop_version(self, /) -> int: ...
    def csploop_version_string(self, /) -> char_p: ...

class FFI:
    NULL: Final[cdata]
    CData: Final[type]
    CType: Final[type]
    buffer: Final[type]
    error: Final[type[Exception]]
    errno: int
    def new(self, cdecl: str | ctype, init: object = None) -> cdata: ...
    def new_allocator(
        self,
        alloc: Callable[[int], cdata] | None = None,
        free: Callable[[cdata], None] | None = None,
        should_clear_after_alloc: bool = True,
    ) -> Callable[..., cdata]: ...
    def new_handle(self, obj: object) -> cdata: ...
    def from_handle(self, handle: cdata) -> Any: ...
    def from_buffer(self, cdecl: object, buf: Buffer = ..., require_writable: bool = False) -> cdata: ...
    def cast(self, cdecl: str | ctype, value: cdata) -> cdata: ...
    def typeof(self, cdecl: str | cdata) -> ctype: ...
    def sizeof(self, cdecl: str | cdata) -> int: ...
    def alignof(self, cdecl: str | ctype) -> int: ...
    def offsetof(self, cdecl: str | ctype, *fields: str | int) -> int: ...
    def addressof(self, data: cdata, *fields: str | int) -> cdata: ...
    def string(self, data: cdata, maxlen: int = -1) -> bytes: ...
    def unpack(self, data: cdata, length: int) -> Any: ...
    def memmove(self, dest: cdata | Buffer, src: cdata | Buffer, n: int) -> None: ...
    def gc(self, data: cdata, destructor: Callable[[cdata], object] | None, size: int = 0) -> cdata: ...
    def release(self, data: cdata) -> None: ...
    def callback(self, cdecl: str, python_callable: Callable[..., object] = ...) -> cdata: ...
    def def_extern(self, name: str = ..., error: object = ...) -> Callable[..., Any]: ...
    def getctype(self, cdecl: str | ctype, extra: str = "") -> str: ...

ffi: Final[FFI]
lib: Final[Lib]
