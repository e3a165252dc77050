"""A run's results: one JSON object that holds everything the tables and the page are made from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .failure import BenchError
from .plan import Section
from .schedule import Record

FORMAT = 2
Results = dict[str, Any]


def collect(sections: Sequence[Section], record: Record, about: dict[str, Any]) -> Results:
    return {
        "format": FORMAT,
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC"),
        **about,
        "sections": [describe(section) for section in sections],
        **record.as_json(),
    }


def describe(section: Section) -> dict[str, Any]:
    return {
        "name": section.name,
        "title": section.title,
        "note": section.note,
        "rows": [asdict(row) for row in section.rows],
        "measures": [asdict(measure) for measure in section.measures],
        "contenders": [
            {"label": c.label, "family": c.family, "world": c.world, "version": c.version}
            for c in section.contenders
        ],
        "ratios": [list(pair) for pair in section.ratios],
    }


def save(results: Results, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def load(path: Path) -> Results:
    try:
        results: Results = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BenchError(f"cannot read {path}: {error}") from None
    if results.get("format") != FORMAT:
        raise BenchError(f"{path} holds no results of this harness")
    return results
