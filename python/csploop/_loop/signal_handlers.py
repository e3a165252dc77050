"""add_signal_handler: callbacks of the loop for signals.

Python's own handler of the signal does the work: it runs in the main thread, also while the loop does not
run, and puts the callback into the ready queue. So no signal depends on room in a socket's buffer, nor on who
has the wakeup descriptor, which ends the loop's sleep (signals.py).

Where somebody has put another handler over ours with signal.signal, as uvicorn does while it serves, both are
called, as on asyncio: then the number that came through the wakeup descriptor is what tells the loop.
"""

from __future__ import annotations

import errno
import signal
import sys
import warnings
import weakref
from contextvars import copy_context
from types import FrameType
from typing import Any, Callable

from csploop._compat import is_coroutine_callable, takes_all_children
from csploop._loop.handles import Handle
from csploop._loop.state import LoopState

__all__ = ["SignalHandlersMixin", "refuse_thief"]


class SignalHandler:
    """What Python calls for one signal while a loop has a callback for it, and what it called before."""

    __slots__ = ("came", "handle", "loop", "previous")

    def __init__(self, loop: LoopState, handle: Handle) -> None:
        # Weak: a loop that is forgotten must be collected, and warn, although it has handlers.
        self.loop = weakref.ref(loop)
        self.handle = handle
        self.previous: Any = signal.SIG_DFL
        # Called since the loop last read the wakeup descriptor: that number is dealt with.
        self.came = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        loop = self.loop()
        if loop is None or loop.is_closed() or loop._forked:
            # Closed where handlers cannot be changed, or a forked child: the signal is the host's again.
            self.restore(number)
            signal.raise_signal(number)
            return
        self.came = True
        loop._ready.append(self.handle)
        loop._ring()

    def restore(self, number: int) -> None:
        signal.signal(number, self.previous)


def _host_handler(previous: Any) -> Any:
    """What to restore for a handler that was found."""
    if previous is None:
        return signal.SIG_DFL  # not installed from Python, so Python cannot install it again
    if getattr(getattr(previous, "func", previous), "__name__", "") == "_on_sigint":
        # A Runner's, for its present run only; it has put itself in the place of the default.
        return signal.default_int_handler
    return previous


def _check_signal(number: Any) -> None:
    if not isinstance(number, int):
        raise TypeError(f"sig must be an int, not {number!r}")
    if number not in signal.valid_signals():
        raise ValueError(f"invalid signal number {number}")


def refuse_thief(watcher: object) -> None:
    """Refuses a child watcher that would take the exit codes of this loop's children before the loop does."""
    if takes_all_children(watcher):
        raise RuntimeError(
            "a FastChildWatcher takes the exit codes of all children, also those that csploop waits for;"
            " csploop needs no child watcher"
        )


class SignalHandlersMixin(LoopState):
    def __init__(self, *, poller: str | None = None, write: str = "gather") -> None:
        self._signal_handlers: dict[int, SignalHandler] = {}
        super().__init__(poller=poller, write=write)

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        if is_coroutine_callable(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        _check_signal(sig)
        self._check_closed()
        refuse_thief(getattr(callback, "__self__", None))
        handle = Handle(callback, args, self, copy_context())
        known = self._signal_handlers.get(sig)
        if known is not None:
            known.handle = handle
            return
        handler = SignalHandler(self, handle)
        try:
            handler.previous = _host_handler(signal.signal(sig, handler))
            if hasattr(signal, "siginterrupt"):
                # System calls of other libraries go on after the signal, as they do without a handler.
                signal.siginterrupt(sig, False)
        except ValueError as exc:
            raise RuntimeError(str(exc)) from None  # not the main thread
        except OSError as exc:
            # PyPy's signal.signal takes SIGKILL and SIGSTOP; there the second call finds out.
            current: object = signal.getsignal(sig)
            if current is handler:
                handler.restore(sig)
            if exc.errno == errno.EINVAL:
                raise RuntimeError(f"sig {sig} cannot be caught") from None
            raise
        self._signal_handlers[sig] = handler

    def remove_signal_handler(self, sig: int) -> bool:
        _check_signal(sig)
        handler = self._signal_handlers.get(sig)
        if handler is None:
            return False
        try:
            handler.restore(sig)
        except ValueError as exc:
            raise RuntimeError(str(exc)) from None
        # Only now: a signal that was pending a moment ago is still the callback's.
        del self._signal_handlers[sig]
        return True

    def _signals_came(self, numbers: bytes) -> None:
        """The wakeup descriptor told of these: calls those whom a handler that was put over ours hid."""
        for number in numbers:
            handler = self._signal_handlers.get(number)
            if handler is None:
                continue
            if handler.came:
                handler.came = False
            elif signal.getsignal(number) is not handler:
                self._ready.append(handler.handle)

    def _forget_signals(self) -> None:
        """Before a run: of what came between runs no number is under way."""
        for handler in self._signal_handlers.values():
            handler.came = False

    def _remove_signal_handlers(self) -> None:
        """Gives all signals back, when the loop closes."""
        if not self._signal_handlers:
            return
        if sys.is_finalizing():
            warnings.warn(
                f"Closing the loop {self!r} on interpreter shutdown stage, skipping signal handlers removal",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )
        else:
            for number, handler in self._signal_handlers.items():
                try:
                    handler.restore(number)
                except ValueError:
                    break  # not the main thread: each signal is given back when it comes for the first time
        self._signal_handlers.clear()
