"""How a signal ends the loop's sleep in the main thread.

Python runs signal handlers between bytecodes, so a loop that blocks in the kernel must come back for one. A
signal that arrives just before it blocks interrupts nothing; therefore Python's C handler also writes a byte
into a socket pair whose other end the loop watches. The pair is made at the first run in the main thread and
kept until close; the wakeup descriptor is the loop's only while it runs.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from asyncio.log import logger
from typing import Any, Callable

from csploop._ffi import ffi, lib
from csploop._ffi.errors import check
from csploop._loop.signal_handlers import SignalHandlersMixin
from csploop._loop.state import LoopState

__all__ = ["SignalGate", "SignalsMixin"]


class SignalGate:
    """The socket pair of one loop."""

    def __init__(self, loop: LoopState) -> None:
        self.loop = loop
        self.inner, self.outer = socket.socketpair()
        self.inner.setblocking(False)
        self.outer.setblocking(False)
        self.previous = -1
        # What came, for a host that has to know; it empties the set.
        self.seen: set[int] = set()
        out = ffi.new("csploop_id *")
        code = loop._lib.csploop_watch(
            loop._core, out, self.inner.fileno(), lib.CSPLOOP_WATCH_READ, ffi.NULL, ffi.NULL
        )
        if code < 0:
            self.close()
        check(code)
        self.id: int = out[0]
        loop._owners[self.id] = self

    def _on_record(self, kind: int, result: int, offset: int) -> None:
        """The bytes have done their work, mostly: the handlers ran when the turn came back to Python."""
        try:
            data = self.inner.recv(4096)
        except (BlockingIOError, InterruptedError):
            return
        self.seen.update(data)
        self.loop._signals_came(data)
        if self.previous >= 0:
            try:
                os.write(self.previous, data)  # whoever had the wakeup descriptor before wants to know, too
            except OSError as exc:
                logger.debug("the previous signal wakeup descriptor does not take more: %r", exc)

    def enter(self) -> None:
        self.loop._forget_signals()
        self.previous = signal.set_wakeup_fd(self.outer.fileno(), warn_on_full_buffer=False)

    def leave(self) -> None:
        # Somebody may have taken the descriptor during the run, and then it is theirs.
        current = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(self.previous if current == self.outer.fileno() else current)
        self.previous = -1

    def close(self) -> None:
        self.inner.close()
        self.outer.close()


def _nothing() -> None:
    pass


class SignalsMixin(SignalHandlersMixin):
    def _open_signal_gate(self) -> Callable[[], Any]:
        """Lets signals end the sleep of the run that begins; returns what undoes it."""
        if threading.current_thread() is not threading.main_thread():
            return _nothing
        gate = self._signal_gate
        if gate is None:
            gate = self._signal_gate = SignalGate(self)
        try:
            gate.enter()
        except ValueError:  # a sub-interpreter's main thread, which gets no signals
            return _nothing
        leave: Callable[[], Any] = gate.leave
        return leave

    def _close_signal_gate(self) -> None:
        self._remove_signal_handlers()
        gate, self._signal_gate = self._signal_gate, None
        if gate is not None:
            gate.close()
