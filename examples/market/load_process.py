"""The service's end of the clients' process: starts it, listens to it, lets it finish."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .load import LINE_LIMIT

PATIENCE = 20.0  # s for each thing that the clients should do by themselves


class ClientsFailed(Exception):
    """The clients' process did not do what it should."""


class LoadProcess:
    def __init__(self, loop_name: str) -> None:
        ours, theirs = socket.socketpair()
        examples = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join(p for p in (examples, os.environ.get("PYTHONPATH")) if p)
        with theirs:
            # A session of its own: Ctrl-C is for the service, which then tells the clients to finish.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "market.load", loop_name],
                stdin=theirs.fileno(),
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
        self._socket = ours
        self._listening: asyncio.Future[Mapping[str, Any]] | None = None
        self._ready = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self.quantiles: tuple[int, int] | None = None  # the latest p50 and p99, in ns

    async def start(self, config: Mapping[str, Any]) -> asyncio.Future[Mapping[str, Any]]:
        """Returns when all clients are connected. The future gets their report, sooner or later."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._socket, limit=LINE_LIMIT)
        self._say(config)
        self._listening = asyncio.ensure_future(self._listen(reader))
        ready = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait({ready, self._listening}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not self._ready.is_set():
            if self._listening.done():
                self._listening.result()  # raises, and says why
            raise ClientsFailed(f"the clients were not connected after {PATIENCE:.0f} s")
        return self._listening

    def finish(self) -> None:
        self._say({"finish": True})

    async def stop(self) -> None:
        """Ends the process if it has not ended, and takes its exit code."""
        if self._writer is not None:
            self._writer.close()
        else:
            self._socket.close()
        if self._listening is not None and not self._listening.done():
            self._listening.cancel()
            await asyncio.wait({self._listening})
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, self._process.wait, 5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await loop.run_in_executor(None, self._process.wait)

    def _say(self, message: Mapping[str, Any]) -> None:
        assert self._writer is not None
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def _listen(self, reader: asyncio.StreamReader) -> Mapping[str, Any]:
        while True:
            try:
                line = await reader.readline()
            except ConnectionError:
                line = b""
            if not line:
                raise ClientsFailed("the clients' process ended too early; its own words, if any, are above")
            message = json.loads(line)
            if "report" in message:
                report: Mapping[str, Any] = message["report"]
                return report
            if "ready" in message:
                self._ready.set()
            elif message.get("progress"):
                p50, p99 = message["progress"]
                self.quantiles = (p50, p99)
