#!/usr/bin/env python3
"""Compares csploop with asyncio, uvloop and rloop in one interleaved run, its core with libuv and bare epoll.

    python bench/run.py                                # everything; about half an hour
    python bench/run.py --quick                        # the same questions, smaller and rougher; some minutes
    python bench/run.py --only tcp,timers --rounds 9   # sections whose name begins with one of these
    python bench/run.py --python pypy3 --only tcp      # besides this interpreter another one
    python bench/run.py --write-docs                   # afterwards write docs/benchmarks.md
    python bench/run.py --from bench/results/x.json --write-docs     # only write it, from an earlier run

Contenders come from PyPI: pip install -r bench/requirements.txt. A contender that is not installed is named
and left out, unless --contenders asks for it. Every sample comes from a process of its own; contenders take
turns within each round. Servers run on one CPU and the load client, which is written in C, on another; so
keep the machine quiet. Nothing here passes or fails by the clock; the exit code is 1 only if csploop could
not be measured where others could.
"""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

from harness import (
    contenders,
    document,
    echo,
    machine,
    micro,
    native,
    native_sections,
    results,
    schedule,
    tables,
)
from harness.failure import BenchError
from harness.plan import Section, Settings

BENCH = Path(__file__).resolve().parent


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/run.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = parser.add_argument_group("what to measure")
    what.add_argument("--quick", action="store_true", help="fewer sizes, shorter windows, 2 rounds")
    what.add_argument(
        "--only", metavar="GROUP,…", help="sections whose names begin with one of these (see --list)"
    )
    what.add_argument(
        "--contenders", metavar="NAME,…", help=f"of {', '.join(contenders.LOOPS)} (default: all there are)"
    )
    what.add_argument(
        "--rounds", type=int, metavar="N", help="times that each contender is measured (default 5)"
    )
    what.add_argument("--seconds", type=float, metavar="S", help="length of each echo window (default 0.5)")
    what.add_argument(
        "--list", action="store_true", help="list sections, rows and contenders, and measure nothing"
    )
    where = parser.add_argument_group("where to measure")
    where.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PATH",
        help="one more interpreter to compare loops in; repeatable",
    )
    where.add_argument(
        "--server-cpu", type=int, metavar="N", help="CPU of the servers (default: the first allowed one)"
    )
    where.add_argument(
        "--client-cpu", type=int, metavar="N", help="CPU of the load client (default: the last one)"
    )
    where.add_argument(
        "--nice",
        type=int,
        default=0,
        metavar="N",
        help="priority of what is measured; on a busy machine -10 helps",
    )
    where.add_argument(
        "--library",
        metavar="FILE",
        help="libcsploop for the C servers (default: the Python package's, or what pkg-config finds)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--json", type=Path, metavar="FILE", help="where all samples go (default: bench/results/…)"
    )
    output.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md from the results")
    output.add_argument(
        "--from", type=Path, dest="source", metavar="FILE", help="show earlier results; measure nothing"
    )
    arguments = parser.parse_args()
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error("--rounds: at least 1")
    if arguments.seconds is not None and arguments.seconds <= 0:
        parser.error("--seconds: more than 0")
    return arguments


def settings_of(arguments: argparse.Namespace) -> Settings:
    settings = Settings.for_quick() if arguments.quick else Settings()
    return settings if arguments.seconds is None else settings.lasting(arguments.seconds)


def find_interpreters(arguments: argparse.Namespace) -> list[contenders.Interpreter]:
    asked = arguments.contenders.split(",") if arguments.contenders else list(contenders.LOOPS)
    unknown = set(asked) - set(contenders.LOOPS)
    if unknown:
        raise BenchError(
            f"no such contender: {', '.join(sorted(unknown))}; there are {', '.join(contenders.LOOPS)}"
        )
    found = contenders.probe_all([sys.executable, *arguments.python], asked)
    for label, reason in ((label, reason) for one in found for label, reason in one.missing.items()):
        if arguments.contenders and "@" not in label:
            raise BenchError(f"{label} cannot be used: {reason}")
        if "@" not in label or label.startswith("csploop"):
            print(f"without {label}: {reason}", file=sys.stderr)
    return found


