"""Runs the jobs, the contenders taking turns, and keeps every sample."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .contenders import Contender
from .failure import BenchError
from .plan import Figures, Job, Section

Samples = dict[str, dict[str, dict[str, list[Figures]]]]
"""Section, row, contender: one entry a round."""


@dataclass
class Record:
    samples: Samples = field(default_factory=dict)
    failures: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    """Section, row, contender: why there is no figure (the last reason)."""

    interrupted: bool = False

    def add(self, section: str, row: str, contender: str, figures: Figures) -> None:
        self.samples.setdefault(section, {}).setdefault(row, {}).setdefault(contender, []).append(figures)

    def fail(self, section: str, row: str, contender: str, reason: str) -> None:
        self.failures.setdefault(section, {}).setdefault(row, {})[contender] = reason

    def as_json(self) -> dict[str, Any]:
        return {"samples": self.samples, "failures": self.failures, "interrupted": self.interrupted}


class Progress:
    """One line on stderr: rewritten on a terminal, now and then a new one elsewhere."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.start = time.monotonic()
        self.live = sys.stderr.isatty()
        self.last = -1e9

    def step(self, text: str) -> None:
        now = time.monotonic()
        spent = now - self.start
        if self.live or now - self.last >= 15 or self.done == 0:
            left = (
                f"{spent / self.done * (self.total - self.done):5.0f} s left"
                if self.done
                else "     starting"
            )
            line = f"[{100 * self.done // self.total:3d} %] {left}  {text}"
            print(
                f"\r{line[:110]:<110}" if self.live else line,
                end="" if self.live else "\n",
                file=sys.stderr,
                flush=True,
            )
            self.last = now
        self.done += 1

    def finish(self) -> None:
        took = f"measured in {time.monotonic() - self.start:.0f} s"
        print(f"\r{took:<110}" if self.live else took, file=sys.stderr, flush=True)


def run(sections: Sequence[Section], rounds: int) -> Record:
    """Rounds are the outermost loop, contenders the innermost: what drifts on the machine drifts for all.

    An interrupt ends the run early and keeps what there is.
    """
    record = Record()
    plans = [(section, {c.label: section.jobs(c) for c in section.contenders}) for section in sections]
    progress = Progress(rounds * sum(len(jobs) for _, by_label in plans for jobs in by_label.values()))
    try:
        for number in range(rounds):
            for section, by_label in plans:
                run_section(record, progress, section, by_label, number, rounds)
    except KeyboardInterrupt:
        record.interrupted = True
    progress.finish()
    return record


def run_section(
    record: Record,
    progress: Progress,
    section: Section,
    by_label: dict[str, list[Job]],
    number: int,
    rounds: int,
) -> None:
    for index in range(max((len(jobs) for jobs in by_label.values()), default=0)):
        for contender in rotated(section.contenders, number):
            if index < len(by_label[contender.label]):
                progress.step(f"round {number + 1}/{rounds}  {section.title}: {contender.label}")
                perform(record, section, contender, by_label[contender.label][index])


def rotated(contenders: Sequence[Contender], number: int) -> list[Contender]:
    """A B C D, then D A B C, and so on."""
    if not contenders:
        return []
    at = -number % len(contenders)
    return [*contenders[at:], *contenders[:at]]


def perform(record: Record, section: Section, contender: Contender, job: Job) -> None:
    try:
        outcomes = job.run()
    except BenchError as error:
        for row in job.rows:
            record.fail(section.name, row, contender.label, str(error))
        return
    for row in job.rows:
        outcome = outcomes.get(row, "the worker gave no figure")
        if isinstance(outcome, str):
            record.fail(section.name, row, contender.label, outcome)
        elif outcome is not None:
            record.add(section.name, row, contender.label, outcome)
