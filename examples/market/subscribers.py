"""Who wants messages, and what happens to a subscriber that reads too slowly.

Each subscriber has a queue of its own. A full queue drops its oldest message, and the subscriber is told how
many it lost before it gets the next one: a stale price is worth less than a fresh one, but a silent gap is
worse than both. A slow subscriber costs the others nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Iterator
from typing import Callable


class Subscriber:
    """One WebSocket's queue. `pump` is its only consumer."""

    def __init__(self, limit: int) -> None:
        self._queue: deque[str] = deque()
        self._limit = limit
        self._more = asyncio.Event()
        self._untold = 0  # dropped since the subscriber was last told
        self._ending = False
        self.symbols: set[str] = set()
        self.sent = 0  # messages handed to the connection
        self.dropped = 0

    def offer(self, message: str) -> None:
        if len(self._queue) >= self._limit:
            self._queue.popleft()
            self._untold += 1
            self.dropped += 1
        self._queue.append(message)
        self._more.set()

    def end(self) -> None:
        """Lets `pump` return once the queue is empty."""
        self._ending = True
        self._more.set()

    async def pump(self, send: Callable[[str], Awaitable[None]]) -> None:
        queue = self._queue
        while True:
            while queue:
                if self._untold:
                    lost, self._untold = self._untold, 0
                    await send(f'{{"dropped":{lost}}}')
                    continue  # the queue may have moved on while we waited
                await send(queue.popleft())
                self.sent += 1
            if self._ending:
                await send(json.dumps({"end": True, "sent": self.sent, "dropped": self.dropped}))
                return
            self._more.clear()
            await self._more.wait()


class Subscribers:
    """Those who are there, and the books on all who ever were."""

    def __init__(self, limit: int) -> None:
        self._limit = limit  # messages that wait for one subscriber before the oldest is dropped
        self._present: set[Subscriber] = set()
        self._gone_sent = self._gone_dropped = self._gone_slow = 0
        self.joined = 0

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(self._present)

    def __len__(self) -> int:
        return len(self._present)

    def join(self) -> Subscriber:
        subscriber = Subscriber(self._limit)
        self._present.add(subscriber)
        self.joined += 1
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        self._present.discard(subscriber)
        self._gone_sent += subscriber.sent
        self._gone_dropped += subscriber.dropped
        self._gone_slow += bool(subscriber.dropped)

    def end_all(self) -> None:
        for subscriber in self._present:
            subscriber.end()

    @property
    def sent(self) -> int:
        return self._gone_sent + sum(subscriber.sent for subscriber in self._present)

    @property
    def dropped(self) -> int:
        return self._gone_dropped + sum(subscriber.dropped for subscriber in self._present)

    @property
    def slow(self) -> int:
        """Subscribers that lost at least one message."""
        return self._gone_slow + sum(bool(subscriber.dropped) for subscriber in self._present)
