"""Tables for people: one per section and measure, as text or as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .compare import Ratio, compare, failure, pairs, summary
from .results import Results
from .stats import summarize

LEGEND = (
    "Cells: median, and half the distance of the quartiles as a part of it. Ratios are of medians; '+': "
    "csploop is ahead, '-': it is behind, without a sign: a draw (within 3 %, or the quartiles overlap). "
    "Ratios in brackets: the two servers were not equally busy (more than 10 points apart), so that CPU per "
    "message is not quite comparable."
)


QUIET = 0.02
"""Part of a window that something else may take without being mentioned."""


@dataclass(frozen=True)
class Table:
    title: str
    header: list[str]
    rows: list[list[str]]
    texts: int = 1
    """How many columns at the left hold words rather than figures."""


def tables(results: Results, section: dict[str, Any]) -> Iterator[Table]:
    for measure in section["measures"]:
        title = f"{measure['title']} [{measure['unit']}]" if measure["title"] else ""
        compared = pairs(section) if measure["with_ratio"] else []
        labels = [contender["label"] for contender in section["contenders"]]
        header = ["", *labels, *(f"{ours['label']} / {theirs['family']}" for ours, theirs in compared)]
        rows = [
            [
                f"{row['title']} [{row['unit']}]" if row["unit"] else row["title"],
                *(cell(results, section["name"], row["key"], label, measure) for label in labels),
                *(
                    ratio_text(compare(results, section, row["key"], measure, ours["label"], theirs["label"]))
                    for ours, theirs in compared
                ),
            ]
            for row in section["rows"]
        ]
        if any(value not in ("", "-") for line in rows for value in line[1:]):
            yield Table(title, header, rows)


def cell(results: Results, section: str, row: str, label: str, measure: dict[str, Any]) -> str:
    found = summary(results, section, row, label, measure["key"])
    if found is None:
        return "-" if failure(results, section, row, label) is None else "none"
    value = found.median * measure["factor"]
    digits = measure["digits"] if abs(value) < 1000 else 0
    return f"{value:.{digits}f} ±{100 * found.spread:.0f}%"


def ratio_text(ratio: Ratio | None) -> str:
    if ratio is None:
        return ""
    sign = "" if ratio.better is None else " +" if ratio.better else " -"
    number = f"{ratio.value:.2f}" if ratio.value >= 0.095 else f"{ratio.value:.3f}"
    return (number if ratio.equal else f"({number})") + sign


def as_text(table: Table) -> str:
    lines = [table.header, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.header))]
    text = [table.title] if table.title else []
    for line in lines:
        first, *others = (
            value.ljust(width) if not n else value.rjust(width)
            for n, (value, width) in enumerate(zip(line, widths))
        )
        text.append("  ".join(["  " + first, *others]).rstrip())
    return "\n".join(text)


def as_markdown(table: Table) -> str:
    lines = [f"**{table.title}**", ""] if table.title else []
    lines.append("| " + " | ".join(table.header) + " |")
    lines.append("|---" * table.texts + "|--:" * (len(table.header) - table.texts) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in table.rows]
    return "\n".join(lines)


def failures(results: Results) -> list[str]:
    """One line for each reason why there is no figure; the same reason for many rows is told once."""
    rows_of: dict[tuple[str, str, str], list[str]] = {}
    for section, rows in results["failures"].items():
        for row, labels in rows.items():
            for label, reason in labels.items():
                rows_of.setdefault((section, label, reason), []).append(row)
    return [
        f"{section}, {label} ({', '.join(rows)}): {reason}"
        for (section, label, reason), rows in rows_of.items()
    ]


def disturbance(results: Results) -> str:
    """How much of the echo windows something else took; empty when it was little, or nothing was measured."""
    parts = [
        entry["disturbed"]
        for rows in results["samples"].values()
        for labels in rows.values()
        for entries in labels.values()
        for entry in entries
        if "disturbed" in entry
    ]
    middle = summarize(parts).median if parts else 0.0
    if middle < QUIET:
        return ""
    return (
        f"The machine was not quiet: for {100 * middle:.0f} % of the time (median of the echo windows) "
        "something else had the server's CPU or the client's. Throughput and latency mean little then."
    )


def report(results: Results) -> str:
    parts = []
    for section in results["sections"]:
        found = list(tables(results, section))
        if found:
            parts.append(f"== {section['title']} ({section['name']})\n{section['note']}")
            parts += [as_text(table) for table in found]
    parts += [text for text in (LEGEND, disturbance(results)) if text]
    if results["interrupted"]:
        parts.append("The run was interrupted: later rows have fewer rounds, or none.")
    missing = failures(results)
    if missing:
        parts.append("No figures:\n" + "\n".join(f"  {line}" for line in missing))
    return "\n\n".join(parts)
