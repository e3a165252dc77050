"""EpollWatch: what `_wake.py` describes, by an epoll of its own. For Linux only."""

from __future__ import annotations

import select
import socket
import threading
from typing import Any, Callable

__all__ = ["EpollWatch"]


class EpollWatch:
    """The kernel is armed from the engine's thread, so that each call costs one wake-up."""

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
