"""What wakes a csp engine when the loop's descriptor becomes readable: a thread that sleeps on it.

Each `arm()` is good for one call of `wake`, which comes from the thread. `close()` ends the thread and waits
for it: after that `wake` is not called any more. Owner: the engine's thread.
"""

from __future__ import annotations

import select
import socket
import threading
from typing import Callable, Union

from csploop.csp._epoll_watch import EpollWatch

__all__ = ["PollWatch", "Watch", "watch"]


class PollWatch:
    """The thread sleeps on a lock until it is armed, then in poll()."""

    def __init__(self, fd: int, wake: Callable[[], object]) -> None:
        self._fd = fd
        self._wake = wake
        self._armed = False
        self._closing = threading.Event()
        self._inner, self._outer = socket.socketpair()
        self._turn = threading.Lock()
        self._turn.acquire()
        self._thread = threading.Thread(target=self._watch, name="csploop-csp-wake", daemon=True)
        self._thread.start()

    def arm(self) -> None:
        if not self._armed:
            self._armed = True
            self._turn.release()

    def close(self) -> None:
        self._closing.set()
        self._outer.send(b"\0")
        self.arm()
        self._thread.join()
        self._inner.close()
        self._outer.close()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._inner, select.POLLIN)
        poll.register(self._fd, select.POLLIN)
        while True:
            self._turn.acquire()
            if self._closing.is_set():
                return
            poll.poll()
            if self._closing.is_set():
                return
            self._armed = False
            self._wake()


Watch = Union[EpollWatch, PollWatch]


def watch(fd: int, wake: Callable[[], object]) -> Watch:
    """The best one here."""
    return EpollWatch(fd, wake) if hasattr(select, "epoll") else PollWatch(fd, wake)
