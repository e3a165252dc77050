"""add_reader and add_writer: callbacks while a descriptor is ready.

One core watcher per descriptor serves both directions. It is registered before the call returns, so that a
bad descriptor is an exception at once. Level-triggered: the callback comes again each turn until the cause is
gone.

Programs also call these from other threads than the loop's, which works on asyncio. Then the tables change at
once, and the loop's thread tells the core in its next turn. While no thread runs the loop, whoever calls
attaches it meanwhile; `_watching` is the lock for all of that, and a run begins under it, too.
"""

from __future__ import annotations

import errno
import os
import stat
from contextvars import Context
from threading import get_ident
from typing import Any, Callable

from csploop._ffi import ffi, lib
from csploop._ffi.errors import check
from csploop._loop.handles import Handle
from csploop._loop.state import LoopState

__all__ = ["Watcher", "WatchersMixin", "to_fd"]

READ = lib.CSPLOOP_WATCH_READ
WRITE = lib.CSPLOOP_WATCH_WRITE
# Who has the core, for one who wants to tell it something.
ATTACHED, OURS, BUSY = 0, 1, lib.CSPLOOP_EBUSY
GONE = (lib.CSPLOOP_EBADID, lib.CSPLOOP_EBADF, lib.CSPLOOP_ENOENT)


def _number(fd: Any) -> int:
    """The number itself, or what a file object says is its number: -1 for a socket that is closed."""
    if isinstance(fd, int):
        return fd
    try:
        return int(fd.fileno())
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f"Invalid file object: {fd!r}") from None


def to_fd(fd: Any) -> int:
    """The descriptor of a file object, or the number itself; ValueError for what is neither."""
    number = _number(fd)
    if number < 0:
        raise ValueError(f"Invalid file descriptor: {number}")
    return number


class Watcher:
    """One descriptor: its core id, 0 until the core knows it, and the handles of its two directions."""

    __slots__ = ("fd", "file", "id", "loop", "reader", "writer")

    def __init__(self, loop: LoopState, fd: int, file: Any) -> None:
        self.loop = loop
        self.fd = fd
        # What the user named it by: a socket that is closed meanwhile does not know its number any more.
        self.file = file
        self.id = 0
        self.reader: Handle | None = None
        self.writer: Handle | None = None

    def _events(self) -> int:
        return (READ if self.reader is not None else 0) | (WRITE if self.writer is not None else 0)

    def _on_record(self, kind: int, events: int, offset: int) -> None:
        # Both are looked at before either runs: a callback may remove the other, which cancels its handle.
        reader = self.reader if events & READ or events < 0 else None
        writer = self.writer if events & WRITE or events < 0 else None
        if reader is not None:
            self.loop._run_handle(reader)
        if writer is not None:
            self.loop._run_handle(writer)


