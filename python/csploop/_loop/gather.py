"""What goes into a turn: timers, the writes of each stream gathered into one submission, and the other
requests.

Small writes of all streams are joined into one bytes object, which is the turn's out slab (or is copied into
one that stays, when it is small itself). Large ones go by reference: their memory stays in `_references`
until the core says WRITTEN. Only immutable bytes get here (the transports copy everything else).
"""

from __future__ import annotations

import time
from typing import Any

from csploop._compat import BYTES_MOVE
from csploop._ffi import ffi
from csploop._ffi.errors import check, error_from_code
from csploop._loop.state import LoopState
from csploop._loop.words import (
    OP_WRITE,
    OP_WRITE_REF,
    REFERENCE_BYTES,
    REJECTED,
    SUBMISSION,
    SUBMISSION_BYTES,
    SUBMIT_OP,
    SUBMIT_WRITE,
)

__all__ = ["GatherMixin"]

FIRST_SUBMISSIONS = 64
MOST_SUBMISSIONS = 1024
# More joined bytes than this are sent before the gathering goes on.
OUT_BYTES = 256 * 1024
# Up to here, copying into a slab that stays is cheaper than showing the core new memory
# (bench: hot.py --connections 1; on PyPy: hot.py --kind buffered).
SMALL_OUT_BYTES = 16 * 1024
COPIED_OUT_BYTES = 2 * OUT_BYTES if BYTES_MOVE else SMALL_OUT_BYTES

from_buffer = ffi.from_buffer
memmove = ffi.memmove
cast = ffi.cast
monotonic = time.monotonic


