"""Somebody else's socket under a number that was ours: what must be left alone."""

from __future__ import annotations

import os
import socket


class Stranger:
    """A blocking socket that gets a certain number, and its other end `far`.

    The number is free, or what is there is closed now. At the end of the block both ends are closed.
    """

    def __init__(self, number: int, type: int = socket.SOCK_STREAM) -> None:
        near, far = socket.socketpair(type=type)
        if far.fileno() == number:
            near, far = far, near
        if near.fileno() != number:
            os.dup2(near.fileno(), number, inheritable=False)
            near.close()
            near = socket.socket(fileno=number)
        far.setblocking(False)
        self.near, self.far = near, far

    def __enter__(self) -> Stranger:
        return self

    def __exit__(self, *args: object) -> None:
        self.near.close()
        self.far.close()

    def is_untouched(self, waiting: bytes = b"") -> bool:
        """Open, blocking and not shut down; nothing has come from it, and what it was sent is still there."""
        assert os.get_blocking(self.near.fileno())
        try:
            came = self.far.recv(65536)
        except BlockingIOError:
            pass
        else:
            raise AssertionError(f"{len(came)} bytes came from it: {came[:40]!r}")
        if waiting:
            assert self.near.recv(65536, socket.MSG_DONTWAIT) == waiting
        self.near.send(b"mine")
        assert self.far.recv(65536) == b"mine"
        return True
