"""The echo sections: Python servers of three kinds, over TCP and Unix sockets, and the C servers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from .contenders import Contender, scripts
from .failure import BenchError
from .machine import Pins
from .plan import Job, Measure, Outcome, Row, Section, Settings, connections_text, size_text
from .server import Load, measure, running

KINDS = {"protocol": "Protocol", "streams": "streams", "buffered": "BufferedProtocol"}
TRANSPORTS = {"tcp": "TCP", "unix": "Unix socket"}
MEASURES = (
    Measure("cpu_us", "server CPU per message", "us", digits=2, with_busy=True),
    Measure("rate", "messages per second", "k/s", higher_is_better=True, factor=1e-3),
    Measure(
        "busy", "how busy the server was", "%", higher_is_better=True, factor=100, digits=0, with_ratio=False
    ),
    Measure("p50_us", "latency, median", "us", digits=0),
    Measure("p99_us", "latency, 99th percentile", "us", digits=0),
)
JIT_WARM = 1.0
"""Seconds of load before the window where a JIT compiles the server meanwhile."""
NOTE = "Closed loop: each connection has one message under way. Malloc is warm."
MALLOC_NOTE = (
    "TCP, Protocol, 100 connections. Cold: a fresh process, in which malloc maps and unmaps pages for every "
    "read buffer over 128 KiB. Warm: it has freed a block of 8 MiB once, after which malloc keeps such "
    "buffers in its heap."
)


def key(size: int, connections: int) -> str:
    return f"{size}x{connections}"


def grid(settings: Settings) -> tuple[Row, ...]:
    return tuple(
        Row(key(size, count), f"{size_text(size)}, {connections_text(count)}")
        for size in settings.sizes
        for count in settings.connections
    )


def server_command(contender: Contender, kind: str, warm: bool) -> list[str]:
    command = [
        *contender.command,
        str(scripts() / "servers" / "echo.py"),
        "--loop",
        contender.family,
        "--kind",
        kind,
    ]
    return [*command, "--warm-malloc"] if warm else command


def serve(
    command: list[str], transport: str, loads: Iterable[tuple[str, Load]], client: Path, pins: Pins
) -> dict[str, Outcome]:
    """One server process; the loads one after another."""
    outcomes: dict[str, Outcome] = {}
    with running(command, pins, transport == "unix") as server:
        for row, load in loads:
            try:
                outcomes[row] = measure(client, server, load, pins)
            except BenchError as error:
                outcomes[row] = str(error)
    return outcomes


def grid_jobs(command: list[str], transport: str, settings: Settings, client: Path, pins: Pins) -> list[Job]:
    """A fresh process for each size: what a large message does to malloc must not help the small ones."""
    jobs = []
    for size in settings.sizes:
        loads = [
            (key(size, count), Load(count, size, 1, settings.warm, settings.seconds))
            for count in settings.connections
        ]
        jobs.append(
            Job(tuple(row for row, _ in loads), partial(serve, command, transport, loads, client, pins))
        )
    return jobs


def warmed(settings: Settings, contender: Contender) -> Settings:
    """The settings for this contender."""
    if contender.world.startswith("pypy"):
        return replace(settings, warm=max(settings.warm, JIT_WARM))
    return settings


def python_jobs(
    kind: str, transport: str, settings: Settings, client: Path, pins: Pins, contender: Contender
) -> list[Job]:
    command = server_command(contender, kind, True)
    return grid_jobs(command, transport, warmed(settings, contender), client, pins)


def python_sections(
    contenders: Sequence[Contender], settings: Settings, client: Path, pins: Pins
) -> list[Section]:
    sections = []
    for transport, transport_title in TRANSPORTS.items():
        for kind, kind_title in KINDS.items():
            sections.append(
                Section(
                    name=f"{transport}-{kind}",
                    title=f"{transport_title} echo, {kind_title}",
                    note=NOTE,
                    rows=grid(settings),
                    measures=MEASURES,
                    contenders=tuple(contenders),
                    jobs=partial(python_jobs, kind, transport, settings, client, pins),
                )
            )
    return [*sections, malloc_section(contenders, settings, client, pins)]


def malloc_section(contenders: Sequence[Contender], settings: Settings, client: Path, pins: Pins) -> Section:
    states = ("cold", "warm")

    def jobs(contender: Contender) -> list[Job]:
        found = []
        for size in settings.sizes:
            for state in states:
                warm = warmed(settings, contender).warm
                loads = [(f"{size}-{state}", Load(100, size, 1, warm, settings.seconds))]
                command = server_command(contender, "protocol", state == "warm")
                found.append(Job((loads[0][0],), partial(serve, command, "tcp", loads, client, pins)))
        return found

    return Section(
        name="malloc",
        title="Cold and warm malloc",
        note=MALLOC_NOTE,
        rows=tuple(
            Row(f"{size}-{state}", f"{size_text(size)}, {state}")
            for size in settings.sizes
            for state in states
        ),
        measures=MEASURES[:3],
        contenders=tuple(contenders),
        jobs=jobs,
    )
