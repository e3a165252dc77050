#!/usr/bin/env python3
"""Do the headers, the export map and the built library name the same functions?

The headers are the contract. `--write` brings the map in line with them; without it every difference is told
and the exit status is 1. With `--library`, the library's dynamic symbols are compared too, in both
directions.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include"
MAP = ROOT / "capi" / "csploop.map"

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
DECLARATION = re.compile(r"\bCSPLOOP_API\b[^;{}()]*?\b(csploop_\w+)\s*\(")
SINCE = re.compile(r"Since (\d+\.\d+)\.")


def declared() -> dict[str, str]:
    """Every function that the headers declare, and the release that brought it."""
    functions: dict[str, str] = {}
    for header in [INCLUDE / "csploop.h", *sorted((INCLUDE / "csploop").glob("*.h"))]:
        text = header.read_text(encoding="utf-8")
        # Same length as before, so that positions in both texts agree.
        bare = COMMENT.sub(lambda match: " " * len(match.group()), text)
        bare = re.sub(r"^[ \t]*#.*$", lambda match: " " * len(match.group()), bare, flags=re.MULTILINE)
        for match in DECLARATION.finditer(bare):
            ages = SINCE.findall(text, 0, match.start())
            if not ages:
                raise SystemExit(f"{header.name}: {match.group(1)} has no 'Since' in its comment")
            functions[match.group(1)] = ages[-1]
    return functions


def map_text(functions: dict[str, str]) -> str:
    """A version script: one node per release, each standing on the one before."""
    releases = sorted(set(functions.values()), key=lambda release: [int(part) for part in release.split(".")])
    nodes = []
    for index, release in enumerate(releases):
        names = sorted(name for name, age in functions.items() if age == release)
        lines = [f"CSPLOOP_{release} {{", "    global:", *(f"        {name};" for name in names)]
        if index == 0:
            lines += ["    local:", "        *;"]
        lines.append("};" if index == 0 else f"}} CSPLOOP_{releases[index - 1]};")
        nodes.append("\n".join(lines))
    return "/* Written by tools/symbol_check.py --write from the headers. */\n" + "\n\n".join(nodes) + "\n"


def exported(library: Path) -> dict[str, str]:
    """The symbols that a shared library defines for others, and their version node ('' for none)."""
    listing = subprocess.run(
        ["nm", "-D", "--defined-only", "--with-symbol-versions", str(library)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    symbols: dict[str, str] = {}
    for line in listing.splitlines():
        kind, name = line.split()[-2:]
        name, _, version = name.partition("@")
        # The names of the version nodes themselves are absolute symbols.
        if kind != "A":
            symbols[name] = version.lstrip("@")
    return symbols


def check_library(library: Path, functions: dict[str, str]) -> list[str]:
    symbols = exported(library)
    problems = [f"{library.name} lacks {name}" for name in sorted(functions.keys() - symbols.keys())]
    problems += [f"{library.name} shows {name}" for name in sorted(symbols.keys() - functions.keys())]
    for name in sorted(functions.keys() & symbols.keys()):
        wanted = f"CSPLOOP_{functions[name]}"
        if symbols[name] != wanted:
            problems.append(f"{name} bears the version '{symbols[name]}' rather than {wanted}")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {MAP.relative_to(ROOT)} anew")
    parser.add_argument("--library", type=Path, help="a built libcsploop to compare with")
    options = parser.parse_args()

    functions = declared()
    wanted = map_text(functions)
    problems = []
    if options.write:
        MAP.write_text(wanted, encoding="utf-8")
    elif not MAP.exists() or MAP.read_text(encoding="utf-8") != wanted:
        problems.append(
            f"{MAP.relative_to(ROOT)} differs from the headers: run tools/symbol_check.py --write"
        )
    if options.library:
        problems += check_library(options.library, functions)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{len(functions)} functions, all in their places")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
