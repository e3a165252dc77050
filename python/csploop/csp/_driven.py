"""DrivenRun: a run whose loop shares the engine's thread, from before the wiring to the last task's end.

The loop is the run's own, and is wound up and closed at the end as asyncio.run does it; or it is another's,
who gives it for the time of the run and winds the run's tasks up afterwards.

    with run:
        csp's own run, with a graph that has the pump

Owner: the engine's thread.
"""

from __future__ import annotations

import sys
from asyncio import events
from typing import TYPE_CHECKING, Any

from csploop._loop.driver import Driver
from csploop.csp._guest import Guest
from csploop.csp._run import Run, set_current_run

if TYPE_CHECKING:
    from types import TracebackType

    from csploop._loop.base import Loop

__all__ = ["DrivenRun"]


class DrivenRun(Run):
    _driver: Driver

    def __init__(self, loop: Loop, *, owned: bool) -> None:
        super().__init__(loop)
        self._owned = owned
        self._guest = Guest()
        self._outer_run: Run | None = None
        self._outer_hooks: Any = None

    def _open_engine(self) -> None:
        """Before the graph is built, with the driver open."""

    def _close_engine(self) -> None:
        """When csp's run has ended, however it did: what csp has not called may be called again here."""
        raise NotImplementedError

    def _loop_stopped(self) -> None:
        """What the loop's stop() means."""
        if self._owned:
            raise RuntimeError(
                "the loop of a csp run ends with the graph: csploop.csp.stop_engine() ends both"
            )
        self.stop_engine()

    def _wake_loop(self) -> None:
        """Has the pump tick, from another thread than the engine's."""
        self.loop.call_soon_threadsafe(_nothing)

    def __enter__(self) -> DrivenRun:
        loop = self.loop
        self._nested = events._get_running_loop() is not None
        self._guest.enter()
        try:
            self._driver.open()
            self._open_engine()
        except BaseException:
            self._guest.leave()
            if self._owned:
                loop.close()
            raise
        self._outer_hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(
            firstiter=loop._asyncgen_firstiter_hook, finalizer=loop._asyncgen_finalizer_hook
        )
        events._set_running_loop(loop)
        self._outer_run = set_current_run(self)
        self._interrupts.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close_engine()
        events._set_running_loop(None)
        sys.set_asyncgen_hooks(*self._outer_hooks)
        try:
            self._driver.close()
            if self._owned:
                try:
                    self.loop.run_until_complete(self._wind_up(everything=True))
                    self._raise_interrupt(value)
                finally:
                    self._ended = True
                    self.loop.close()
            else:
                self._raise_interrupt(value)
        finally:
            self._interrupts.leave()
            set_current_run(self._outer_run)
            self._guest.leave()
        if self._owned:
            self._raise_failure(value)


def _nothing() -> None:
    pass
