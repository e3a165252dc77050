"""Pipes and subprocesses: what asyncio's base class wants from its loop for connect_read_pipe and its kin.

The base class checks the arguments, makes the protocol and waits for connection_made.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Any

from csploop._loop.state import LoopState
from csploop._transports.pipe import ReadPipeTransport
from csploop._transports.process import ExitWatch, ProcessTransport
from csploop._transports.write_pipe import WritePipeTransport

__all__ = ["ProcessesMixin"]


class ProcessesMixin(LoopState):
    def _make_read_pipe_transport(
        self,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        context: Context | None = None,
        **newer: Any,
    ) -> ReadPipeTransport:
        return ReadPipeTransport(self, pipe, protocol, waiter, extra, context)

    def _make_write_pipe_transport(
        self,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        context: Context | None = None,
        **newer: Any,
    ) -> WritePipeTransport:
        return WritePipeTransport(self, pipe, protocol, waiter, extra, context)

    async def _make_subprocess_transport(
        self,
        protocol: asyncio.SubprocessProtocol,
        args: Any,
        shell: bool,
        stdin: Any,
        stdout: Any,
        stderr: Any,
        bufsize: int,
        extra: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> ProcessTransport:
        transport = ProcessTransport(
            self, protocol, args, shell, stdin, stdout, stderr, bufsize, extra=extra, **kwargs
        )
        try:
            await transport._connect()
        except (SystemExit, KeyboardInterrupt):
            raise
        except GeneratorExit:
            # The task is thrown away, and nothing can be waited for.
            transport._abandon()
            raise
        except BaseException:
            await transport._give_up()
            raise
        return transport

    def close(self) -> None:
        super().close()
        for owner in self._owners.values():
            if isinstance(owner, ExitWatch):
                owner.release()
