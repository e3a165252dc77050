"""Emitter: what makes values tick on an edge from outside of the engine's own doing.

    emitter = Emitter("quotes")
    edge = emitted(emitter, Quote)                   in the wiring
    emitter.emit(value)                              from the run's loop, once the graph has started

In the engine's thread a value is an alarm on the edge's node, due at once: it ticks at the present csp.now(),
in the next cycle, and of several values each in a cycle of its own, in order. No queue is in between. From
other threads it takes the way through `Run.in_engine`.

A captured alarm must not outlive its node: the node's stop block takes it away, and later use raises.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable

from csploop.csp import _nodes
from csploop.csp._run import Run, current_run
from csploop.csp._times import AT_ONCE

__all__ = ["Emitter", "emitted"]


class Emitter:
    """One edge's end in the hands of coroutines. Good for one run; made in the wiring.

    on_start, on_stop: called by the node's start and stop blocks, on the engine's thread. The emitter can
    emit in the first and no longer in the second.
    """

    def __init__(
        self,
        name: str = "",
        *,
        on_start: Callable[[Run], object] | None = None,
        on_stop: Callable[[], object] | None = None,
    ) -> None:
        self.name = name
        self._on_start = on_start
        self._on_stop = on_stop
        self._run: Run | None = None
        self._thread = 0
        self._schedule: Callable[[Any, Any], object] | None = None
        self._stopped = False
        # Values on their way to a cycle of their own.
        self._flying = 0
        self._when_ticked: Callable[[], object] | None = None

    @property
    def flying(self) -> int:
        """How many values are emitted and have not ticked."""
        return self._flying

    @property
    def live(self) -> bool:
        """Whether values can be emitted: the node has started and not stopped."""
        return self._schedule is not None

    def emit(self, value: Any) -> None:
        """Makes the value tick. RuntimeError before the node has started and after it has stopped.

        From another thread than the engine's the value ticks soon, and is dropped if the node stops before.
        """
        schedule = self._schedule
        if schedule is None:
            raise RuntimeError(self._why_not())
        run = self._run
        assert run is not None
        if threading.get_ident() == self._thread:
            schedule(AT_ONCE, value)
            if not run._stop_wanted:
                self._flying += 1
                run._flying += 1
        else:
            run.in_engine(lambda: self._emit_late(value))

    async def tick(self, value: Any) -> None:
        """emit(), and a wait until it has ticked, all but for nodes that the cycle has yet to come to.

        On the engine's thread, by one coroutine at a time.
        """
        self.emit(value)
        run = self._run
        assert run is not None
        if run.realtime:
            # A loop with work ready makes the pump tick by a push, and csp does first what is due.
            await asyncio.sleep(0)
        else:
            # There a turn of the loop ends when all is done that can be done at this time.
            ticked = run.loop.create_future()

            def done() -> None:
                if not ticked.done():
                    ticked.set_result(None)

            self.when_ticked(done)
            await ticked

    def when_ticked(self, callback: Callable[[], object]) -> None:
        """Called on the engine's thread when all that has been emitted has ticked. One at a time."""
        self._when_ticked = callback

    def _emit_late(self, value: Any) -> None:
        if self._schedule is not None:
            self.emit(value)

    def _why_not(self) -> str:
        name = f" of {self.name}" if self.name else ""
        if self._stopped:
            return f"the node{name} has stopped: nothing can tick on it any more"
        return f"the node{name} has not started: nothing can tick on it yet"

    # The node calls these.

    def _bind(self, schedule: Callable[[Any, Any], object]) -> None:
        run = current_run()
        if run is None:
            raise RuntimeError("this graph needs the asyncio loop of csploop.csp.run()")
        self._run = run
        self._thread = threading.get_ident()
        self._schedule = schedule
        self._stopped = False
        if self._on_start is not None:
            self._on_start(run)

    def _kick(self) -> None:
        """In the first cycle of the node: what its start block has scheduled in the loop is seen for sure."""
        assert self._run is not None
        self._run._kick()

    def _landed(self) -> None:
        if self._flying:  # an emitter's values tick in order: those that do not count come last
            self._flying -= 1
            self._run._flying -= 1  # type: ignore[union-attr]
            if self._flying:
                return
        callback, self._when_ticked = self._when_ticked, None
        if callback is not None:
            callback()

    def _unbind(self) -> None:
        self._schedule = None
        self._stopped = True
        if self._run is not None:
            self._run._flying -= self._flying
            self._flying = 0
        if self._on_stop is not None:
            self._on_stop()


def emitted(emitter: Emitter, typ: Any) -> Any:
    """The edge on which the emitter's values tick, a ts[typ]. Once per emitter. In the wiring."""
    if emitter.name:
        return _nodes.emitted_node.using(name=emitter.name)(emitter, typ)
    return _nodes.emitted_node(emitter, typ)
