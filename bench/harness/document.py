"""Writes docs/benchmarks.md from a run's results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from . import tables
from .compare import Comparison, comparisons, summary
from .results import Results

INTRODUCTION = """\
# Benchmarks

This page is written by `python bench/run.py --write-docs`; do not edit it by hand. `make bench` runs the same
harness.

## How it is measured

- Every sample comes from a fresh process. Rounds are the outermost loop and within each round the contenders
  take turns (A B C D, then D A B C, …), so that whatever drifts on the machine drifts for all of them.
- Figures are medians over the rounds; `±` is half the distance of the quartiles. Ratios are of medians.
- The echo servers run on one CPU; the load comes from a client written in C on another CPU. It is a closed
  loop: each connection has one message under way, so that all servers get the same number of outstanding
  messages. The client also checks, while it warms up, that the bytes which come back are those it sent.
  Servers on PyPy are warmed up for a second, in which most of the compiling is done.
- *CPU per message* is user and system time of the server process over the window, divided by the messages
  that came back. It depends on how much work a server finds per turn, so it is compared where both servers
  were equally busy; otherwise the ratio stands in brackets. The cases with one connection show the other
  extreme: a server that sleeps between any two messages.
- `TCP_NODELAY` is on for all servers and for the client; the Python servers check it on each connection.
- asyncio's reads ask for 256 KiB. A process that has never freed a block above 128 KiB gets such a buffer by
  mapping fresh pages every time. The echo sections show servers that have (*warm*); the section on malloc
  shows both.
- Nothing here passes or fails: these are measurements of one machine on one day.
"""


def write(results: Results, path: Path) -> Path:
    parts = [INTRODUCTION, about(results), targets(results), verdict(results)]
    for section in results["sections"]:
        found = list(tables.tables(results, section))
        if found:
            parts.append(f"## {section['title']}\n\n{section['note']}\n")
            parts += [tables.as_markdown(table) + "\n" for table in found]
    missing = tables.failures(results)
    if missing:
        parts.append("## No figures\n\n" + bullets(missing))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(part for part in parts if part))
    return path


def bullets(lines: Iterable[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def about(results: Results) -> str:
    machine = results["machine"]
    virtual = ", virtual" if machine["virtual"] else ""
    versions = {
        f"{contender['label']} {contender['version']} ({contender['world']})": None
        for section in results["sections"]
        for contender in section["contenders"]
        if contender["world"] != "C"
    }
    lines = [
        f"Machine: {machine['cpu']}, {machine['cpus']} CPUs{virtual}, {machine['memory_gib']} GiB, "
        f"{machine['system']} {machine['architecture']}, {machine['libc']}. "
        f"Load before the run: {machine['load_before']}.",
        f"Contenders: {', '.join(versions) or 'C programs only'}; libuv {results['libuv'] or 'absent'}.",
        f"Compiler of the client and the C servers: {results['compiler']}.",
        f"{results['rounds']} rounds, echo windows of {results['seconds']} s, {results['when']}"
        + (", a quick run: rough." if results["quick"] else "."),
    ]
    if results["interrupted"]:
        lines.append("The run was interrupted: later rows have fewer rounds, or none.")
    disturbed = tables.disturbance(results)
    if disturbed:
        lines.append(disturbed)
    if not machine["server_and_client_apart"]:
        lines.append("Server and client shared one CPU: the echo figures are poor.")
    return "## This run\n\n" + bullets(lines)


def targets(results: Results) -> str:
    """The figures that the project holds itself to."""
    lines = []
    for section, row, measure, other, limit in (
        ("tcp-protocol", "1024x100", "cpu_us", "uvloop", "at most 1.10"),
        ("tcp-protocol", "1024x100", "cpu_us", "asyncio", "on PyPy below 1.00"),
    ):
        for found in comparisons(results):
            here = (found.section["name"], found.row["key"], found.measure["key"], found.theirs["family"])
            if here != (section, row, measure, other) or (other == "asyncio" and not pypy(found)):
                continue
            lines.append(
                f"CPU per message, TCP, 1 KiB, 100 connections, csploop / {other} ({found.ours['world']}): "
                f"**{found.ratio.value:.2f}** ({limit})"
            )
    for section, row, text, most, unit in (
        ("life", "loop_create_close", "Making and closing a loop from Python", 100, "us"),
        ("memory", "memory_core", "Heap of a fresh core", 1024, "bytes"),
    ):
        value = summary(results, section, row, "csploop", "value")
        if value is not None:
            lines.append(f"{text}: **{value.median:.0f} {unit}** (less than {most})")
    return "## What csploop promises\n\n" + bullets(lines) if lines else ""


def pypy(found: Comparison) -> bool:
    return bool(found.ours["world"].startswith("pypy"))


def verdict(results: Results) -> str:
    """Every clear loss by name, the worst first; and how many wins and draws stand against them."""
    found = list(comparisons(results))
    if not found:
        return ""
    losses = sorted((one for one in found if one.ratio.better is False), key=worst, reverse=True)
    wins = sum(one.ratio.better is True for one in found)
    text = (
        f"## Where csploop loses\n\nOf {len(found)} comparisons csploop is ahead in {wins}, behind in "
        f"{len(losses)}; the others are draws. {tables.LEGEND}\n\n"
    )
    return text + (loss_table(losses) if losses else "In none of them.\n")


def worst(found: Comparison) -> float:
    value = found.ratio.value
    return (1 / value if value else 0.0) if found.measure["higher_is_better"] else value


def loss_table(losses: list[Comparison]) -> str:
    rows = [
        [
            found.section["title"],
            found.row["title"],
            found.measure["title"] or found.row["unit"],
            f"{found.ours['label']} / {found.theirs['label']}",
            tables.ratio_text(found.ratio),
        ]
        for found in losses
    ]
    header = ["Section", "Case", "Measure", "Pair", "Ratio"]
    return tables.as_markdown(tables.Table("", header, rows, texts=4)) + "\n"