class GatherMixin(LoopState):
    def _flush(self) -> None:
        """Submits everything that waits, between turns or in the middle of one."""
        self._gather()
        check(self._lib.csploop_submit(self._core, self._batch))
        self._sent_at = monotonic()

    def _gather(self) -> None:
        """Packs everything that waits into the batch. What does not fit is submitted on the way."""
        if self._unprepared:
            self._prepare()
        offset = position = 0
        parts: list[bytes] = []
        if self._new_timers:
            offset = self._add_timers(0)
        if self._dead_timers:
            offset = self._cancel_timers(offset)
        view = self._submissions_view
        end = self._submissions_end
        dirty = self._dirty
        if dirty:
            pack = SUBMIT_WRITE.pack_into
            for stream in dirty:
                queued = stream._queued
                if not queued:
                    continue  # aborted meanwhile
                if offset == end or position > OUT_BYTES:
                    self._push(offset, parts)
                    offset = position = 0
                    parts = []
                out = stream._out
                if queued < REFERENCE_BYTES:
                    if len(out) == 1:
                        parts.append(out[0])
                    else:
                        parts += out
                    pack(view, offset, stream._id, position, queued, OP_WRITE)
                    offset += SUBMISSION_BYTES
                    position += queued
                else:
                    offset, position, parts = self._gather_large(stream, offset, position, parts)
                out.clear()
                stream._queued = 0
                if stream._backlog:
                    # The core cannot send it now: it counts towards the high-water mark at once.
                    stream._backlog += queued
                    stream._room -= queued
                    if stream._room < 0 and stream._above is not None and not stream._protocol_paused:
                        # TLS has queued this a moment ago, past write(), which looks at the mark itself.
                        self.call_soon(stream._look_at_backlog)
            dirty.clear()
        if self._ops:
            ops = self._ops[:]
            self._ops.clear()
            pack_op = SUBMIT_OP.pack_into
            for id, op, flags in ops:
                if offset == end:
                    self._push(offset, parts)
                    offset = 0
                    parts = []
                pack_op(view, offset, id, op, flags)
                offset += SUBMISSION_BYTES
        if not parts:
            self._batch.n_submissions = offset // SUBMISSION_BYTES
        elif position <= self._shown_out:
            if BYTES_MOVE:
                self._copy_out(parts)
            else:
                self._small_out_view[:position] = parts[0] if len(parts) == 1 else b"".join(parts)
            self._batch.n_submissions = offset // SUBMISSION_BYTES
        else:
            self._pack(offset, parts)

    def _gather_large(
        self, stream: Any, offset: int, position: int, parts: list[bytes]
    ) -> tuple[int, int, list[bytes]]:
        """Packs many bytes of one stream: large writes by reference, runs of small ones joined."""
        if stream._datagrams:
            return self._gather_datagrams(stream, offset, position, parts)
        view = self._submissions_view
        end = self._submissions_end
        id = stream._id
        out = stream._out
        at = 0
        while at < len(out):
            if offset == end or position > OUT_BYTES:
                self._push(offset, parts)
                offset = position = 0
                parts = []
            data = out[at]
            if len(data) >= REFERENCE_BYTES:
                memory = from_buffer(data)
                self._last_reference = token = self._last_reference + 1
                self._references[token] = (memory, data)
                address = int(cast("uintptr_t", memory))
                SUBMISSION.pack_into(view, offset, id, token, address, len(data), OP_WRITE_REF, 0)
                at += 1
            else:
                run = 0
                while at < len(out) and len(out[at]) < REFERENCE_BYTES and run < OUT_BYTES:
                    parts.append(out[at])
                    run += len(out[at])
                    at += 1
                SUBMIT_WRITE.pack_into(view, offset, id, position, run, OP_WRITE)
                position += run
            offset += SUBMISSION_BYTES
        return offset, position, parts

    def _pack(self, offset: int, parts: list[bytes]) -> None:
        batch = self._batch
        batch.n_submissions = offset // SUBMISSION_BYTES
        if not parts:
            return
        size = sum(map(len, parts))
        self._shown_out = 0
        if size <= COPIED_OUT_BYTES:
            if self._small_out_view is None or size > len(self._small_out_view):
                self._make_small_out(size)
            self._copy_out(parts)
            memory = self._small_out
        else:
            memory = from_buffer(b"".join(parts))  # which keeps the bytes
        self._out_memory = batch.out_slab = memory
        batch.out_slab_size = len(memory)
        if memory is self._small_out:
            self._shown_out = len(memory)

    def _make_small_out(self, size: int) -> None:
        """Makes the slab that stays, with room for that much."""
        room = SMALL_OUT_BYTES
        while size > room:
            room *= 2
        memory = ffi.new("char[]", room)
        view = ffi.buffer(memory)
        self._small_out = memory
        self._small_out_view = view

    def _copy_out(self, parts: list[bytes]) -> None:
        """Joins the parts in the slab that stays, which has room for them."""
        if BYTES_MOVE:
            out = self._small_out
            at = 0
            for part in parts:
                size = len(part)
                memmove(out + at, part, size)
                at += size
        else:
            joined = b"".join(parts)
            self._small_out_view[: len(joined)] = joined

    def _push(self, offset: int, parts: list[bytes]) -> None:
        """Submits what is packed so far, to make room, and asks for more room next time."""
        self._pack(offset, parts)
        check(self._lib.csploop_submit(self._core, self._batch))
        if self._submissions_end < MOST_SUBMISSIONS * SUBMISSION_BYTES:
            self._unprepared = self._cramped = True

    def _on_rejected(self, id: int, token: int, code: int) -> None:
        """The core refused a submission: what it was about has ended meanwhile, or memory is short."""
        self._references.pop(token, None)
        timer = self._timers.pop(id, None)
        if timer is not None:
            timer._id = 0
            self.call_exception_handler(
                {"message": "a timer could not be armed", "exception": error_from_code(code), "handle": timer}
            )
        owner = self._owners.get(id)
        if owner is not None:
            owner._on_record(REJECTED, code, 0)

    def _prepare(self) -> None:
        """Before the first gathering of a run, and when the array was too small: makes and grows it."""
        if self._batch is None:
            self._make_batch()
        batch = self._batch
        if batch.n_submissions:
            # Packed by a run that an exception ended before its turn took them.
            check(self._lib.csploop_submit(self._core, batch))
        if self._submissions is None:
            self._make_submissions(FIRST_SUBMISSIONS)
        elif self._cramped:
            self._make_submissions(min(4 * len(self._submissions), MOST_SUBMISSIONS))
        self._unprepared = self._cramped = False

    def _make_submissions(self, count: int) -> None:
        self._submissions = self._batch.submissions = ffi.new("csploop_submission[]", count)
        self._submissions_view = ffi.buffer(self._submissions)
        self._submissions_end = count * SUBMISSION_BYTES
