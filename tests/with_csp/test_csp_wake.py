"""The thread that sleeps on the loop's descriptor: a wake for each arm, and none after close. Both kinds."""

from __future__ import annotations

import select
import socket
import threading

import pytest
from csploop.csp._epoll_watch import EpollWatch
from csploop.csp._wake import PollWatch

KINDS = [PollWatch, *([EpollWatch] if hasattr(select, "epoll") else [])]


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("kind", KINDS)
def test_each_arm_is_good_for_one_wake(kind, pair):
    ours, theirs = pair
    wakes = threading.Semaphore(0)
    watch = kind(ours.fileno(), wakes.release)
    try:
        theirs.send(b"x")
        for _ in range(20):
            watch.arm()
            assert wakes.acquire(timeout=40)  # it stays readable
            assert not wakes.acquire(blocking=False)
        ours.recv(1)
        watch.arm()
        watch.arm()  # nothing to read: both are the same arm
        assert not wakes.acquire(blocking=False)
        theirs.send(b"x")
        assert wakes.acquire(timeout=40)
    finally:
        watch.close()
    assert not wakes.acquire(blocking=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("armed", [False, True])
def test_close_ends_the_thread_without_a_wake(kind, armed, pair):
    ours, _ = pair
    wakes = []
    watch = kind(ours.fileno(), lambda: wakes.append(True))
    if armed:
        watch.arm()
    watch.close()
    assert not watch._thread.is_alive()
    assert not wakes
