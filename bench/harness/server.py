"""A server process under test, and the load that is put on it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .failure import BenchError
from .machine import Pins

START_SECONDS = 30.0


@dataclass(frozen=True)
class Load:
    """What the client does: closed loop, `depth` messages under way on each connection."""

    connections: int
    size: int
    depth: int = 1
    warm: float = 0.2
    seconds: float = 1.0


@dataclass
class Server:
    process: subprocess.Popen[str]
    address: list[str]
    """The client's arguments that name it."""
    errors: Path

    def complaint(self) -> str:
        """The last thing the server said, which in Python is the exception."""
        lines = self.errors.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else f"exit code {self.process.poll()}"


@contextmanager
def running(command: list[str], pins: Pins, unix: bool) -> Iterator[Server]:
    """Starts the server on its CPU and waits until it listens; ends it afterwards, whatever happens."""
    with tempfile.TemporaryDirectory(prefix="csploop-bench-") as directory:
        path = os.path.join(directory, "echo.sock")
        errors = Path(directory, "errors")
        with open(errors, "w") as sink:
            process = subprocess.Popen(
                [*command, "--unix", path] if unix else command,
                stdout=subprocess.PIPE, stderr=sink, text=True, preexec_fn=pins.apply(pins.server),
            )  # fmt: skip
        try:
            server = Server(process, [], errors)
            words = first_line(server).split()
            if len(words) != 2 or words[0] != "READY":
                raise BenchError(f"the server did not start: {server.complaint()}")
            server.address = ["--unix", path] if unix else ["--tcp", words[1]]
            yield server
        finally:
            process.kill()
            process.communicate()


def first_line(server: Server) -> str:
    """What the server prints first; empty when it ended without a word."""
    output = server.process.stdout
    assert output is not None
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        if not selector.select(START_SECONDS):
            raise BenchError(f"the server did not start within {START_SECONDS:.0f} s: {server.complaint()}")
    line = output.readline()
    if not line:
        server.process.wait()
    return line


def measure(client: Path, server: Server, load: Load, pins: Pins) -> dict[str, float]:
    """One window of load; the figures of one sample."""
    command = [
        str(client), *server.address, "--pid", str(server.process.pid),
        "--connections", str(load.connections), "--size", str(load.size), "--depth", str(load.depth),
        "--warm", str(load.warm), "--seconds", str(load.seconds),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, preexec_fn=pins.apply(pins.client),
            timeout=load.warm + load.seconds + 60,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BenchError("the load client did not end") from None
    if done.returncode != 0:
        gone = server.process.poll() is not None
        raise BenchError(f"{done.stderr.strip()}" + (f" (server: {server.complaint()})" if gone else ""))
    return figures(json.loads(done.stdout), load)


def figures(raw: dict[str, float], load: Load) -> dict[str, float]:
    """Busy is a server that runs, or that would if something else did not have its CPU."""
    messages = raw["messages"]
    if not messages:
        raise BenchError("not one message came back in the window")
    cpu_us = raw["server_cpu"] / messages * 1e6
    return {
        "cpu_us": cpu_us,
        "user_us": cpu_us * raw["user_part"],
        "system_us": cpu_us * (1 - raw["user_part"]),
        "rate": messages / raw["seconds"],
        "mib_s": messages * load.size / raw["seconds"] / 2**20,
        "busy": (raw["server_cpu"] + raw["server_waited"]) / raw["seconds"],
        "disturbed": max(raw["server_waited"], raw["client_waited"]) / raw["seconds"],
        "client_busy": raw["client_cpu"] / raw["seconds"],
        "sleeps": raw["sleeps"] / messages,
        "p50_us": raw["p50_us"],
        "p99_us": raw["p99_us"],
        "messages": messages,
    }
