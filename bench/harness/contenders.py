"""Who takes part: event loops of one or more Python interpreters, and C servers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .failure import BenchError

LOOPS = ("csploop", "asyncio", "uvloop", "rloop")

PROBE = """
import importlib, json, os, platform, sys
found = {"implementation": sys.implementation.name, "version": platform.python_version(), "loops": {}}
try:
    from importlib.metadata import version
except ImportError:
    version = None
for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name)
        module.new_event_loop
        number = platform.python_version() if name == "asyncio" else getattr(module, "__version__", None)
        found["loops"][name] = {"version": str(number or version(name))}
        if name == "csploop":
            module = importlib.import_module("csploop._ffi._csploop")
            found["library_directory"] = os.path.dirname(os.path.abspath(module.__file__))
    except Exception as error:
        found["loops"][name] = {"error": "%s: %s" % (type(error).__name__, error)}
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Contender:
    label: str
    """Unique in a run; the column's title."""
    family: str
    """The loop, or for C the library: what ratios are formed between."""
    world: str
    """The interpreter, or "C": ratios stay within one world."""
    version: str
    command: tuple[str, ...]
    """Python: the interpreter. C: empty, each benchmark has a program of its own."""


@dataclass(frozen=True)
class Interpreter:
    path: str
    world: str
    library_directory: str | None
    contenders: list[Contender]
    missing: dict[str, str]
    """Loops that cannot be imported, with the reason."""


def probe(path: str, loops: Sequence[str], first: bool) -> Interpreter:
    """Asks an interpreter which loops it has. The first one's go by their plain names."""
    if os.sep in path:
        path = os.path.abspath(path)  # not resolved: a virtual environment's python is a link
    try:
        done = subprocess.run([path, "-c", PROBE, *loops], capture_output=True, text=True, timeout=120)
    except OSError as error:
        raise BenchError(f"cannot run {path}: {error.strerror}") from None
    if done.returncode != 0:
        raise BenchError(f"{path} does not work: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    short = ".".join(found["version"].split(".")[:2])
    world = f"{found['implementation']} {found['version']}"
    contenders, missing = [], {}
    for name, facts in found["loops"].items():
        label = name if first else f"{name}@{found['implementation']}{short}"
        if "error" in facts:
            missing[label] = facts["error"]
        else:
            contenders.append(Contender(label, name, world, facts["version"], (path,)))
    return Interpreter(path, world, found.get("library_directory"), contenders, missing)


def probe_all(paths: Sequence[str], loops: Sequence[str]) -> list[Interpreter]:
    interpreters = [probe(path, loops, number == 0) for number, path in enumerate(paths)]
    labels = [contender.label for interpreter in interpreters for contender in interpreter.contenders]
    if len(labels) != len(set(labels)):
        raise BenchError("two of the interpreters are of the same version")
    return interpreters


def scripts() -> Path:
    return Path(__file__).resolve().parent.parent
