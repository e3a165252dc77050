"""ProcessTransport: a child process. asyncio's own transport, with another way to learn of the child's exit.

Python's subprocess.Popen starts the child. The loop watches a pidfd, which becomes readable when the child
exits; where there is none (other systems, old kernels, PyPy, no descriptor left), a thread waits. Nobody but
this one child is ever waited for, and that under the Popen's own lock: other children, signal handlers and
whoever uses the Popen itself are not disturbed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import threading
from asyncio import base_subprocess
from asyncio.log import logger
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from csploop._ffi import ffi, lib
from csploop._ffi.errors import check
from csploop._loop.handles import Handle

if TYPE_CHECKING:
    from csploop._loop.state import LoopState

__all__ = ["ExitWatch", "ProcessTransport"]

READ = lib.CSPLOOP_WATCH_READ
# What asyncio reports when somebody else has taken the exit status away.
UNKNOWN_STATUS = 255

pidfd_open: Callable[[int], int] | None = getattr(os, "pidfd_open", None)


class ProcessTransport(base_subprocess.BaseSubprocessTransport):
    if TYPE_CHECKING:
        _loop: Any
        _proc: Any
        _pipes: dict[int, Any]
        _returncode: int | None
        _protocol: Any
        _exit_waiters: Any
        _pending_calls: Any

    _look_for_end: Callable[[], Any] | None = None

    def _start(
        self, args: Any, shell: bool, stdin: Any, stdout: Any, stderr: Any, bufsize: int, **kwargs: Any
    ) -> None:
        loop = self._loop
        if loop._dirty:
            loop._flush()  # starting a child takes long, and a child that forks must not have a copy
        self._proc = popen = subprocess.Popen(
            args,
            shell=shell,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            universal_newlines=False,
            bufsize=bufsize,
            **kwargs,
        )
        if pidfd_open is not None:
            try:
                ExitWatch(loop, pidfd_open(popen.pid), popen, self._process_exited)
                return
            except OSError as exc:
                logger.debug("no pidfd for child %d, a thread will wait: %r", popen.pid, exc)
        threading.Thread(
            target=_wait_in_thread,
            args=(loop, popen, self._process_exited),
            name=f"csploop-wait-{popen.pid}",
            daemon=True,
        ).start()

    async def _connect_pipes(self, waiter: Any) -> None:
        """asyncio's constructor makes a task of this, which nobody could cancel together with its caller."""

    async def _connect(self) -> None:
        """Connects the pipes and tells the protocol. Whoever cancels it calls _give_up()."""
        loop, popen = self._loop, self._proc
        if popen.stdin is not None:
            _, self._pipes[0] = await loop.connect_write_pipe(
                lambda: base_subprocess.WriteSubprocessPipeProto(self, 0), popen.stdin
            )
        if popen.stdout is not None:
            _, self._pipes[1] = await loop.connect_read_pipe(
                lambda: base_subprocess.ReadSubprocessPipeProto(self, 1), popen.stdout
            )
        if popen.stderr is not None:
            _, self._pipes[2] = await loop.connect_read_pipe(
                lambda: base_subprocess.ReadSubprocessPipeProto(self, 2), popen.stderr
            )
        loop.call_soon(self._protocol.connection_made, self)
        calls, self._pending_calls = self._pending_calls, None
        for callback, data in calls:
            loop.call_soon(callback, *data)
        await asyncio.sleep(0)  # until those have been called

    def _abandon(self) -> bool:
        """Kills the child and lets go of its pipes; False for a child that may not be killed."""
        loop, popen = self._loop, self._proc
        ends = True
        if self._returncode is None and popen.poll() is None:
            try:
                popen.kill()
            except ProcessLookupError:
                pass
            except PermissionError:
                ends = False
        with contextlib.suppress(PermissionError):  # as above, before Python 3.13
            self.close()
        for number, file in enumerate((popen.stdin, popen.stdout, popen.stderr)):
            if file is None or file.closed or self._pipes[number] is not None:
                continue
            if loop.is_closed() or file.fileno() not in loop._streams:
                file.close()
            # Else its transport has been made, and was closed when its connecting was cancelled.
        return ends

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        stdin = self._pipes.get(0)
        if name == "subprocess" and stdin is not None:
            stdin.pipe.get_extra_info("pipe")  # which the Popen has, too
        return super().get_extra_info(name, default)

    async def _give_up(self) -> None:
        """Ends a child of which not everything could be connected, and waits until nothing is left of it.

        asyncio's _wait would also wait for the pipes that have no transport.
        """
        loop, popen = self._loop, self._proc
        files = [file for file in (popen.stdin, popen.stdout, popen.stderr) if file is not None]
        if not self._abandon():
            return
        ended = loop.create_future()

        def look() -> None:
            told = self._pending_calls is not None or self._protocol is None
            closed = self._returncode is not None and all(file.closed for file in files)
            if told and closed and not ended.done():
                ended.set_result(None)

        # In the next turn: a pipe's file is closed after its protocol has been told.
        self._look_for_end = partial(loop.call_soon, look)
        self._look_for_end()
        cancelled = False
        while not ended.done():
            try:
                await asyncio.wait((ended,))
            except asyncio.CancelledError:  # once more; what was killed ends soon
                cancelled = True
        self._look_for_end = None
        if cancelled:
            raise asyncio.CancelledError

    def _process_exited(self, returncode: int) -> None:
        super()._process_exited(returncode)
        # asyncio 3.11 to 3.13 lets wait() wait for the pipes, too, which the child's own children may keep.
        for waiter in self._exit_waiters or ():
            if not waiter.done():
                waiter.set_result(returncode)

    def _try_finish(self) -> None:
        super()._try_finish()
        if self._look_for_end is not None:
            self._look_for_end()

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        if self._exit_waiters:
            self._exit_waiters.clear()  # they are done
        try:
            super()._call_connection_lost(exc)
        finally:
            if self._look_for_end is not None:
                self._look_for_end()