class WatchersMixin(LoopState):
    def add_reader(self, fd: Any, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        self._ensure_fd_no_transport(fd)
        self._add_reader(fd, callback, *args)

    def remove_reader(self, fd: Any) -> bool:
        self._ensure_fd_no_transport(fd)
        return self._remove_reader(self._watched(fd))

    def add_writer(self, fd: Any, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        self._ensure_fd_no_transport(fd)
        self._add_writer(fd, callback, *args)

    def remove_writer(self, fd: Any) -> bool:
        self._ensure_fd_no_transport(fd)
        return self._remove_writer(self._watched(fd))

    def _ensure_fd_no_transport(self, fd: Any) -> None:
        transport = self._streams.get(_number(fd))
        if transport is not None and not transport.is_closing() and transport._has_descriptor():
            raise RuntimeError(f"File descriptor {fd!r} is used by transport {transport!r}")

    def _watched(self, fd: Any) -> int:
        """The descriptor to stop watching. A socket that was closed before is found by who it is."""
        if not isinstance(fd, int) and _number(fd) < 0:
            for watcher in list(self._watchers.values()):  # which another thread may change meanwhile
                if watcher.file is fd:
                    return watcher.fd
        return -1 if self._closed else to_fd(fd)

    def _add_reader(
        self,
        fd: Any,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
        **newer: Any,
    ) -> Handle:
        self._check_closed()
        number = to_fd(fd)
        handle = Handle(callback, args, self, context)  # None: a copy of ours
        with self._watching:
            watcher = self._watchers.get(number)
            old = watcher.reader if watcher is not None else None
            self._watch(number, fd, watcher, READ, handle)
        if old is not None:
            self._cancel(old)
        return handle

    def _add_writer(
        self,
        fd: Any,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
        **newer: Any,
    ) -> Handle:
        self._check_closed()
        number = to_fd(fd)
        handle = Handle(callback, args, self, context)  # None: a copy of ours
        with self._watching:
            watcher = self._watchers.get(number)
            old = watcher.writer if watcher is not None else None
            self._watch(number, fd, watcher, WRITE, handle)
        if old is not None:
            self._cancel(old)
        return handle

    def _remove_reader(self, fd: int) -> bool:
        with self._watching:
            watcher = self._watchers.get(fd)
            if watcher is None or watcher.reader is None:
                return False
            self._cancel(watcher.reader)
            watcher.reader = None
            self._narrow(watcher)
            return True

    def _remove_writer(self, fd: int) -> bool:
        with self._watching:
            watcher = self._watchers.get(fd)
            if watcher is None or watcher.writer is None:
                return False
            self._cancel(watcher.writer)
            watcher.writer = None
            self._narrow(watcher)
            return True

    def _watch(self, fd: int, file: Any, watcher: Watcher | None, event: int, handle: Handle) -> None:
        """Registers one more direction; on an exception everything is as before."""
        code = self._take_core()
        if code == BUSY:
            self._watch_from_outside(fd, file, watcher, event, handle)
            return
        check(code)
        try:
            self._watch_here(fd, file, watcher, event)
        finally:
            if code != OURS:
                self._lib.csploop_detach(self._core)
        watcher = self._watchers[fd]
        if not isinstance(file, int):
            watcher.file = file
        if event == READ:
            watcher.reader = handle
        else:
            watcher.writer = handle

    def _watch_here(self, fd: int, file: Any, watcher: Watcher | None, event: int) -> None:
        if self._outside is not None:
            self._outside.scheduled()
        if watcher is None:
            self._share_socket(fd)
            watcher = Watcher(self, fd, file)
            self._register(watcher, event)
        elif not watcher.id:
            self._share_socket(fd)
            self._register(watcher, watcher._events() | event)
        else:
            # Also where nothing changes: a descriptor that was closed and came back is found out so.
            code = self._lib.csploop_watch_modify(self._core, watcher.id, watcher._events() | event)
            if code in GONE:
                # The descriptor was closed behind our back; the number may be somebody else's by now.
                self._unregister(watcher)
                watcher.reader = watcher.writer = None
                watcher.file = file
                self._register(watcher, event)
            else:
                check(code)

    def _register(self, watcher: Watcher, events: int) -> None:
        out = ffi.new("csploop_id *")
        code = self._lib.csploop_watch(self._core, out, watcher.fd, events, ffi.NULL, ffi.NULL)
        if code == -errno.EPERM:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        check(code)
        watcher.id = out[0]
        self._watchers[watcher.fd] = watcher
        self._owners[watcher.id] = watcher

    def _unregister(self, watcher: Watcher) -> None:
        code = self._lib.csploop_unwatch(self._core, watcher.id)
        if code not in GONE:
            check(code)
        self._owners.pop(watcher.id, None)
        self._watchers.pop(watcher.fd, None)

    def _narrow(self, watcher: Watcher) -> None:
        events = watcher._events()
        taken = self._take_core()
        if taken == BUSY:
            self.call_soon_threadsafe(self._catch_up, watcher)
            return
        if events:
            code = self._lib.csploop_watch_modify(self._core, watcher.id, events)
        else:
            code = self._lib.csploop_unwatch(self._core, watcher.id)
            self._owners.pop(watcher.id, None)
            self._watchers.pop(watcher.fd, None)
        if taken == ATTACHED:
            self._lib.csploop_detach(self._core)
        if code not in GONE:
            check(code)

    def _cancel(self, handle: Handle) -> None:
        if self._thread_id == get_ident():
            handle.cancel()
        else:
            handle._cancelled = True  # no more: the loop may be about to call what cancel() takes away

    def _take_core(self) -> int:
        """Whether this thread may tell the core: OURS, ATTACHED (detach it then), BUSY, or what is wrong."""
        owner = self._thread_id
        if owner == get_ident():
            return OURS
        if owner is not None:
            return BUSY
        # A run that begins or ends has it, but does not tell where.
        code: int = self._lib.csploop_attach(self._core)
        return code

    def _watch_from_outside(
        self, fd: int, file: Any, watcher: Watcher | None, event: int, handle: Handle
    ) -> None:
        """`_watch` on another thread than the loop's. What the core would refuse is refused here."""
        mode = os.fstat(fd).st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        if watcher is None:
            watcher = Watcher(self, fd, file)
        elif not isinstance(file, int):
            watcher.file = file
        self._watchers[fd] = watcher
        if event == READ:
            watcher.reader = handle
        else:
            watcher.writer = handle
        self.call_soon_threadsafe(self._catch_up, watcher)

    def _catch_up(self, watcher: Watcher) -> None:
        """Tells the core, on the loop's thread, what another thread changed."""
        with self._watching:
            self._tell_change(watcher)

    def _tell_change(self, watcher: Watcher) -> None:
        if self._watchers.get(watcher.fd) is not watcher:
            return
        events = watcher._events()
        code = self._lib.csploop_watch_modify(self._core, watcher.id, events) if watcher.id and events else 0
        if not events or code in GONE:
            self._unregister(watcher)
            watcher.id = 0
        else:
            check(code)
        if events and not watcher.id:
            self._share_socket(watcher.fd)
            try:
                self._register(watcher, events)
            except BaseException:
                self._watchers.pop(watcher.fd, None)
                raise
