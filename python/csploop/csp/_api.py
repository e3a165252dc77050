"""What nodes, callbacks and coroutines ask about the run that they are in."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

from csploop._loop.simulated import SimulatedLoop
from csploop.csp._run import Run, current_run

if TYPE_CHECKING:
    from csploop._loop.base import Loop

__all__ = ["get_csp_asyncio_loop", "hold", "is_csp_asyncio_mode", "now", "stop_engine"]


def is_csp_asyncio_mode() -> bool:
    """Whether this thread is in a run of csploop.csp whose loop shares the engine's thread."""
    run = current_run()
    return run is not None and not run.on_thread


def get_csp_asyncio_loop() -> Loop | None:
    """The loop of the run that this thread is in, None outside of one."""
    run = current_run()
    return None if run is None else run.loop


def _required(what: str) -> Run:
    run = current_run()
    if run is None:
        raise RuntimeError(f"csploop.csp.{what}() is for nodes and coroutines of a run of csploop.csp.run()")
    return run


def now() -> datetime:
    """Engine time (naive UTC, as csp.now()), for coroutines and callbacks. RuntimeError outside of a run."""
    return _required("now").now()


def stop_engine() -> None:
    """Ends the run, from coroutines; values emitted before tick first. RuntimeError outside of a run."""
    _required("stop_engine").stop_engine()


class hold:  # used as a function, in `with` and `async with`
    """Engine time stands still in this block of a coroutine or callback, in simulation. In realtime: nothing.

    For real work that a loop cannot see, such as an answer that is awaited on a connection. `what` names it
    in the TimeoutError that comes when it takes longer than the run's io_timeout.
    """

    def __init__(self, what: str = "csploop.csp.hold()") -> None:
        self._what = what
        self._hold: Any = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(loop, SimulatedLoop):
            self._hold = loop.hold(self._what).enter()

    def __exit__(self, *exc_info: object) -> None:
        held, self._hold = self._hold, None
        if held is not None:
            held.release()

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *exc_info: object) -> None:
        self.__exit__(*exc_info)