def all_sections(
    arguments: argparse.Namespace,
    settings: Settings,
    interpreters: list[contenders.Interpreter],
    pins: machine.Pins,
) -> list[Section]:
    python = [contender for one in interpreters for contender in one.contenders]
    client = native.load_client()
    servers, costs, missing = native_sections.build(arguments.library, interpreters[0].library_directory)
    for name, reason in missing.items():
        print(f"without {name}: {reason}", file=sys.stderr)
    return [
        *micro.sections(python, settings, pins),
        *echo.python_sections(python, settings, client, pins),
        *native_sections.sections(servers, costs, settings, client, pins),
    ]


def chosen(sections: list[Section], only: str | None) -> list[Section]:
    if not only:
        return sections
    prefixes = tuple(prefix for prefix in only.split(",") if prefix)
    for prefix in prefixes:
        if not any(section.name.startswith(prefix) for section in sections):
            raise BenchError(f"no section begins with {prefix!r}; --list shows their names")
    return [section for section in sections if section.name.startswith(prefixes)]


def list_all(sections: list[Section]) -> None:
    for section in sections:
        labels = ", ".join(contender.label for contender in section.contenders)
        print(f"{section.name}: {section.title}; {labels or 'no contender'}")
        for row in section.rows:
            print(f"    {row.title}")


def measure(arguments: argparse.Namespace) -> results.Results | None:
    settings = settings_of(arguments)
    pins = machine.choose_pins(arguments.server_cpu, arguments.client_cpu, arguments.nice)
    interpreters = find_interpreters(arguments)
    sections = chosen(all_sections(arguments, settings, interpreters, pins), arguments.only)
    if arguments.list:
        list_all(sections)
        return None
    if not pins.apart:
        print("one CPU only: server and client share it, the figures are poor", file=sys.stderr)
    rounds = arguments.rounds or (2 if arguments.quick else 5)
    about = {
        "machine": {**machine.describe(), "server_and_client_apart": pins.apart},
        "command": " ".join(["bench/run.py", *sys.argv[1:]]),
        "quick": arguments.quick,
        "rounds": rounds,
        "seconds": settings.seconds,
        "harness_python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": native.compiler_version(),
        "libuv": native.package_version("libuv"),
    }
    record = schedule.run(sections, rounds)
    return results.collect(sections, record, about)


def csploop_failed(found: results.Results) -> bool:
    """Whether csploop has no figure in a row where another loop has one."""
    return any(
        label.startswith("csploop") and found["samples"].get(section, {}).get(row)
        for section, rows in found["failures"].items()
        for row, labels in rows.items()
        for label in labels
    )


def results_path(when: str) -> Path:
    return BENCH / "results" / f"{when.replace(' UTC', '').replace(' ', '-').replace(':', '')}.json"


def main() -> int:
    arguments = parse()
    try:
        if arguments.source:
            found = results.load(arguments.source)
        else:
            measured = measure(arguments)
            if measured is None:
                return 0
            found = measured
            path = arguments.json or results_path(found["when"])
            results.save(found, path)
        print(tables.report(found))
        if not arguments.source:
            print(f"\nAll samples: {path}")
        if arguments.write_docs and found["interrupted"]:
            raise BenchError("the run was interrupted, so docs/benchmarks.md stays as it was")
        if arguments.write_docs:
            print(f"Wrote {document.write(found, BENCH.parent / 'docs' / 'benchmarks.md')}")
    except BenchError as error:
        print(f"bench/run.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted before anything was measured", file=sys.stderr)
        return 130
    return 1 if csploop_failed(found) else 0


if __name__ == "__main__":
    sys.exit(main())
