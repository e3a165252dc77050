"""What wakes a csp engine when the loop's descriptor becomes readable: a thread that sleeps on it.

Each `arm()` is good for one call of `wake`, which comes from the thread. `close()` ends the thread and waits
for it: after that `wake` is not called any more. Owner: the engine's thread.
"""

from __future__ import annotations

import select
import socket
import threading
from typing import Any, Callable

__all__ = ["EpollWatch", "PollWatch", "watch"]


class EpollWatch:
    """On Linux: the kernel is armed from the engine's thread, so that each call costs one wake-up."""

    def __init__(self, fd: int, wake: Callable[[], object]) -> None:
        self._fd = fd
        self._wake = wake
        self._armed = False
        self._inner, self._outer = socket.socketpair()
        self._epoll: Any = select.epoll()
        self._epoll.register(self._inner, select.EPOLLIN)
        self._epoll.register(fd, select.EPOLLONESHOT)
        self._thread = threading.Thread(target=self._watch, name="csploop-csp-wake", daemon=True)
        self._thread.start()

    def arm(self) -> None:
        if not self._armed:
            self._armed = True
            self._epoll.modify(self._fd, select.EPOLLIN | select.EPOLLONESHOT)

    def close(self) -> None:
        self._outer.send(b"\0")
        self._thread.join()
        self._epoll.close()
        self._inner.close()
        self._outer.close()

    def _watch(self) -> None:
        end = self._inner.fileno()
        while True:
            for fd, _ in self._epoll.poll():
                if fd == end:
                    return
                # Before the call: what it makes the engine do ends with the next arm().
                self._armed = False
                self._wake()


class PollWatch:
    """Elsewhere: the thread sleeps on a lock until it is armed, then in poll()."""

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


def watch(fd: int, wake: Callable[[], object]) -> EpollWatch | PollWatch:
    """The best one here."""
    return EpollWatch(fd, wake) if hasattr(select, "epoll") else PollWatch(fd, wake)
