"""The C sections: csploop's core through its C ABI, plain libuv and bare epoll."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path

from . import native
from .contenders import Contender
from .echo import MEASURES, TRANSPORTS, grid, grid_jobs
from .failure import BenchError
from .machine import Pins
from .plan import Job, Measure, Outcome, Row, Section, Settings

SOURCES = native.BENCH / "servers" / "native"
ECHO_NOTE = (
    "The core through the C ABI, with callbacks and by batch, against libuv's streams and bare epoll; the "
    "client is the same. Where it is slower than a server, that server is less busy and does less a turn."
)
COST_NOTE = (
    "CPU time. libuv has no call_soon: its figure is an idle handle, and its turns ask the kernel each time. "
    "Its timers are embedded in the caller's memory and count milliseconds."
)
ECHO_SOURCES = {
    "csploop-callback": "echo_csploop.c",
    "csploop-batch": "echo_csploop_batch.c",
    "libuv": "echo_uv.c",
    "epoll": "echo_epoll.c",
}
COST_SOURCES = {"csploop": "loop_cost_csploop.c", "libuv": "loop_cost_uv.c"}
COST_ROWS = (
    Row("c_loop_life", "make and close a loop", "ns"),
    Row("c_fresh_heap", "heap of a fresh loop", "bytes"),
    Row("c_call_soon", "call_soon, one callback a turn", "ns"),
    Row("c_timer_fire", "arm a timer and let it fire", "ns"),
    Row("c_timer_cancel_100k", "arm and cancel a timer, 100 000 outstanding", "ns"),
)
RATIOS = tuple(
    (ours, theirs) for ours in ("csploop-callback", "csploop-batch") for theirs in ("libuv", "epoll")
)


def flags_of(name: str, library: str | None, library_directory: str | None) -> list[str]:
    if name.startswith("csploop"):
        return native.csploop_flags(library, library_directory)
    return native.pkg_config("libuv") if name == "libuv" else []


def build(
    library: str | None, library_directory: str | None
) -> tuple[dict[str, Path], dict[str, Path], dict[str, str]]:
    """The echo servers and the cost programs that could be built, and why the others could not."""
    servers: dict[str, Path] = {}
    costs: dict[str, Path] = {}
    missing: dict[str, str] = {}
    for programs, sources in ((servers, ECHO_SOURCES), (costs, COST_SOURCES)):
        for name, source in sources.items():
            files = [SOURCES / source]
            if programs is servers:
                files.append(SOURCES / "listen.c")
            try:
                flags = flags_of(name, library, library_directory)
                programs[name] = native.compile_program(Path(source).stem, files, flags)
            except BenchError as error:
                missing[f"C {name}"] = str(error)
    return servers, costs, missing


def contenders(programs: dict[str, Path]) -> tuple[Contender, ...]:
    return tuple(Contender(name, name, "C", "", ()) for name in programs)


def c_jobs(
    programs: dict[str, Path],
    transport: str,
    settings: Settings,
    client: Path,
    pins: Pins,
    contender: Contender,
) -> list[Job]:
    return grid_jobs([str(programs[contender.family])], transport, settings, client, pins)


def cost_jobs(programs: dict[str, Path], pins: Pins, contender: Contender) -> list[Job]:
    rows = tuple(row.key for row in COST_ROWS if contender.family == "csploop" or row.key != "c_fresh_heap")
    return [Job(rows, partial(cost, programs[contender.family], pins))]


def cost(program: Path, pins: Pins) -> dict[str, Outcome]:
    done = subprocess.run(
        [str(program)], capture_output=True, text=True, preexec_fn=pins.apply(pins.server), timeout=120
    )
    if done.returncode != 0:
        raise BenchError(done.stderr.strip() or f"exit code {done.returncode}")
    found: dict[str, float] = json.loads(done.stdout)
    return {name: {"value": value} for name, value in found.items()}


def sections(
    servers: dict[str, Path], costs: dict[str, Path], settings: Settings, client: Path, pins: Pins
) -> list[Section]:
    echo = [
        Section(
            name=f"c-{transport}",
            title=f"C: {title} echo",
            note=ECHO_NOTE,
            rows=grid(settings),
            measures=MEASURES,
            contenders=contenders(servers),
            jobs=partial(c_jobs, servers, transport, settings, client, pins),
            ratios=RATIOS,
        )
        for transport, title in TRANSPORTS.items()
    ]
    loop = Section(
        name="c-loop",
        title="C: a loop's own work",
        note=COST_NOTE,
        rows=COST_ROWS,
        measures=(Measure("value", "", ""),),
        contenders=contenders(costs),
        jobs=partial(cost_jobs, costs, pins),
        ratios=(("csploop", "libuv"),),
    )
    return [*echo, loop]
