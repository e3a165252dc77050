"""Loop: the areas put together, and a loop's life from creation over its runs to close."""

from __future__ import annotations

import sys
from asyncio import events

from csploop._ffi.errors import check
from csploop._hooks import check_hooks
from csploop._loop.connecting import ConnectingMixin
from csploop._loop.datagrams import DatagramsMixin
from csploop._loop.debug import DebugMixin
from csploop._loop.driver import DrivenMixin
from csploop._loop.fork import LeavingMixin, watch_process
from csploop._loop.gather import GatherMixin
from csploop._loop.nesting import NestingMixin
from csploop._loop.processes import ProcessesMixin
from csploop._loop.sendfile import SendfileMixin
from csploop._loop.serving import ServingMixin
from csploop._loop.signals import SignalsMixin
from csploop._loop.threads import ThreadsMixin
from csploop._loop.timers import TimersMixin
from csploop._loop.tls import TLSMixin
from csploop._loop.turn import TurnMixin
from csploop._loop.watchers import WatchersMixin

__all__ = ["Loop", "new_event_loop"]


class Loop(
    DrivenMixin,
    TurnMixin,
    GatherMixin,
    TimersMixin,
    ThreadsMixin,
    WatchersMixin,
    SendfileMixin,
    ServingMixin,
    DatagramsMixin,
    ConnectingMixin,
    TLSMixin,
    ProcessesMixin,
    SignalsMixin,
    DebugMixin,
    LeavingMixin,
    NestingMixin,
):
    """An asyncio event loop on csploop's core.

    poller: None for the best one here, "epoll" or "uv".
    write: "gather" sends what a turn wrote to a stream with one system call when the turn ends; "immediate"
    sends each write at once, for code that writes and then blocks the thread.
    """

    def __init__(self, *, poller: str | None = None, write: str = "gather") -> None:
        super().__init__(poller=poller, write=write)
        lib = self._lib
        # An edge-triggered registration stays armed on epoll; elsewhere it has to be asked for again.
        self._edges_stay = lib.csploop_poller_kind(self._core) == lib.CSPLOOP_POLLER_EPOLL
        watch_process()

    def run_forever(self) -> None:
        old_hooks = sys.get_asyncgen_hooks()
        self._begin_run()
        try:
            sys.set_asyncgen_hooks(
                firstiter=self._asyncgen_firstiter_hook, finalizer=self._asyncgen_finalizer_hook
            )
            events._set_running_loop(self)
            if not self._immediate:
                self._dirty = self._gathered
            (self._turns_in_child if self._leaving else self._turns)()
        finally:
            try:
                events._set_running_loop(None)
                sys.set_asyncgen_hooks(*old_hooks)
            finally:
                self._end_run()

    def close(self) -> None:
        if self.is_running() and not self._forked:
            raise RuntimeError("Cannot close a running event loop")
        if self._closed:
            return
        self._thread_id = None
        self._forget()
        check(self._lib.csploop_close(self._core))
        super().close()
        self._slow = True
        self._close_signal_gate()
        self._unfinished = None
        self._put_back.clear()
        for table in (
            self._owners,
            self._streams,
            self._watchers,
            self._socket_watches,
            self._listeners,
            self._references,
            self._timers,
        ):
            table.clear()
        if self._replaced_time is not None:
            self._replaced_time.clear()
        self._new_timers.clear()
        self._dead_timers.clear()
        self._ops.clear()
        self._gathered.clear()
        self._eager.clear()


check_hooks(Loop)


def new_event_loop() -> Loop:
    """A new loop with the defaults. What `loop_factory=` parameters want."""
    return Loop()
