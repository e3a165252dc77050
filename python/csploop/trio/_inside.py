"""What this package knows of Trio's private parts. The only place that does.

Four things have no public way: a guest run that waits without a thread (its host can watch Trio's own epoll
descriptor instead), putting a guest run aside while its host loop does not run, telling Trio's usual clock
from others, and which task is the current one for code that another task runs. Where this Trio is made
differently, `Ticks` leaves the waiting to Trio's threads, which is slower and otherwise the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

import trio
from trio._core._run import GLOBAL_RUN_CONTEXT, SystemClock

if TYPE_CHECKING:
    from csploop._loop.base import Loop

__all__ = ["Ticks", "is_guest_run", "is_system_clock", "swap_run", "swap_task"]

# A wait that is longer than this needs no timer: Trio's own maximum is a day.
FOR_EVER = 86400


def swap_run(state: dict[str, Any]) -> dict[str, Any]:
    """Makes `state` what this thread knows of its Trio run; returns what that was."""
    context = vars(GLOBAL_RUN_CONTEXT)
    previous = dict(context)
    context.clear()
    context.update(state)
    return previous


def swap_task(task: trio.lowlevel.Task) -> trio.lowlevel.Task:
    """Makes `task` what trio.lowlevel.current_task() answers; returns what it was. In a Trio task."""
    previous: trio.lowlevel.Task = GLOBAL_RUN_CONTEXT.task
    GLOBAL_RUN_CONTEXT.task = task
    return previous


def is_guest_run() -> bool:
    """Whether the present Trio run is the guest of another loop."""
    return bool(getattr(GLOBAL_RUN_CONTEXT.runner, "is_guest", True))


def is_system_clock(clock: trio.abc.Clock) -> bool:
    """Whether time passes by itself: the clock of every run that was given no other."""
    return isinstance(clock, SystemClock)


class Unread:
    """Stands for the events of a wait that the host has done: true, and read when Trio processes them."""

    __slots__ = ("events",)

    def __init__(self) -> None:
        self.events: Any = None

    def __bool__(self) -> bool:
        return self.events is None or bool(self.events)


class WatchedIO:
    """A run's I/O manager, whose waiting is the host's matter."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager

    def get_events(self, timeout: float) -> Any:
        return Unread()

    def process_events(self, events: Any) -> None:
        if isinstance(events, Unread):
            events.events = events = self._manager.get_events(0)
        self._manager.process_events(events)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)


class Ticks(trio.abc.Instrument):
    """Lets a host loop run a guest's ticks when Trio's descriptor is readable or its timeout has passed."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._timeout = 0.0
        self._tick: Callable[[], object] | None = None
        self._timer: Any = None
        self._runner: Any = None
        self._fd = -1

    def take_over(self) -> None:
        """After the guest run has been started and before its first tick."""
        runner: Any = GLOBAL_RUN_CONTEXT.runner
        epoll = getattr(runner.io_manager, "_epoll", None)
        if epoll is None or not (hasattr(runner, "guest_tick_scheduled") and hasattr(runner, "runq")):
            return
        runner.io_manager = WatchedIO(runner.io_manager)
        self._runner = runner
        self._fd = epoll.fileno()
        self._loop._add_reader(self._fd, self._due)

    def before_io_wait(self, timeout: float) -> None:
        self._timeout = timeout

    def later(self, tick: Callable[[], object]) -> None:
        """What Trio calls, in the host's thread, to have its next tick."""
        if self._timeout <= 0 or self._runner is None:
            self._loop.call_soon(tick)
            return
        self._tick = tick
        # From here on, what the host's code reschedules rings Trio's own descriptor.
        self._runner.guest_tick_scheduled = False
        if self._runner.runq:
            # A signal came after Trio had looked what there is to do: Ctrl-C cancels the main task.
            self._runner.force_guest_tick_asap()
        if self._timeout < FOR_EVER:
            self._timer = self._loop.call_later(self._timeout, self._due)

    def _due(self) -> None:
        tick, self._tick = self._tick, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if tick is not None:
            self._runner.guest_tick_scheduled = True
            tick()

    def after_run(self) -> None:
        # Trio has closed its descriptor by now; the loop forgets a watcher whose descriptor is gone.
        if self._fd >= 0:
            self._loop._remove_reader(self._fd)
            self._fd = -1
