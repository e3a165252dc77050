"""The sections without sockets: one worker process per contender and group."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial

from .contenders import Contender, scripts
from .failure import BenchError
from .machine import Pins
from .plan import Job, Measure, Outcome, Row, Section, Settings

sys.path.insert(0, str(scripts()))

from micro import callbacks, life, tasks, threads, timers  # noqa: F401  (they fill the registry)
from micro.registry import MICROS

GROUPS = {
    "callbacks": ("Callbacks", "CPU time of one call_soon with its callback."),
    "tasks": ("Tasks, futures, queues", "CPU time per operation; the tasks are asyncio's own in every loop."),
    "timers": ("Timers", "CPU time per timer; in the last two rows how well a short timer keeps its time."),
    "timers-million": (
        "Timers among a million",
        "CPU time per timer while 1 000 000 others are outstanding.",
    ),
    "threads": ("Cross-thread wake-up", "Wall clock, the two threads on two CPUs."),
    "life": ("Life of a loop", "Wall clock per loop."),
    "memory": ("Memory of a loop", "Over 150 loops kept open, each figure from a fresh process."),
}
SECONDS = 300


def sections(contenders: Sequence[Contender], settings: Settings, pins: Pins) -> list[Section]:
    return [
        Section(
            name=group,
            title=title,
            note=note,
            rows=tuple(Row(m.name, m.title, m.unit) for m in MICROS.values() if m.group == group),
            measures=(Measure("value", "", ""),),
            contenders=tuple(contenders),
            jobs=partial(jobs, group=group, settings=settings, pins=pins),
        )
        for group, (title, note) in GROUPS.items()
    ]


def jobs(contender: Contender, group: str, settings: Settings, pins: Pins) -> list[Job]:
    members = [micro for micro in MICROS.values() if micro.group == group]
    together = tuple(micro.name for micro in members if not micro.alone)
    alone = [(micro.name,) for micro in members if micro.alone]
    set_up = pins.apply(*pins.both) if group == "threads" else pins.apply(pins.server)
    return [
        Job(names, partial(work, contender, group, names, only, settings, set_up))
        for names, only in [(together, False), *((names, True) for names in alone)]
        if names
    ]


def work(
    contender: Contender,
    group: str,
    names: tuple[str, ...],
    only: bool,
    settings: Settings,
    set_up: Callable[[], None],
) -> dict[str, Outcome]:
    command = [*contender.command, str(scripts() / "micro" / "worker.py"), "--loop", contender.family]
    command += ["--group", group, "--scale", str(settings.scale)]
    if only:
        command += ["--only", names[0]]
    try:
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=set_up, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{group} took more than {SECONDS} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise BenchError(lines[-1] if lines else f"exit code {done.returncode}")
    found: dict[str, float | str | None] = json.loads(done.stdout)
    return {
        name: {"value": value} if isinstance(value, (int, float)) else value for name, value in found.items()
    }
