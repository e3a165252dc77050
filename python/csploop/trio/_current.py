"""Which loop is the current one, in Trio's tasks and in asyncio's callbacks.

asyncio asks the thread for its running loop. Inside a Trio run with an open loop the answer depends on the
Trio task, so an instrument sets it from the task's `current_loop` before each of the task's steps, and gives
the thread back while Trio waits. No function of asyncio is replaced, and other threads see nothing of it.

Owner: the Trio run; one instrument serves all its open loops and goes with the last of them.
"""

from __future__ import annotations

from asyncio import events
from contextvars import Context, ContextVar, Token
from typing import TYPE_CHECKING, Any, Callable

import trio
from sniffio import thread_local

from csploop._compat import hide_policy_loop
from csploop.trio._inside import is_guest_run

if TYPE_CHECKING:
    from csploop.trio._calls import Border
    from csploop.trio._loop import BaseTrioEventLoop

__all__ = ["CurrentLoop", "RunningLoop", "border", "border_or_none", "current_loop", "guests"]

set_running_loop = events._set_running_loop
get_running_loop = events._get_running_loop

_variable: ContextVar[BaseTrioEventLoop | None] = ContextVar("csploop.trio.current_loop", default=None)

UNKNOWN: Any = object()

# asyncio loops that host a Trio run, and their side of the border.
guests: dict[Any, Border] = {}

NO_LOOP = (
    "no loop for asyncio is open here. In a Trio program, put the call inside `async with"
    " csploop.trio.open_loop():` or start the program with csploop.trio.run(). In an asyncio program on a"
    " csploop loop, call Trio code with `await csploop.trio.run_guest(async_fn, *args)`."
)


class CurrentLoop:
    """Used as a `contextvars.ContextVar` is; asyncio sees a change at once, not only at the next step."""

    name = _variable.name

    def get(self) -> BaseTrioEventLoop | None:
        """The loop of the nearest enclosing `open_loop`, or None."""
        return _variable.get()

    def set(self, loop: BaseTrioEventLoop | None) -> Token[BaseTrioEventLoop | None]:
        """Makes it the current loop of this context; the token is for `reset`."""
        token = _variable.set(loop)
        self._tell(loop)
        return token

    def reset(self, token: Token[BaseTrioEventLoop | None]) -> None:
        """Brings back what was current before the `set` that gave this token."""
        _variable.reset(token)
        self._tell(_variable.get())

    def within(self, context: Context) -> BaseTrioEventLoop | None:
        """Its value in another context."""
        return context.get(_variable)

    def _tell(self, loop: BaseTrioEventLoop | None) -> None:
        if not trio.lowlevel.in_trio_task() or thread_local.name == "asyncio":
            return
        instrument = _instrument.get()
        if instrument is not None:
            instrument.show(instrument.outer if loop is None else loop)

    def __repr__(self) -> str:
        return f"<csploop.trio.current_loop: {_variable.get()!r}>"


current_loop = CurrentLoop()


class RunningLoop(trio.abc.Instrument):
    """Sets the thread's running loop for each step of a Trio task, while a loop is open in the run."""

    def __init__(self) -> None:
        self.users = 0
        # In a guest run the host's, else None.
        self.outer = get_running_loop()
        self._shown: Any = self.outer
        self._show_policy_loop: Callable[[], None] = hide_policy_loop()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        loop: Any = task.context.get(_variable)
        if loop is None:
            loop = self.outer
        if loop is not self._shown:
            self.show(loop)

    def show(self, loop: Any) -> None:
        """Tells asyncio, unless it knows: before Python 3.12 telling and asking are a system call each."""
        if loop is not self._shown:
            self._shown = UNKNOWN  # Ctrl-C may come in between
            set_running_loop(loop)
            self._shown = loop

    def after_run(self) -> None:
        self.leave()

    def leave(self) -> None:
        set_running_loop(self.outer)
        self._show_policy_loop()

    @staticmethod
    def acquire() -> None:
        instrument = _instrument.get()
        if instrument is None:
            instrument = GuestsRunningLoop() if is_guest_run() else RunningLoop()
            trio.lowlevel.add_instrument(instrument)
            _instrument.set(instrument)
        instrument.users += 1

    @staticmethod
    def release() -> None:
        instrument = _instrument.get()
        assert instrument is not None
        instrument.users -= 1
        if not instrument.users:
            _instrument.set(None)
            trio.lowlevel.remove_instrument(instrument)
            instrument.leave()


class GuestsRunningLoop(RunningLoop):
    """The same in a guest run, whose host's code runs while Trio waits."""

    def before_io_wait(self, timeout: float) -> None:
        self.show(self.outer)


_instrument: trio.lowlevel.RunVar[RunningLoop | None] = trio.lowlevel.RunVar("csploop.trio", None)


def border_or_none() -> Border | None:
    """What calls cross here: that of the loop whose callback this is, or of the Trio task's current loop."""
    if thread_local.name == "trio":
        loop: Any = _variable.get()
        if loop is not None:
            return loop  # type: ignore[no-any-return]
        running: Any = get_running_loop()
    else:
        running = get_running_loop()
    if running is None:
        return None
    if hasattr(running, "trio_as_future"):
        return running  # type: ignore[no-any-return]
    return guests.get(running)


def border() -> Border:
    """The same; RuntimeError where there is none."""
    found = border_or_none()
    if found is None:
        raise RuntimeError(NO_LOOP)
    return found
