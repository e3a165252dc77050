"""A core loop's life, its turns, and what a host that owns the thread asks of it.

Owner: this class holds the handle, the batch and the memory of by-reference writes; the other parts of `Core`
are mixins over it and hold nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, Callable, TypeVar

from csploop._core.records import Record, Submission
from csploop._ffi import ffi, lib
from csploop._ffi.errors import ClosedError, check
from csploop._loop import words
from csploop._loop.records import take_datagram

__all__ = ["FOREVER", "Turning", "options_of", "token_of"]

FOREVER = -1
INT64_MAX = 2**63 - 1
Own = TypeVar("Own", bound="Turning")


class Turning:
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

    def __enter__(self: Own) -> Own:
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
            data = sender = None
            if kind == words.READ and view is not None:
                data = view[offset : offset + result]
            elif kind == words.RECV and view is not None:
                sender, data, _ = take_datagram(view, result, offset, flags)
            elif kind == words.WRITTEN:
                self._references.pop(token, None)
            records.append(Record(id, token, result, offset, kind, flags, data, sender))
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
            if request.op == words.OP_SEND and not 0 <= request.flags <= len(data):
                raise ValueError(f"no address of {request.flags} bytes in {len(data)}")
            entry.length = len(data)
            if request.op == words.OP_WRITE_REF:
                if request.token in self._references:
                    raise ValueError(f"token {request.token} names a write that has not ended")
                memory = ffi.from_buffer(data)
                self._references[request.token] = (memory, data)
                entry.data = int(ffi.cast("uintptr_t", memory))
            else:
                if request.op == words.OP_SEND:
                    entry.length -= request.flags  # the address is not the datagram's
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

    # -- shared ------------------------------------------------------------------------------------

    def _id(self, function: Callable[..., int], token: int, *arguments: Any) -> int:
        out = ffi.new("csploop_id *")
        check(function(self.handle, out, *arguments, ffi.NULL, token_of(token)))
        id: int = out[0]
        return id

    def _address(self, function: Callable[..., int], id: int) -> str:
        buffer = ffi.new("char[]", 128)
        check(function(self.handle, id, buffer, 128))
        text: bytes = ffi.string(buffer)
        return text.decode("utf-8", "surrogateescape")


def token_of(token: int) -> Any:
    """A token as the C functions take it."""
    return ffi.cast("void *", token)


def options_of(kind: str, names: tuple[str, ...], values: dict[str, int]) -> Any:
    """Keyword options as the struct csploop_<kind>_options. TypeError for one that it does not have."""
    options = ffi.new(f"csploop_{kind}_options *")
    options.size = ffi.sizeof(f"csploop_{kind}_options")
    for name, value in values.items():
        if name not in names:
            raise TypeError(f"csploop_{kind}_options has no {name!r}")
        setattr(options, name, value)
    return options
