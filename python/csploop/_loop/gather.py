"""What goes into a turn: timers, the writes of each stream gathered into one submission, and the other
requests.

Small writes of all streams are joined into one bytes object, which is the turn's out slab (or is copied into
one that stays, when it is small itself). Large ones go by reference: their memory stays in `_references`
until the core says WRITTEN. Only immutable bytes get here (the transports copy everything else).

An exception may come after any call, from a signal's handler, and must neither lose what is packed nor have
it packed twice. So what was taken is marked as taken between two calls, together with the offset that counts
it; `n_submissions` is set last; and whoever leaves early keeps what it has packed (`_keep_packed`).
"""

from __future__ import annotations

from typing import Any

from csploop._compat import BYTES_MOVE
from csploop._ffi import ffi
from csploop._ffi.errors import check, error_from_code
from csploop._loop.clock import monotonic
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
cast = ffi.cast


class GatherMixin(LoopState):
    def _flush(self) -> None:
        """Submits everything that waits, between turns or in the middle of one."""
        try:
            self._gather()
            check(self._lib.csploop_submit(self._core, self._batch))
        except BaseException:
            self._unprepared = True  # the next gathering submits first what is packed already
            raise
        self._sent_at = monotonic()

    def _gather(self) -> None:
        """Packs everything that waits into the batch. What does not fit is submitted on the way."""
        if self._unprepared:
            self._prepare()
        offset = position = 0
        parts: list[bytes] = []
        try:
            if self._new_timers:
                self._add_timers(0)
                offset, position, parts = self._packed
                self._packed = None
            if self._dead_timers:
                self._cancel_timers(offset)
                offset, position, parts = self._packed
                self._packed = None
            view = self._submissions_view
            end = self._submissions_end
            dirty = self._dirty
            if dirty:
                pack = SUBMIT_WRITE.pack_into
                op_write, step = OP_WRITE, SUBMISSION_BYTES
                most_out, most_copied = OUT_BYTES, REFERENCE_BYTES
                for stream in dirty:
                    queued = stream._queued
                    if not queued:
                        continue  # aborted meanwhile, or taken before an exception left the gathering
                    if stream._given._closed and stream._fileno() != stream._sock_fd:
                        stream._lose_descriptor()  # its number may be a stranger's by now
                        continue
                    if offset == end or position > most_out:
                        self._pack(offset, parts)
                        offset = position = 0
                        parts = []
                        self._push()
                    out = stream._out
                    if queued < most_copied:
                        if len(out) == 1:
                            parts.append(out[0])
                        else:
                            parts += out
                        pack(view, offset, stream._id, position, queued, op_write)
                        offset += step
                        position += queued
                        stream._queued = 0
                    else:
                        self._gather_large(stream, offset, position, parts)
                        offset, position, parts = self._packed
                        self._packed = None
                    if stream._backlog:
                        # The core cannot send it now: it counts towards the high-water mark at once.
                        stream._backlog += queued
                        stream._room -= queued
                        out.clear()
                        if stream._room < 0 and stream._above is not None and not stream._protocol_paused:
                            # TLS has queued this a moment ago, past write(), which looks at the mark itself.
                            self.call_soon(stream._look_at_backlog, context=stream._context)
                    else:
                        out.clear()
                dirty.clear()
            ops = self._ops
            if ops:
                pack_op = SUBMIT_OP.pack_into
                for id, op, flags in ops:
                    if offset == end:
                        self._pack(offset, parts)
                        offset = position = 0
                        parts = []
                        self._push()
                    pack_op(view, offset, id, op, flags)
                    offset += SUBMISSION_BYTES
                ops.clear()
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
        except BaseException:
            self._keep_packed(offset, position, parts)
            raise

    def _gather_large(self, stream: Any, offset: int, position: int, parts: list[bytes]) -> None:
        """Packs many bytes of one stream: large writes by reference, runs of small ones joined."""
        if stream._datagrams:
            self._gather_datagrams(stream, offset, position, parts)
            return
        view = self._submissions_view
        end = self._submissions_end
        id = stream._id
        out = stream._out
        at = 0
        try:
            while at < len(out):
                if offset == end or position > OUT_BYTES:
                    self._pack(offset, parts)
                    offset = position = 0
                    parts = []
                    self._push()
                data = out[at]
                if len(data) >= REFERENCE_BYTES:
                    memory = from_buffer(data)
                    self._last_reference = token = self._last_reference + 1
                    address = int(cast("uintptr_t", memory))
                    SUBMISSION.pack_into(view, offset, id, token, address, len(data), OP_WRITE_REF, 0)
                    self._references[token] = (memory, data)
                    at += 1
                else:
                    run = 0
                    until = at
                    while until < len(out) and len(out[until]) < REFERENCE_BYTES and run < OUT_BYTES:
                        run += len(out[until])
                        until += 1
                    parts += out[at:until]
                    SUBMIT_WRITE.pack_into(view, offset, id, position, run, OP_WRITE)
                    position += run
                    at = until
                offset += SUBMISSION_BYTES
        finally:
            self._packed = offset, position, parts
            rest = out[at:]
            out[:] = rest
            stream._queued = sum(map(len, rest)) if rest else 0

    def _pack(self, offset: int, parts: list[bytes]) -> None:
        """Makes what is packed the batch's."""
        batch = self._batch
        if parts:
            if not BYTES_MOVE:
                parts = [b"".join(parts)]
            size = sum(map(len, parts))
            self._shown_out = 0
            if size <= COPIED_OUT_BYTES:
                if self._small_out_view is None or size > len(self._small_out_view):
                    self._make_small_out(size)
                self._copy_out(parts)
                memory = self._small_out
            else:
                memory = from_buffer(b"".join(parts))  # which keeps the bytes
            room = len(memory)
            self._out_memory = batch.out_slab = memory
            batch.out_slab_size = room
            if memory is self._small_out:
                self._shown_out = room
        batch.n_submissions = offset // SUBMISSION_BYTES

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
            view = self._small_out_view
            at = 0
            for part in parts:
                until = at + len(part)
                view[at:until] = part
                at = until
        else:
            joined = b"".join(parts)
            self._small_out_view[: len(joined)] = joined

    def _push(self) -> None:
        """Submits what is packed so far, to make room, and asks for more room next time."""
        check(self._lib.csploop_submit(self._core, self._batch))
        if self._submissions_end < MOST_SUBMISSIONS * SUBMISSION_BYTES:
            self._unprepared = self._cramped = True

    def _keep_packed(self, offset: int, position: int, parts: list[bytes]) -> None:
        """An exception leaves the gathering. What is packed stays for the next, which submits it first."""
        if self._packed is not None:
            offset, position, parts = self._packed
            self._packed = None
        self._unprepared = True
        # Else there is nothing, or it is the batch's already.
        if offset and not self._batch.n_submissions:
            self._pack(offset, [b"".join(parts)[:position]] if position else [])

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
        submissions = ffi.new("csploop_submission[]", count)
        view = ffi.buffer(submissions)
        self._submissions = self._batch.submissions = submissions
        self._submissions_view = view
        self._submissions_end = count * SUBMISSION_BYTES
