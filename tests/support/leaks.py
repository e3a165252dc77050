"""Nothing may outlive a test: descriptors, threads."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import sys
import threading
import traceback

FD_DIRECTORY = "/proc/self/fd"
HAS_FD_DIRECTORY = os.path.isdir(FD_DIRECTORY)


def open_fds() -> dict[int, str]:
    """Open descriptors and what they lead to; empty where the system does not tell."""
    found: dict[int, str] = {}
    if not HAS_FD_DIRECTORY:
        return found
    for name in os.listdir(FD_DIRECTORY):
        try:
            found[int(name)] = os.readlink(f"{FD_DIRECTORY}/{name}")
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return found


def shut_down_sockets(before: dict[int, str]) -> None:
    """Ends the connections that were made since `before` = open_fds(), so that nobody waits for them."""
    for fd, target in open_fds().items():
        if target.startswith("socket:") and before.get(fd) != target:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as twin:
                twin.shutdown(socket.SHUT_RDWR)


def let_go(error: BaseException | None) -> None:
    """Empties the frames of a failed test: what they hold is to go now, not in the midst of the next."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            try:
                frame.clear()
            except RuntimeError:
                continue  # it is still running
            # pytest has looked at the variables: before Python 3.13 that made a copy, which follows only now.
            _ = frame.f_locals
        error = error.__cause__ or error.__context__


PYPY = sys.implementation.name == "pypy"


def collect_garbage(thorough: bool = False) -> None:
    """Ends what only the collector can end. On PyPy that takes long, so there only when it must be."""
    if PYPY and not thorough:
        return
    # PyPy runs finalizers of one collection in the next.
    for _ in range(3 if PYPY else 1):
        gc.collect()


def is_kernel_object(target: str) -> bool:
    return target.startswith(("socket:", "pipe:", "anon_inode:"))


class Snapshot:
    # Descriptors that a failed test left, as (number, target): they may close at any time.
    unsure: set[tuple[int, str]] = set()

    def __init__(self) -> None:
        self.fds = open_fds()
        self.threads = set(threading.enumerate())

    def leaks(self) -> list[str]:
        """What there is now that was not there before."""
        found = []
        for thread in set(threading.enumerate()) - self.threads:
            if thread.name.startswith("Trio thread"):
                continue  # Trio keeps idle workers for ten seconds
            thread.join(timeout=20)
            if thread.is_alive():
                found.append(f"thread {thread.name} is still running")
        now = open_fds()
        for fd, target in sorted(now.items()):
            # PyPy closes a file that some library dropped (the null device of a Popen) when it pleases.
            if self.fds.get(fd) != target and (not PYPY or is_kernel_object(target)):
                found.append(f"descriptor {fd} -> {target} is still open")
        for fd, target in sorted(self.fds.items()):
            # Files are left out: an import may leave one to the garbage collector.
            if is_kernel_object(target) and fd not in now and (fd, target) not in self.unsure:
                found.append(f"descriptor {fd} -> {target} of somebody else was closed")
        return found
