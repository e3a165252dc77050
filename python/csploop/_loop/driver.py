"""Driver: turns a loop on behalf of a host that owns the thread, such as a csp engine or a Trio run.

The host waits for `fileno()` to become readable or for `next_deadline()`, whichever is first, and then calls
`step()`, which turns the loop once without waiting and sends what that wrote. It asks for the deadline anew
before each wait: from there to the next step, what other threads schedule makes the descriptor readable.

What the host's own code schedules between two steps, with call_soon, a timer or a closing transport, no
descriptor tells of; for that the loop calls `rearm`, at most once between two questions for the deadline.

Owner: the thread that opened the driver. All methods belong there.

    with Driver(loop, rearm=host.wake) as driver:
        while not host.done:
            host.wait(driver.fileno(), driver.timeout())
            driver.step()
"""

from __future__ import annotations

import sys
import threading
from asyncio import events
from typing import TYPE_CHECKING, Callable

from csploop._compat import current_task, swap_current_task
from csploop._ffi import ffi
from csploop._ffi.errors import BusyError, check
from csploop._loop.clock import monotonic
from csploop._loop.state import LoopState
from csploop._loop.turn import POLL_EVERY

if TYPE_CHECKING:
    from types import TracebackType

    from csploop._loop.base import Loop

__all__ = ["DrivenMixin", "Driver"]

NEVER = 2**63 - 1
# How often the kernel is asked, in seconds, by a host that watches the descriptor at the same time.
LAZY_POLL_EVERY = 1e-3


class RearmingOps(list):  # type: ignore[type-arg]  # list is not generic at run time before 3.9.2 on PyPy
    """Stands in for the list of requests between two steps, when no turn comes by itself to take them."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self._driver = driver

    def append(self, request: tuple[int, int, int]) -> None:
        super().append(request)
        self._driver.scheduled()


class Driver:
    """Holds a loop for a host until `close()`. The loop counts as running all that time.

    rearm: called when something was scheduled between two steps; it must make the host ask for the deadline.
    on_stop: what `loop.stop()` means for the host; None makes stop() an error.
    signals: in the main thread, whether signals make the descriptor readable. A host that looks for signals
    itself, and wakes for them, has no need of it.
    """

    def __init__(
        self,
        loop: Loop,
        *,
        rearm: Callable[[], object],
        on_stop: Callable[[], object] | None = None,
        signals: bool = True,
    ) -> None:
        self.loop = loop
        self._rearm = rearm
        self._on_stop = on_stop
        self._signals = signals
        self._open = False
        self._stepping = False
        self._rearmed = False
        # Whether stop() came since the last step began.
        self.stopped = False
        self._polled = 0.0
        self._outer_ops = RearmingOps(self)
        self._hooks = (loop._asyncgen_firstiter_hook, loop._asyncgen_finalizer_hook)
        self._deadline = ffi.new("int64_t *")

    def open(self) -> Driver:
        """Takes the loop. RuntimeError where it runs already, is closed, or has another driver."""
        loop = self.loop
        loop._begin_run(self._signals, alone=False)
        loop._driver = self
        self.stopped = False
        self._open = True
        self._leave()
        return self

    def close(self) -> None:
        """Gives the loop back, what was written sent; it can run by itself or be closed afterwards."""
        if not self._open:
            return
        if self._stepping:
            raise RuntimeError("a driver cannot be closed from inside its step")
        self._open = False
        loop = self.loop
        loop._driver = None
        self._enter()
        loop._end_run()
        loop._outside = None
        loop._look_closer()

    def __enter__(self) -> Driver:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor to watch for reading. It is the loop's: neither read nor close it."""
        fd: int = self.loop._lib.csploop_backend_fd(self.loop._core)
        check(fd)
        return fd

    def next_deadline(self) -> int | None:
        """When to step though the descriptor is silent: ns on the loop's clock, 0 for now, None for never."""
        loop = self.loop
        self._rearmed = False
        loop._sleeping = True  # before the look at the queue, as in threads.py
        if loop._ready or loop._unfinished is not None:
            return 0
        if loop._ops or loop._new_timers or loop._dead_timers or loop._dirty:
            loop._flush()
            if loop._ready:
                return 0  # timers of a replaced clock
        check(loop._lib.csploop_next_deadline(loop._core, self._deadline))
        deadline: int = self._deadline[0]
        return None if deadline == NEVER else deadline

    def timeout(self) -> float | None:
        """The same as seconds from now, None for no limit: what select and poll want to know."""
        deadline = self.next_deadline()
        if not deadline:
            return deadline
        now: int = self.loop._lib.csploop_now(self.loop._core)
        return max(deadline - now, 0) / 1e9

    def step(
        self, *, rounds: bool = False, lazily: bool = False, first: Callable[[], object] | None = None
    ) -> None:
        """One turn without waiting. After a KeyboardInterrupt the next step goes on from there.

        rounds: callbacks that the turn made ready may run in the same step, for 50 us at most; for hosts
        whose own round costs more than a turn does.
        lazily: as rounds, and with callbacks ready the kernel need not be asked each time, because the host
        learns otherwise that the descriptor is readable.
        first: called when the step has begun; what it makes ready runs in this step. The step is for that:
        lazily, the kernel is not asked if nothing is ready.
        """
        if self._stepping:
            raise RuntimeError("a loop cannot be stepped from inside its own step")
        loop = self.loop
        outer_loop = events._get_running_loop()
        outer_task = current_task(outer_loop) if outer_loop is not None else None
        if outer_task is not None:
            swap_current_task(outer_loop, None)
        outer_hooks = sys.get_asyncgen_hooks()
        self._stepping = True
        self.stopped = False
        loop._sleeping = False
        loop._outside = None
        loop._slow = loop._debug or loop._forked
        self._enter()
        try:
            sys.set_asyncgen_hooks(*self._hooks)
            if outer_loop is not loop:  # as a host may have told asyncio; before 3.12 that is a system call
                events._set_running_loop(loop)
            if not loop._immediate:
                loop._dirty = loop._gathered
            loop._stopping = True  # one turn, and no sleep in it
            if first is not None:
                first()
            now = monotonic()
            if (
                not lazily
                or (first is None and not loop._ready)
                or loop._unfinished is not None
                or loop._ops
                or loop._new_timers
                or loop._dead_timers
                or now - self._polled > LAZY_POLL_EVERY
            ):
                loop._turns()
                self._polled = now = loop._sent_at
            if (rounds or lazily) and loop._ready:
                self._rounds(now + POLL_EVERY)
        except BaseException:
            if not loop._forked and loop._batch is not None:
                loop._unprepared = True
                loop._keep_batch()
            raise
        finally:
            loop._stopping = False
            self._stepping = False
            if not loop._forked:
                if loop._dirty or loop._ops or loop._unprepared:
                    loop._flush()
                self._leave()
            if outer_loop is not loop:
                events._set_running_loop(outer_loop)
            sys.set_asyncgen_hooks(*outer_hooks)
            if outer_task is not None:
                swap_current_task(outer_loop, outer_task)

    def _rounds(self, until: float) -> None:
        """Runs what is ready, round by round, without a crossing: while nothing waits to be sent."""
        loop = self.loop
        ready = loop._ready
        while ready and not self.stopped:
            if loop._dirty or loop._ops or loop._new_timers or loop._dead_timers or monotonic() > until:
                break
            loop._run_ready(len(ready))

    def scheduled(self) -> None:
        """The loop got something to do between two steps."""
        if not self._rearmed and self._open:
            self._rearmed = True
            self._rearm()

    def stop(self) -> None:
        """What the loop's stop() does while the host drives it."""
        self.stopped = True
        if self._on_stop is None:
            raise RuntimeError("this loop is driven by a host: it ends with the host's run, not by stop()")
        self._on_stop()

    def _leave(self) -> None:
        """From a step, or a flush, to the host's own code: what that schedules has to look closer."""
        loop = self.loop
        loop._dirty = loop._eager
        ops = self._outer_ops
        if loop._ops is not ops:
            if loop._ops:
                ops.extend(loop._ops)
            loop._ops = ops
        loop._outside = self
        loop._slow = True

    def _enter(self) -> None:
        """From the host's own code into a step."""
        ops = self._outer_ops
        self.loop._ops = ops[:]
        ops.clear()