class ExitWatch:
    """The pidfd of one child, which it owns. Calls report(status) once, in the context of its making."""

    __slots__ = ("fd", "handle", "id", "loop", "popen", "report", "told")

    def __init__(
        self, loop: LoopState, fd: int, popen: subprocess.Popen[bytes], report: Callable[[int], None]
    ) -> None:
        self.loop = loop
        self.fd = fd
        self.popen = popen
        self.report: Callable[[int], None] | None = report
        self.told = False
        out = ffi.new("csploop_id *")
        try:
            check(loop._lib.csploop_watch(loop._core, out, fd, READ, ffi.NULL, ffi.NULL))
        except BaseException:
            os.close(fd)
            raise
        self.id: int = out[0]
        self.handle: Handle | None = Handle(self._exited, (), loop, copy_context())
        loop._owners[self.id] = self

    def _on_record(self, kind: int, result: int, offset: int) -> None:
        loop = self.loop
        loop._owners.pop(self.id, None)
        try:
            code = loop._lib.csploop_unwatch(loop._core, self.id)
            self.release()
            loop._run_handle(self.handle)
        except (SystemExit, KeyboardInterrupt):
            if not self.told:
                loop._ready.append(self.handle)
            raise
        finally:
            self.handle = None  # which holds what holds it
        check(code)

    def _exited(self) -> None:
        self.told = True
        report, self.report = self.report, None
        assert report is not None
        report(_take_status(self.popen))

    def release(self) -> None:
        """Closes the descriptor; for a loop that closes before the child exits."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _take_status(popen: subprocess.Popen[bytes]) -> int:
    """The status of a child that has exited, whoever was first to ask for it through the Popen."""
    # A thread inside popen.wait() has this lock, and gives it back when it has noted the status.
    with popen._waitpid_lock:  # type: ignore[attr-defined]
        if popen.returncode is None:
            try:
                popen.returncode = os.waitstatus_to_exitcode(os.waitpid(popen.pid, 0)[1])
            except ChildProcessError:
                popen.returncode = UNKNOWN_STATUS
                logger.warning(
                    "child process pid %d exit status already read:  will report returncode 255", popen.pid
                )
    return popen.returncode


def _wait_in_thread(loop: Any, popen: subprocess.Popen[bytes], report: Callable[[int], None]) -> None:
    status = popen.wait()
    try:
        loop.call_soon_threadsafe(report, status)
    except RuntimeError:
        logger.warning("Loop %r that handles pid %r is closed", loop, popen.pid)
