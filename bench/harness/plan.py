"""The vocabulary of a run: sections of rows, and the jobs that fill them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Union

from .contenders import Contender

Figures = dict[str, float]
Outcome = Union[Figures, str, None]
"""What was measured, why nothing was, or None where there is nothing to measure."""

PYTHON_RATIOS = tuple(("csploop", other) for other in ("uvloop", "asyncio", "rloop"))


@dataclass(frozen=True)
class Settings:
    """How much is measured."""

    quick: bool = False
    seconds: float = 0.5
    warm: float = 0.15
    scale: float = 1.0
    sizes: tuple[int, ...] = (64, 1024, 16 * 1024, 256 * 1024)
    connections: tuple[int, ...] = (1, 10, 100)

    @classmethod
    def for_quick(cls) -> Settings:
        return cls(quick=True, seconds=0.3, warm=0.1, scale=0.2, sizes=(1024,), connections=(1, 100))

    def lasting(self, seconds: float) -> Settings:
        return replace(self, seconds=seconds)


@dataclass(frozen=True)
class Measure:
    key: str
    title: str
    unit: str
    higher_is_better: bool = False
    factor: float = 1.0
    """The figure is multiplied by it for people."""
    digits: int = 1
    with_busy: bool = False
    """Only fair where both servers are equally busy; tables mark where they were not."""
    with_ratio: bool = True


@dataclass(frozen=True)
class Row:
    key: str
    title: str
    unit: str = ""
    """Where rows of one table have different units."""


@dataclass(frozen=True)
class Job:
    """One process's worth of work for one contender; it fills one or more rows."""

    rows: tuple[str, ...]
    run: Callable[[], dict[str, Outcome]]


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    note: str
    rows: tuple[Row, ...]
    measures: tuple[Measure, ...]
    contenders: tuple[Contender, ...]
    jobs: Callable[[Contender], list[Job]]
    ratios: tuple[tuple[str, str], ...] = field(default=PYTHON_RATIOS)
    """Pairs of families."""


def size_text(size: int) -> str:
    return f"{size // 1024} KiB" if size >= 1024 else f"{size} B"


def connections_text(count: int) -> str:
    return "1 connection" if count == 1 else f"{count} connections"
