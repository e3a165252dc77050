"""Trio as the driver of a loop: the tasks that turn it, each when it has reason to.

    watcher   sleeps in Trio's wait on the loop's descriptor; turns the loop when that is readable
    pump      sleeps until the next deadline, or until something is scheduled between two turns (Driver's
              rearm, which only reschedules this task); turns the loop, and goes on without sleeping while
              work is ready, a checkpoint between two turns
    others    a Trio task that asyncio's code waits for ends with a turn of the loop while the pump sleeps, so
              that its caller goes on in the same round of Trio. Where several end in one round, they leave it
              to the pump, because one turn for all costs less

So a wake-up touches no descriptor, the descriptor is registered anew only after it was readable, and an idle
loop is not turned at all. A turn also runs what it made ready itself, for 50 us at most, because a round of
Trio costs more than a turn.

Whichever task turns the loop, for the code that runs there the current Trio task is the pump: a cancel scope
is entered, and a lock is held, by one task, and that is not a stranger's.

Watcher and pump are shielded: who opened the loop ends it, by stop(). Ctrl-C does not interrupt them, nor the
callbacks that they run, because an exception between any two instructions loses callbacks; Trio raises it in
its main task, which neither of them may be. A turn in another task is protected in the same way.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Callable, NoReturn

import trio
from sniffio import thread_local
from trio.lowlevel import Abort, reschedule, wait_task_rescheduled

from csploop._compat import BaseExceptionGroup
from csploop._loop.driver import Driver
from csploop.trio._inside import swap_task

if TYPE_CHECKING:
    from csploop._loop.base import Loop

__all__ = ["Driving"]

# So many Trio tasks must have ended alone, one in its round, until the next one turns the loop itself.
ALONE = 8
# Of those, one in so many leaves the turn to the pump, to see whether others end in the same round.
LOOK_EVERY = 16


class Driving:
    """Turns `loop` between open() and the end of run().

    interrupted: what to do with a KeyboardInterrupt or SystemExit out of a callback, if run() shall go on.
    follow_clock: for a loop whose clock is the Trio run's own, and stands still else: moves it.
    """

    def __init__(
        self,
        loop: Loop,
        interrupted: Callable[[BaseException], object] | None = None,
        follow_clock: Callable[[], object] | None = None,
    ) -> None:
        self.driver = Driver(loop, rearm=self._wake, on_stop=self.stop, signals=False)
        self.turns = 0
        self._interrupted = interrupted
        self._follow_clock = follow_clock
        self._over = False
        self._finished = False
        self._pump_task: trio.lowlevel.Task | None = None
        self._pumper: trio.lowlevel.Task | None = None  # the same, while it sleeps
        self._alarm = trio.CancelScope()
        self._rung = False
        self._alone = 0  # Trio tasks that have ended, one after another, and found the pump asleep
        self._deadline: int | None = None

    def open(self) -> None:
        """Takes the loop, which counts as running from here on."""
        self.driver.open()

    def stop(self) -> None:
        """Ends run() after one more turn, or after the present one. In the loop's thread."""
        self._over = True
        self._wake()

    @property
    def stopping(self) -> bool:
        """Whether stop() has been called."""
        return self._over

    async def run(self) -> None:
        """Turns the loop until stop(), and gives it back."""
        fd = self.driver.fileno()
        try:
            async with trio.open_nursery() as nursery:
                nursery.cancel_scope.shield = True
                nursery.start_soon(self._watch, fd)
                await self._pump()
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # There is nobody else whose error this could be.
            if len(group.exceptions) > 1:
                raise
            raise group.exceptions[0] from group.exceptions[0].__cause__
        finally:
            # The descriptor may be closed next, and its number belong to somebody else.
            trio.lowlevel.notify_closing(fd)
            self.driver.close()

    @trio.lowlevel.enable_ki_protection
    async def _watch(self, fd: int) -> None:
        try:
            while not self._over:
                await trio.lowlevel.wait_readable(fd)
                if not self._over:
                    self._turn_for_pump(lazily=False)
                if self._over or self._arrange():
                    self._wake()
        except BaseException:
            self._over = True
            self._wake()
            raise

    @trio.lowlevel.enable_ki_protection
    async def _pump(self) -> None:
        self._pump_task = me = trio.lowlevel.current_task()
        while True:
            lazily = False
            # Shielded, so that only its deadline cancels it; then it has done its work.
            with trio.CancelScope(shield=True) as self._alarm:
                self._deadline = None
                self._rung = False
                while not self._rung:
                    if not self._finished:
                        self._turn(lazily)
                    # After an alarm a timer is due, which only the core knows.
                    lazily = True
                    if self._finished:
                        return
                    if self._over or self._arrange():
                        await trio.lowlevel.cancel_shielded_checkpoint()
                    else:
                        self._pumper = me
                        await wait_task_rescheduled(self._abort)

    def ends_alone(self) -> bool:
        """To be asked at the end of a Trio task: whether it had better turn the loop itself."""
        if self._pumper is None:
            self._alone = 0
            return False
        self._alone += 1
        return self._alone > ALONE and self._alone % LOOK_EVERY != 0 and not self._over

    @trio.lowlevel.enable_ki_protection
    def turn_after(self, first: Callable[[], object]) -> None:
        """Calls `first` and turns the loop in the present task, a round sooner than the pump could."""
        pumper = self._pumper
        if pumper is None or self._over:  # since a moment ago, by a signal's handler
            first()
            return
        self._pumper = None
        try:
            self._turn_for_pump(True, first)
            self._pumper = pumper
            if self._over or self._rung or self._arrange():
                self._wake()
        except BaseException:
            self._pumper = pumper
            self._over = True
            self._wake()
            raise

    def _abort(self, raise_cancel: Callable[[], NoReturn]) -> Abort:
        """The deadline has come: no exception needs to be raised for it."""
        self._rung = True
        self._wake()
        return Abort.FAILED

    def _wake(self) -> None:
        task, self._pumper = self._pumper, None
        if task is not None:
            reschedule(task)

    def _arrange(self) -> bool:
        """Asks for the deadline and sets the alarm. True if the loop wants to be turned at once."""
        deadline = self.driver.next_deadline()
        if deadline == 0:
            return True
        if deadline != self._deadline:
            self._deadline = deadline
            if deadline is None:
                self._alarm.deadline = math.inf
            elif self._follow_clock is not None:
                self._alarm.deadline = deadline / 1e9
            else:
                self._alarm.deadline = trio.current_time() + deadline / 1e9 - self.driver.loop.time()
        return False

    def _turn_for_pump(self, lazily: bool, first: Callable[[], object] | None = None) -> None:
        """A turn in another task than the pump."""
        assert self._pump_task is not None
        task = swap_task(self._pump_task)
        try:
            self._turn(lazily, first)
        finally:
            swap_task(task)

    def _turn(self, lazily: bool, first: Callable[[], object] | None = None) -> None:
        self.turns += 1
        last = self._over
        if self._follow_clock is not None:
            self._follow_clock()
        library = thread_local.name
        thread_local.name = "asyncio"
        try:
            self.driver.step(rounds=not last, lazily=lazily and not last, first=first)
        except (KeyboardInterrupt, SystemExit) as exc:
            if self._interrupted is None:
                raise
            self._interrupted(exc)
        finally:
            thread_local.name = library
            self._finished = last or self.driver.stopped
