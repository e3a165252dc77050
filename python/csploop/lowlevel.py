"""Checked owners over the C ABI, for people who build an event loop of their own.

`Core` owns one core loop. Its methods are the C functions with errors as exceptions, ids as integers and
records as tuples; nothing here schedules Python callbacks, that is what a loop is for. Completions are told
apart by id or by the token that was given with the request.

    with Core() as core:
        core.call_later(10_000_000, token=7)
        for record in core.turn():
            print(record.kind, record.token)

Owner: a Core belongs to one thread at a time; only `wake` and `stop` may come from others. `close` frees what
the core held and may be called twice; the handle's memory goes with the object.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, Callable, NamedTuple

from csploop._ffi import ffi, lib
from csploop._ffi.errors import BadIdError as BadIdError
from csploop._ffi.errors import BusyError as BusyError
from csploop._ffi.errors import ClosedError as ClosedError
from csploop._ffi.errors import Error as Error
from csploop._ffi.errors import ForkedError as ForkedError
from csploop._ffi.errors import WrongThreadError as WrongThreadError
from csploop._ffi.errors import check as check
from csploop._ffi.errors import error_from_code as error_from_code
from csploop._loop import words
from csploop._loop.crossings import counting as counting

__all__ = [
    "BadIdError",
    "BusyError",
    "ClosedError",
    "Core",
    "Error",
    "ForkedError",
    "Record",
    "Submission",
    "WrongThreadError",
    "check",
    "counting",
    "error_from_code",
    "ffi",
    "lib",
]

FOREVER = -1
INT64_MAX = 2**63 - 1


class Record(NamedTuple):
    """A completion, as in csploop/record.h; `data` holds the bytes of a READ."""

    id: int
    token: int
    result: int
    offset: int
    kind: int
    flags: int
    data: bytes | None


class Submission(NamedTuple):
    """A request for the next turn, as in csploop/record.h; `data` of a write is its bytes."""

    op: int
    id: int
    token: int = 0
    data: int | bytes = 0
    flags: int = 0


class Core:
    """One core loop."""

    _handle: Any = None  # for __del__, should __init__ fail

    def __init__(
        self,
        *,
        clock: int = lib.CSPLOOP_CLOCK_MONOTONIC,
        poller: int = lib.CSPLOOP_POLLER_DEFAULT,
        start_ns: int = 0,
        slab_bytes: int = 0,
        capacity: int = 256,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        options = ffi.new("csploop_options *")
        options.size = ffi.sizeof("csploop_options")
        options.clock = clock
        options.poller = poller
        options.start_ns = start_ns
        options.slab_bytes = slab_bytes
        out = ffi.new("csploop_t **")
        check(lib.csploop_new(out, options))
        self._handle = ffi.gc(out[0], lib.csploop_unref)
        self._records = ffi.new("csploop_record[]", capacity)
        self._view = ffi.buffer(self._records)
        self._batch = ffi.new("csploop_batch *")
        self._batch.size = ffi.sizeof("csploop_batch")
        self._batch.records = self._records
        self._batch.capacity = capacity
        # By-reference writes: token -> the memory that must stay.
        self._references: dict[int, Any] = {}

    def __enter__(self) -> Core:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if self._handle is not None:
            _warn(f"unclosed {self!r}", ResourceWarning, source=self)
            lib.csploop_close(self._handle)

    def close(self) -> None:
        """Ends the core's work; twice is no error. BusyError inside a turn, WrongThreadError elsewhere."""
        if self._handle is not None:
            check(lib.csploop_close(self._handle))
            self._handle = None
            self._references.clear()

    @property
    def handle(self) -> Any:
        """The csploop_t pointer, for functions that are not wrapped here. ClosedError after close."""
        if self._handle is None:
            raise ClosedError(lib.CSPLOOP_ECLOSED)
        return self._handle

    # -- turning -----------------------------------------------------------------------------------

    def turn(self, submissions: Iterable[Submission] = (), timeout_ns: int = FOREVER) -> list[Record]:
        """Submits, waits and returns what completed. Refused submissions come back as REJECTED records."""
        keep = self._submit(submissions)
        count = check(lib.csploop_turn(self.handle, self._batch, timeout_ns))
        del keep
        slab = self._batch.slab
        view = ffi.buffer(slab, self._batch.slab_size) if slab else None
        records = []
        raw = self._view[: count * words.RECORD.size]
        for id, token, result, offset, kind, flags in words.RECORD.iter_unpack(raw):
            data = None
            if kind == words.READ and view is not None:
                data = view[offset : offset + result]
            elif kind == words.WRITTEN:
                self._references.pop(token, None)
            records.append(Record(id, token, result, offset, kind, flags, data))
        return records

    def submit(self, submissions: Iterable[Submission] = ()) -> None:
        """Submits and sends what is unsent, without waiting."""
        keep = self._submit(submissions)
        check(lib.csploop_submit(self.handle, self._batch))
        del keep

    def _submit(self, submissions: Iterable[Submission]) -> Any:
        """Packs submissions into the batch; returns what must live until the call."""
        requests = list(submissions)
        array = ffi.new("csploop_submission[]", len(requests))
        slab = bytearray()
        for at, request in enumerate(requests):
            entry = array[at]
            entry.id, entry.token = request.id, request.token
            entry.op, entry.flags = request.op, request.flags
            data = request.data
            if isinstance(data, int):
                entry.data = data % 2**64
                continue
            entry.length = len(data)
            if request.op == words.OP_WRITE_REF:
                if request.token in self._references:
                    raise ValueError(f"token {request.token} names a write that has not ended")
                memory = ffi.from_buffer(data)
                self._references[request.token] = (memory, data)
                entry.data = int(ffi.cast("uintptr_t", memory))
            else:
                entry.data = len(slab)
                slab += data
        memory = ffi.from_buffer(bytes(slab))
        self._batch.submissions = array
        self._batch.n_submissions = len(requests)
        self._batch.out_slab = memory
        self._batch.out_slab_size = len(slab)
        return array, memory

    def attach(self) -> None:
        """Binds the core to this thread until detach."""
        check(lib.csploop_attach(self.handle))

    def detach(self) -> None:
        check(lib.csploop_detach(self.handle))

    def wake(self) -> None:
        """Ends the present wait, or the next one. From any thread."""
        check(lib.csploop_wake(self.handle))

    def stop(self) -> None:
        check(lib.csploop_stop(self.handle))

    # -- for hosts that own the thread -------------------------------------------------------------

    @property
    def backend_fd(self) -> int:
        """Readable when turn(timeout_ns=0) has something to do, other than timers."""
        return check(lib.csploop_backend_fd(self.handle))

    def next_deadline(self) -> int | None:
        """When to turn though backend_fd stays silent: 0: now; None: never; else ns on the core's clock."""
        out = ffi.new("int64_t *")
        check(lib.csploop_next_deadline(self.handle, out))
        deadline: int = out[0]
        return None if deadline == INT64_MAX else deadline

    def heap_bytes(self) -> int:
        return check(lib.csploop_heap_bytes(self.handle))

    # -- time --------------------------------------------------------------------------------------

    def now(self) -> int:
        return check(lib.csploop_now(self.handle))

    def set_clock(self, now_ns: int) -> None:
        """Moves a simulated clock."""
        check(lib.csploop_clock_set(self.handle, now_ns))

    def call_soon(self, token: int = 0) -> int:
        return self._id(lib.csploop_call_soon, token)

    def call_later(self, delay_ns: int, token: int = 0) -> int:
        return self._id(lib.csploop_call_later, token, delay_ns)

    def call_at(self, when_ns: int, token: int = 0) -> int:
        return self._id(lib.csploop_call_at, token, when_ns)

    def call_at_wall(self, wall_ns: int, token: int = 0) -> int:
        return self._id(lib.csploop_call_at_wall, token, wall_ns)

    def cancel(self, id: int) -> None:
        check(lib.csploop_cancel(self.handle, id))

    def reserve_ids(self, count: int) -> list[int]:
        """Ids for timers that travel with submissions."""
        out = ffi.new("csploop_id[]", max(count, 0))
        check(lib.csploop_ids_reserve(self.handle, out, count))
        return list(out)

    # -- descriptors and streams -------------------------------------------------------------------

    def watch(self, fd: int, events: int, token: int = 0) -> int:
        return self._id(lib.csploop_watch, token, fd, events)

    def watch_modify(self, id: int, events: int) -> None:
        check(lib.csploop_watch_modify(self.handle, id, events))

    def unwatch(self, id: int) -> None:
        check(lib.csploop_unwatch(self.handle, id))

    def tcp_listen(self, host: str, port: int, token: int = 0, **options: int) -> int:
        return self._id(lib.csploop_tcp_listen, token, host.encode(), port, _stream_options(options))

    def unix_listen(self, path: str | bytes, token: int = 0, **options: int) -> int:
        return self._id(lib.csploop_unix_listen, token, _path(path), _stream_options(options))

    def listener_adopt(self, fd: int, token: int = 0, **options: int) -> int:
        return self._id(lib.csploop_listener_adopt, token, fd, _stream_options(options))

    def listener_pause(self, id: int) -> None:
        check(lib.csploop_listener_pause(self.handle, id))

    def listener_resume(self, id: int) -> None:
        check(lib.csploop_listener_resume(self.handle, id))

    def tcp_connect(self, host: str, port: int, token: int = 0, **options: int) -> int:
        return self._id(lib.csploop_tcp_connect, token, host.encode(), port, _stream_options(options))

    def unix_connect(self, path: str | bytes, token: int = 0, **options: int) -> int:
        return self._id(lib.csploop_unix_connect, token, _path(path), _stream_options(options))

    def stream_adopt(self, fd: int, token: int = 0, **options: int) -> int:
        return self._id(lib.csploop_stream_adopt, token, fd, _stream_options(options))

    def set_token(self, id: int, token: int) -> None:
        """The token of a stream's records from now on; accepted ones begin with their listener's."""
        check(lib.csploop_stream_set_handler(self.handle, id, ffi.NULL, _token(token)))

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

    # -- shared ------------------------------------------------------------------------------------

    def _id(self, function: Callable[..., int], token: int, *arguments: Any) -> int:
        out = ffi.new("csploop_id *")
        check(function(self.handle, out, *arguments, ffi.NULL, _token(token)))
        id: int = out[0]
        return id

    def _address(self, function: Callable[..., int], id: int) -> str:
        buffer = ffi.new("char[]", 128)
        check(function(self.handle, id, buffer, 128))
        text: bytes = ffi.string(buffer)
        return text.decode("utf-8", "surrogateescape")


def _token(token: int) -> Any:
    return ffi.cast("void *", token)


def _path(path: str | bytes) -> bytes:
    return path.encode("utf-8", "surrogateescape") if isinstance(path, str) else path


def _stream_options(values: dict[str, int]) -> Any:
    options = ffi.new("csploop_stream_options *")
    options.size = ffi.sizeof("csploop_stream_options")
    for name, value in values.items():
        if name not in ("flags", "high_water", "backlog"):
            raise TypeError(f"a stream has no option {name!r}")
        setattr(options, name, value)
    return options
