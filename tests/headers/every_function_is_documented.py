#!/usr/bin/env python3
"""Does each public function say what its caller must know?

A function's comment, the one before it or before the group it stands in, must tell
  thread      `Thread: loop-thread` or `any-thread`, perhaps with `signal-safe` and `idle-only`
  errors      `Errors:` with the codes, each in csploop/error.h, or with `none`. A function that takes a loop
              names EINVAL, one that belongs on its thread ETHREAD, and one that does not answer ECLOSED or
              ECHILD says what it does on a closed loop or in a forked child
  units       of sizes (`bytes`) and of times (`ns`) that it takes or gives
  ownership   what becomes of each pointer, by its parameter's name, but for those that csploop.h speaks of
              for all functions; and how long the memory behind a pointer that it returns lasts
  since       `Since X.Y.`
`as csploop_other` takes the errors of another function. Every gap is told and the exit status is 1.
With `--each-has-a-gap` a header of bad examples is checked: each function in it must have exactly the gap
that its name tells.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
DECLARATION = re.compile(r"\bCSPLOOP_API\b([^;{}()]*?)\b(csploop_\w+)\s*\(([^)]*)\)\s*;")
THREAD = re.compile(r"Thread: (loop-thread|any-thread)\b")
ERRORS = re.compile(r"Errors: (.*?)(?=\s(?:Returns|Thread|Since)\b|$)")
CODE = re.compile(r"\bE[A-Z0-9]{2,}\b")
# These mean the same in every function: csploop.h says what.
COMMON = {"loop", "bridge", "options", "fn", "arg", "host", "path"}
HANDLES = ("csploop_t *", "const csploop_t *", "csploop_bridge_t *", "const csploop_bridge_t *")


@dataclass
class Function:
    name: str
    result: str
    parameters: list[tuple[str, str]]  # type, name
    comment: str

    def takes_a_handle(self) -> bool:
        return any(type_ in HANDLES for type_, _ in self.parameters)


def plain(comment: str) -> str:
    """A comment's words on one line, without its stars."""
    return " ".join(re.sub(r"^\s*\*", "", line) for line in comment[2:-2].splitlines()).replace("  ", " ")


def functions(header: Path) -> list[Function]:
    """What a header declares; functions with nothing but space between them share a comment."""
    text = header.read_text(encoding="utf-8")
    comments = [(match.end(), plain(match.group())) for match in COMMENT.finditer(text)]
    # Same length as before, so that positions in both texts agree.
    bare = COMMENT.sub(lambda match: " " * len(match.group()), text)
    bare = re.sub(r"^[ \t]*#.*$", lambda match: " " * len(match.group()), bare, flags=re.MULTILINE)
    found: list[Function] = []
    end_of_last = 0
    for match in DECLARATION.finditer(bare):
        before = [(end, comment) for end, comment in comments if end <= match.start()]
        end, comment = before[-1] if before else (0, "")
        if end < end_of_last:  # no comment of its own
            comment = "" if bare[end_of_last : match.start()].strip() else found[-1].comment
        elif text[end : match.start()].strip():
            comment = ""
        parameters = []
        for parameter in match.group(3).split(","):
            type_, _, name = " ".join(parameter.split()).rpartition(" ")
            stars = len(name) - len(name.lstrip("*"))
            parameters.append((type_ + " " + "*" * stars, name.lstrip("*")))
        result = " ".join(match.group(1).replace("CSPLOOP_MUST_CHECK", "").split())
        found.append(Function(match.group(2), result, parameters, " ".join(comment.split())))
        end_of_last = match.end()
    return found


def wrong_with(function: Function, codes: set[str], names: set[str]) -> list[str]:
    comment = function.comment
    if not comment:
        return ["comment"]
    gaps = []
    thread = THREAD.search(comment)
    if not thread:
        gaps.append("thread")
    errors = ERRORS.search(comment)
    if not errors:
        gaps.append("errors")
    else:
        on_loop = bool(thread and thread.group(1) == "loop-thread")
        gaps += wrong_errors(function, errors.group(1), on_loop, codes, names)
    kinds = [function.result] + [type_ for type_, _ in function.parameters]
    if any("size_t" in kind for kind in kinds) and not re.search(r"\bbytes\b", comment, re.IGNORECASE):
        gaps.append("unit of sizes")
    if any("int64_t" in kind and "u" not in kind for kind in kinds) and not re.search(
        r"\b(ns|bytes)\b|\w+_ns\b", comment, re.IGNORECASE
    ):
        gaps.append("unit of times")
    for type_, name in function.parameters:
        common = name in COMMON or (name == "out" and type_.startswith("csploop_id"))
        if "*" in type_ and not common and not re.search(rf"\b{name}\b", comment):
            gaps.append(f"ownership of {name}")
    if "*" in function.result and not re.search(r"\b(static|reference|until)\b", comment, re.IGNORECASE):
        gaps.append("ownership of the result")
    if not re.search(r"Since \d+\.\d+\.", comment):
        gaps.append("since")
    return gaps


def wrong_errors(
    function: Function, errors: str, on_loop: bool, codes: set[str], names: set[str]
) -> list[str]:
    gaps = [f"unknown error {code}" for code in CODE.findall(errors) if code not in codes]
    others = re.findall(r"\bas (?:for )?(csploop_\w+)", errors)
    gaps += [f"errors as {other}, which is no function" for other in others if other not in names]
    if others or not function.result.startswith("int"):
        return gaps
    if not function.takes_a_handle():
        return gaps if CODE.search(errors) or "none" in errors else [*gaps, "errors"]
    told = set(CODE.findall(errors))
    comment = function.comment
    needed = ["EINVAL", "ETHREAD"] if on_loop else ["EINVAL"]
    gaps += [f"errors lack {code}" for code in needed if code not in told]
    if "ECLOSED" not in told and "closed" not in comment.lower():
        gaps.append("errors lack ECLOSED")
    if "ECHILD" not in told and "forked child" not in comment:
        gaps.append("errors lack ECHILD")
    return gaps


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("include", type=Path, help="the directory that holds csploop.h")
    parser.add_argument("--each-has-a-gap", type=Path, metavar="HEADER")
    arguments = parser.parse_args()
    include: Path = arguments.include
    errors, records = (
        (include / "csploop" / name).read_text(encoding="utf-8") for name in ("error.h", "record.h")
    )
    codes = set(re.findall(r"XX\((E\w+),", errors))
    kinds = set(re.findall(r"CSPLOOP_KIND_(E\w+)", records))  # an error may come as one of these
    headers = [include / "csploop.h", *sorted((include / "csploop").glob("*.h"))]
    declared = [(header, function) for header in headers for function in functions(header)]
    names = {function.name for _, function in declared}
    if not codes or not kinds or len(declared) < 10:
        print(f"{len(declared)} functions below {include}: the check itself is broken", file=sys.stderr)
        return 1
    told = codes | kinds
    problems: list[str] = []
    if arguments.each_has_a_gap:
        bad = functions(arguments.each_has_a_gap)
        for function in bad:
            gaps = wrong_with(function, told, names)
            wanted = function.name[len("csploop_lacks_") :].split("_")[0]
            if len(gaps) != 1 or wanted not in gaps[0].split():
                problems.append(f"{function.name}: found {gaps or 'nothing'}")
        if not bad:
            problems.append(f"{arguments.each_has_a_gap} declares nothing")
    else:
        for header, function in declared:
            problems += [
                f"{header.name}: {function.name}: {gap}" for gap in wrong_with(function, told, names)
            ]
    print(*problems, sep="\n", end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