class DrivenMixin(LoopState):
    """What a loop knows of its driver."""

    def stop(self) -> None:
        if self._driver is None:
            super().stop()
        else:
            self._driver.stop()

    def _begin_run(self, signals: bool = True, alone: bool = True) -> None:
        """Takes the thread: what a run and a driver have in common. A driven loop may share the thread."""
        self._check_closed()
        if alone:
            self._check_running()
        elif self.is_running():
            raise RuntimeError("This event loop is already running")
        with self._watching:  # whoever has the core for a moment; see watchers.py
            code = self._lib.csploop_attach(self._core)
        if code == self._lib.CSPLOOP_EBUSY:
            raise RuntimeError("This event loop is already running") from BusyError(code)
        check(code)
        try:
            if signals:
                self._close_gate = self._open_signal_gate()
            self._thread_id = threading.get_ident()
            self._set_coroutine_origin_tracking(self._debug)
        except BaseException:
            self._end_run()
            raise

    def _end_run(self) -> None:
        """Gives the thread back. What was written goes out also when the run ends, by whatever."""
        self._sleeping = False
        self._stopping = False
        self._thread_id = None
        self._unprepared = True
        try:
            self._set_coroutine_origin_tracking(False)
            close_gate, self._close_gate = self._close_gate, None
            if close_gate is not None:
                close_gate()
            packed = self._batch is not None and self._batch.n_submissions
            if (self._gathered or packed) and not self._forked:
                self._flush()
        finally:
            # Also when a signal's exception comes now: else no run could begin any more.
            if not self._forked:
                self._dirty = self._eager
                check(self._lib.csploop_detach(self._core))
