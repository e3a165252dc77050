"""The hot path: the ready queue, the turn, and the dispatch of its batch.

One turn crosses into C once. What was ready before goes first, then the batch in its order; what these
schedule belongs to the next turn. All bytes of a batch leave the read slab before user code runs, and the
rest of a batch that an exception interrupts waits in `_unfinished` for the next run. A signal's exception
comes after a call or at a function's beginning; so what is next leaves its queue by iteration or by
subscripts, and comes back when its function has not begun.

The loops below, in records.py and in gather.py are written for speed and are the only place that is: local
names, no calls that a branch can save. bench/hot.py measures them (echo, 100 connections, 1 KiB: the whole
of Python has about 1.5 us a message).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextvars import Context, copy_context
from itertools import repeat
from operator import length_hint
from typing import Any, Callable

from csploop._compat import STRUCT_IS_SLOW, has_begun
from csploop._ffi import ffi
from csploop._ffi.errors import check
from csploop._loop.clock import monotonic
from csploop._loop.handles import EmptyHandle
from csploop._loop.records import load_items, record_fields, unpack_items
from csploop._loop.state import LoopState
from csploop._loop.words import READ, RECV, REJECTED, TIMER, WRITTEN

__all__ = ["TurnMixin"]

# By `map`, not by a call of ours, after which a signal's exception could lose what was taken.
take_first = deque.popleft

CAPACITY = 512  # records that one turn hands out
# While callbacks are ready and nothing waits to be sent, the kernel is asked this often (seconds).
POLL_EVERY = 50e-6
# Unsent bytes do not wait longer than for this many streams or seconds.
DIRTY_LIMIT = 64
DIRTY_SECONDS = 1e-3
LOOK_EVERY = 8  # records, while something is unsent


class TurnMixin(LoopState):
    def call_soon(  # type: ignore[override]  # asyncio's stub has generic arguments, which 3.9 cannot say
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        if self._slow:
            return self._call_soon_checked(callback, args, context, "call_soon")
        handle = EmptyHandle()
        handle._callback = callback
        handle._args = args
        handle._loop = self
        handle._context = copy_context() if context is None else context
        handle._cancelled = False
        handle._repr = None
        handle._source_traceback = None
        self._ready.append(handle)
        return handle

    def _turns(self) -> None:
        """Turns until `_stopping` is set, at least once."""
        self._resume_batch()
        lib_turn = self._lib.csploop_turn
        core = self._core
        batch = self._batch
        ready = self._ready
        dirty = self._dirty
        poll_by = 0.0
        items: Any = None
        while True:
            todo = len(ready)
            waiting = dirty or self._ops or self._new_timers or self._dead_timers
            if todo and not waiting and not self._stopping and monotonic() < poll_by:
                count = 0
            else:
                if waiting:
                    self._gather()
                if todo or self._stopping:
                    count = lib_turn(core, batch, 0)
                else:
                    self._sleeping = True
                    count = lib_turn(core, batch, 0 if ready else -1)
                    self._sleeping = False
                self._sent_at = now = monotonic()
                poll_by = now + POLL_EVERY
                if count > 0:
                    self._unfinished = items = self._take(count)
                    batch.n_records = 0
                elif count < 0:
                    check(count)
            if self._debug:
                self._run_ready_checked(todo)
            elif todo:
                seen_dirty = 0
                for handle in map(take_first, repeat(ready, todo)):
                    if handle._cancelled:
                        continue
                    try:
                        handle._context.run(handle._callback, *handle._args)
                    except (SystemExit, KeyboardInterrupt) as exc:
                        if not has_begun(handle._callback, exc.__traceback__):
                            ready.appendleft(handle)
                        raise
                    except BaseException as exc:
                        self._callback_failed(handle, exc)
                    if dirty:
                        if not seen_dirty & 7:
                            self._relieve()
                        seen_dirty += 1
                handle = None
            if count > 0:
                if self._debug:
                    self._dispatch_checked(items)
                else:
                    self._dispatch(items)
                self._unfinished = items = None
            if self._stopping:
                break

    def _run_ready(self, todo: int) -> None:
        """Runs as many of the ready callbacks outside a turn."""
        if self._debug:
            self._run_ready_checked(todo)
            return
        ready = self._ready
        for handle in map(take_first, repeat(ready, todo)):
            if handle._cancelled:
                continue
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt) as exc:
                if not has_begun(handle._callback, exc.__traceback__):
                    ready.appendleft(handle)
                raise
            except BaseException as exc:
                self._callback_failed(handle, exc)
        handle = None  # as in _turns
        if self._dirty:
            self._relieve()

    def _take(self, count: int) -> Iterator[Any]:
        """The batch's records as (id, kind, data); see records.py."""
        batch = self._batch
        if batch.slab != self._slab_address:
            self._map_slab()
        if STRUCT_IS_SLOW:
            return load_items(self._record_fields, self._slab_view, count)
        return unpack_items(self._records_view, self._slab_view, count)

    def _dispatch_rest(self) -> None:
        """Dispatches what is left of the present batch."""
        items = self._unfinished
        assert items is not None
        if self._debug:
            self._dispatch_checked(items)
        else:
            self._dispatch(items)
        self._unfinished = None

    def _dispatch(self, items: Iterator[Any]) -> None:
        owners = self._owners
        timers = self._timers
        dirty = self._dirty
        read = READ
        left = LOOK_EVERY
        stream: Any
        handle: Any
        owner: Any
        for id, kind, data in items:
            if kind == read:
                try:
                    stream = owners[id]
                except KeyError:
                    continue
                try:
                    stream._run(stream._deliver, data)
                except (SystemExit, KeyboardInterrupt) as exc:
                    if not has_begun(stream._deliver, exc.__traceback__):
                        self._put_back.append((id, kind, data))
                    raise
                except BaseException as exc:
                    stream._fatal_error(exc, "Fatal error: protocol.data_received() call failed.")
            elif kind == TIMER:
                try:
                    handle = timers[id]
                except KeyError:
                    continue
                del timers[id]
                handle._id = 0
                handle._scheduled = False
                try:
                    handle._context.run(handle._callback, *handle._args)
                except (SystemExit, KeyboardInterrupt) as exc:
                    if not has_begun(handle._callback, exc.__traceback__):
                        timers[id] = handle
                        handle._id = id
                        handle._scheduled = True
                        self._put_back.append((id, kind, data))
                    raise
                except BaseException as exc:
                    self._callback_failed(handle, exc)
            elif kind == WRITTEN:
                self._references.pop(data[0], None)
            elif kind == RECV:
                try:
                    owner = owners[id]
                except KeyError:
                    continue
                try:
                    owner._on_datagram(*data)
                except (SystemExit, KeyboardInterrupt) as exc:
                    if not has_begun(owner._on_datagram, exc.__traceback__):
                        self._put_back.append((id, kind, data))
                    raise
            elif kind == REJECTED:
                self._on_rejected(id, data[0], data[1])
            else:
                try:
                    owner = owners[id]
                except KeyError:
                    continue
                try:
                    owner._on_record(kind, data[1], data[2])
                except (SystemExit, KeyboardInterrupt) as exc:
                    if not has_begun(owner._on_record, exc.__traceback__):
                        self._put_back.append((id, kind, data))
                    raise
            left -= 1
            if not left:
                if dirty and length_hint(items):
                    self._relieve()
                left = LOOK_EVERY
        # A traceback that somebody keeps leads to this frame, and must not keep what was dispatched.
        stream = handle = owner = data = None

    def _relieve(self) -> None:
        """Sends in the middle of a turn when much or for long has waited to be sent."""
        if len(self._dirty) >= DIRTY_LIMIT or monotonic() - self._sent_at > DIRTY_SECONDS:
            self._flush()

    def _resume_batch(self) -> None:
        """Makes the batch, or dispatches what an interrupted run left of it."""
        if self._batch is None:
            self._make_batch()
            return
        self._keep_batch()
        if self._unfinished is not None:
            self._dispatch_rest()

    def _keep_batch(self) -> None:
        """After an exception left a turn: what is left of the batch is what the next turn begins with."""
        batch = self._batch
        if batch.n_records:
            if self._unfinished is None:
                # It came before the records had left the slab, which is still as it was.
                self._unfinished = self._take(batch.n_records)
            batch.n_records = 0
        if self._put_back:
            self._unfinished = iter([*self._put_back, *(self._unfinished or ())])
            self._put_back = []

    def _make_batch(self) -> None:
        batch = ffi.new("csploop_batch *")
        batch.size = ffi.sizeof("csploop_batch")
        self._records = batch.records = ffi.new("csploop_record[]", CAPACITY)
        self._records_view = ffi.buffer(self._records)
        if STRUCT_IS_SLOW:
            self._record_fields = record_fields(self._records)
        batch.capacity = CAPACITY
        self._batch = batch

    def _map_slab(self) -> None:
        batch = self._batch
        self._slab_view = ffi.buffer(batch.slab, batch.slab_size) if batch.slab else None
        self._slab_address = batch.slab
