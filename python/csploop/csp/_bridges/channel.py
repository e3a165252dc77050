"""Channel: the bounded queue of Python values that any thread pushes into and one engine empties in batches.

All of it is under one lock, which is held for a few operations on a deque and never while user code runs. The
engine is told at most once a batch. Values stay in Python: to hand them through C, each push would let the
GIL go, and that costs more than all the rest.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

__all__ = ["BridgeStats", "Channel"]

POLICIES = ("block", "fail", "drop-oldest")
# As many values as tick between two looks at other pushes: csp runs what a batch has scheduled before those.
BATCH = 1024


class BridgeStats(NamedTuple):
    """Counts since the bridge was made; pushed == drained + dropped + queued."""

    capacity: int
    pushed: int  # values taken in
    drained: int  # of these, handed to the graph
    dropped: int  # of these, thrown away: by drop-oldest, or left when the graph or the bridge stopped
    refused: int  # values not taken: no room (fail), or no graph
    blocked: int  # pushes that had to wait
    wakes: int  # times the engine was told
    queued: int  # values inside now


class Channel:
    """keep: values pushed while no engine is there wait for one, instead of being refused."""

    def __init__(self, capacity: int, overflow: str, keep: bool) -> None:
        if overflow not in POLICIES:
            raise ValueError(f"overflow must be one of {', '.join(map(repr, POLICIES))}, not {overflow!r}")
        if not isinstance(capacity, int):
            raise TypeError(f"capacity must be an int, not {type(capacity).__name__}")
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self.lock = threading.RLock()  # a finalizer or signal handler may push while its thread is inside
        self._room = threading.Condition(self.lock)
        self._capacity = capacity
        self._low = capacity // 2  # who waits for room is told when so few are left
        self._overflow = overflow
        self._keep = keep
        self._values: deque[Any] = deque()
        # Tells the engine; under the lock, so that it is never used after `unbind`.
        self._signal: Callable[[], object] | None = None
        self._engine_thread = 0
        self._signaled = False
        self._closed = False
        self._taking = keep
        self._blocking = 0
        self._waiters: list[tuple[asyncio.AbstractEventLoop, int, asyncio.Future[None]]] = []
        self._pushed = self._drained = self._dropped = self._refused = self._blocked = self._wakes = 0

    # Any thread.

    def push(self, value: Any) -> bool:
        """bench: bridge.py. False: there is no graph. What a full channel does is its policy."""
        with self.lock:
            values = self._values
            if not self._taking or (len(values) >= self._capacity and not self._make_room()):
                self._refused += 1
                return False
            if not self._signaled:
                self._tell()  # first, because it may refuse; nobody takes before the lock is free
            values.append(value)
            self._pushed += 1
            return True

    def push_many(self, values: Sequence[Any]) -> int:
        """How many were taken, the first ones; with "fail" it is the count that tells, and no exception."""
        taken = 0
        total = len(values)
        with self.lock:
            while taken < total:
                if not self._taking:
                    break
                room = self._capacity - len(self._values)
                if room <= 0:
                    if self._overflow == "fail" or not self._make_room():
                        break
                    continue
                some = values[taken : taken + room]
                if not self._signaled:
                    self._tell()
                self._values.extend(some)
                self._pushed += len(some)
                taken += len(some)
            self._refused += total - taken
        return taken

    async def wait_for_room(self) -> None:
        """Returns at once unless the channel is full; then when it is half empty, or takes no more."""
        with self.lock:
            if len(self._values) < self._capacity or not self._taking:
                return
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            waiter = (loop, threading.get_ident(), future)
            self._waiters.append(waiter)
        try:
            await future
        finally:
            with self.lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def offer(self, value: Any) -> bool | None:
        """As push, but None where there is no room, whatever the policy."""
        with self.lock:
            if not self._taking:
                self._refused += 1
                return False
            if len(self._values) >= self._capacity:
                return None
            if not self._signaled:
                self._tell()  # first, because it may refuse; nobody takes before the lock is free
            self._values.append(value)
            self._pushed += 1
        return True

    def close(self) -> None:
        """No more is taken; what is inside is dropped, who waits for room is told."""
        with self.lock:
            self._closed = True
            self._look()
            self._drop_rest()
            self._wake_waiting()

    def reopen(self) -> None:
        with self.lock:
            self._closed = False
            self._look()

    def stats(self) -> BridgeStats:
        with self.lock:
            return BridgeStats(
                self._capacity,
                self._pushed,
                self._drained,
                self._dropped,
                self._refused,
                self._blocked,
                self._wakes,
                len(self._values),
            )

    # The engine's thread.

    def bind(self, signal: Callable[[], object]) -> None:
        with self.lock:
            self._signal = signal
            self._engine_thread = threading.get_ident()
            self._look()
            if self._values:
                self._tell()

    def unbind(self) -> None:
        with self.lock:
            self._signal = None
            self._engine_thread = 0
            self._look()
            self._signaled = False
            if not self._keep:
                self._drop_rest()
                self._wake_waiting()

    def take(self) -> list[Any]:
        """The oldest values, at most BATCH of them. While more are left, the engine has been told again."""
        with self.lock:
            values = self._values
            if len(values) <= BATCH:
                taken = list(values)
                values.clear()
                self._signaled = False
            else:
                pop = values.popleft
                taken = [pop() for _ in range(BATCH)]
                self._tell()
            self._drained += len(taken)
            if (self._blocking or self._waiters) and len(values) <= self._low:
                self._wake_waiting()
        return taken

    # Under the lock.

    def _look(self) -> None:
        """Whether values are taken now."""
        self._taking = not self._closed and (self._keep or self._signal is not None)

    def _tell(self) -> None:
        if self._signal is None:
            return
        self._signal()
        self._signaled = True
        self._wakes += 1

    def _make_room(self) -> bool:
        """False: no longer taking. Raises what the policy says."""
        if self._overflow == "drop-oldest":
            self._values.popleft()
            self._dropped += 1
            return True
        if self._overflow == "fail":
            self._refused += 1
            raise asyncio.QueueFull(f"the bridge holds {self._capacity} values and has no room")
        if threading.get_ident() == self._engine_thread:
            raise RuntimeError(
                "the bridge is full, and to wait for room on the engine's own thread would be for ever"
            )
        self._blocked += 1
        self._blocking += 1
        try:
            while len(self._values) >= self._capacity:
                if not self._taking:
                    return False
                self._room.wait()
        finally:
            self._blocking -= 1
        return self._taking

    def _drop_rest(self) -> None:
        self._dropped += len(self._values)
        self._values.clear()
        self._signaled = False

    def _wake_waiting(self) -> None:
        if self._blocking:
            self._room.notify_all()
        waiters, self._waiters = self._waiters, []
        for loop, thread, future in waiters:
            if thread == threading.get_ident():
                # The engine's own loop, between two of its turns: the call from other threads would not be
                # seen.
                loop.call_soon(_wake, future)
                continue
            try:
                loop.call_soon_threadsafe(_wake, future)
            except RuntimeError:
                if not loop.is_closed():
                    raise
                # With the loop went whoever waited.


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
