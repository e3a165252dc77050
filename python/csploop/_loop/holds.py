"""What holds simulated time: everything real that the program has asked for and that takes its real time.

Executor jobs (and with them DNS), connects, sock_* operations, waiting for a child or its output, written
bytes that are not out yet, and what the program holds by itself. Listeners, watchers and idle transports do
not: an answer that is awaited on a transport is nothing that a loop can see.

Jobs of executors are delivered in the order of their submission, and only when nothing else is ready, so that
it does not depend on the machine which turn sees which result.
"""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections import deque
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable

from csploop._loop.base import Loop
from csploop._loop.clock import monotonic

if TYPE_CHECKING:
    import socket
    from types import TracebackType

    from csploop._transports.process import ProcessTransport

__all__ = ["Hold", "HoldsMixin"]


class Hold:
    """Time stands still from `enter` (or `with`) to `release`. Releasing twice is once."""

    def __init__(self, loop: HoldsMixin, what: str) -> None:
        self._loop = loop
        self.what = what
        self.since = 0.0
        self._number = 0

    def enter(self) -> Hold:
        if not self._number:
            self._number = next(self._loop._hold_numbers)
            self.since = monotonic()
            self._loop._holds[self._number] = self
        return self

    def release(self) -> None:
        if self._number and self._loop._holds.pop(self._number, None) is not None:
            self._number = 0
            self._loop._ring()

    def __enter__(self) -> Hold:
        return self.enter()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class Job:
    """A call in an executor, and the future that waits for it on the loop."""

    __slots__ = ("future", "hold", "inner")

    def __init__(self, inner: Future[Any], future: asyncio.Future[Any], hold: Hold) -> None:
        self.inner = inner
        self.future = future
        self.hold = hold

    def deliver(self) -> None:
        self.hold.release()
        future, inner = self.future, self.inner
        if future.done():
            return
        if inner.cancelled():
            future.cancel()
            return
        exc = inner.exception()
        if exc is not None:
            future.set_exception(exc)
        else:
            future.set_result(inner.result())


class HoldsMixin(Loop):
    def __init__(self, *, poller: str | None = None, write: str = "gather") -> None:
        self._holds: dict[int, Hold] = {}
        self._hold_numbers = itertools.count(1)
        self._jobs: deque[Job] = deque()
        self._children: weakref.WeakSet[ProcessTransport] = weakref.WeakSet()
        super().__init__(poller=poller, write=write)

    def hold(self, what: str = "the program") -> Hold:
        """A `with` block during which simulated time stands still; `what` names it when that is too long."""
        return Hold(self, what)

    def _held_by(self) -> tuple[list[str], float]:
        """What holds time now, and since when (monotonic seconds); ([], 0) when nothing does."""
        holds = list(self._holds.values())  # which another thread may release meanwhile
        names = [hold.what for hold in holds]
        since = min((hold.since for hold in holds), default=0.0)
        for stream in self._streams.values():
            unsent = getattr(stream, "get_write_buffer_size", None)
            if unsent is not None and unsent() > 0:
                names.append(f"unsent bytes of {stream!r}")
        names += [f"output of child {child.get_pid()}" for child in self._children if _is_read(child)]
        return names, since

    def run_in_executor(  # type: ignore[override]  # asyncio's stub has generic arguments
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        self._check_closed()
        if self._debug:
            self._check_callback(func, "run_in_executor")
        if executor is None:
            executor = self._own_executor()
        inner = executor.submit(func, *args)
        future = self.create_future()
        job = Job(inner, future, self.hold(f"executor job {func!r}").enter())
        self._jobs.append(job)
        future.add_done_callback(lambda done: inner.cancel() if done.cancelled() else None)
        inner.add_done_callback(self._job_done)
        return future

    def _own_executor(self) -> Executor:
        check: Callable[[], None] = getattr(self, "_check_default_executor")  # noqa: B009
        check()
        executor: Executor | None = getattr(self, "_default_executor")  # noqa: B009
        if executor is None:
            executor = self._default_executor = ThreadPoolExecutor(thread_name_prefix="asyncio")
        return executor

    def _job_done(self, inner: Future[Any]) -> None:
        """On the executor's thread, or any."""
        self._ring()

    def _deliver_job(self) -> bool:
        """Delivers the oldest job if it is done."""
        jobs = self._jobs
        if jobs and jobs[0].inner.done():
            jobs.popleft().deliver()
            return True
        return False

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        with self.hold("shutdown of the default executor"):
            await super().shutdown_default_executor(*args, **kwargs)

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        with self.hold("create_connection"):
            return await super().create_connection(*args, **kwargs)

    async def create_unix_connection(self, *args: Any, **kwargs: Any) -> Any:
        with self.hold("create_unix_connection"):
            return await super().create_unix_connection(*args, **kwargs)

    async def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        with self.hold("start_tls"):
            return await super().start_tls(*args, **kwargs)

    def _limit_handshake(self, seconds: float, give_up: Callable[[], None]) -> asyncio.TimerHandle | None:
        """None: a client's pace is real, and hours may pass here between two of its packets. Our own
        handshakes as a client hold time."""
        return None

    async def _wait(self, sock: socket.socket, event: int, attempt: Callable[[], Any]) -> Any:
        with self.hold(f"operation on {sock!r}"):
            return await super()._wait(sock, event, attempt)

    async def _make_subprocess_transport(self, *args: Any, **kwargs: Any) -> ProcessTransport:
        with self.hold("start of a child process"):
            transport = await super()._make_subprocess_transport(*args, **kwargs)
        self._children.add(transport)
        return transport


def _is_read(child: ProcessTransport) -> bool:
    """Whether somebody awaits the child's exit, or with asyncio's stream interface its output."""
    if child.get_returncode() is None and any(not waiter.done() for waiter in _waiters(child)):
        return True
    protocol = child.get_protocol()
    readers = (getattr(protocol, "stdout", None), getattr(protocol, "stderr", None))
    return any(getattr(reader, "_waiter", None) is not None for reader in readers)


def _waiters(child: ProcessTransport) -> list[Any]:
    return getattr(child, "_exit_waiters", None) or []
