"""Which Python interpreters the tests run on, and which of them this machine has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# The supported ones, by the command that usually starts them.
SUPPORTED = {
    "python3.10": "CPython 3.10",
    "python3.11": "CPython 3.11",
    "python3.12": "CPython 3.12",
    "python3.13": "CPython 3.13",
    "pypy3": "PyPy 3",
}

PROBE = """
import json, os, sys, sysconfig
import ensurepip, ssl, venv
names = {"cpython": "CPython", "pypy": "PyPy"}
print(json.dumps({
    "implementation": names.get(sys.implementation.name, sys.implementation.name),
    "version": "%d.%d" % sys.version_info[:2],
    "executable": sys.executable,
    "headers": os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")),
}))
"""


@dataclass(frozen=True)
class Python:
    """One interpreter that can make virtual environments and be compiled for."""

    implementation: str
    version: str
    executable: str

    @property
    def name(self) -> str:
        return f"{self.implementation} {self.version}"

    @property
    def slug(self) -> str:
        return self.name.lower().replace(" ", "-")

    @property
    def family(self) -> str:
        """The entry of SUPPORTED that it stands for; any PyPy 3 does."""
        return "PyPy 3" if self.implementation == "PyPy" else self.name


def probe(executable: str) -> Python | str:
    """The interpreter behind a command, or why it cannot be used."""
    try:
        # Away from this tree: nothing here may be imported by mistake.
        result = subprocess.run(
            [executable, "-c", PROBE], capture_output=True, text=True, timeout=60, cwd=os.sep, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not start ({error})"
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        return f"it cannot be used ({last})"
    facts = json.loads(result.stdout)
    if not facts["headers"]:
        return "it has no Python.h (Debian: its -dev package)"
    return Python(facts["implementation"], facts["version"], facts["executable"])


def candidates(command: str) -> list[str]:
    """Every file that may be this interpreter: on PATH first, then among pyenv's versions."""
    found = [
        path
        for directory in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if (path := shutil.which(command, path=directory))
    ]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found += [str(path) for path in sorted(pyenv.glob(f"versions/*/bin/{command}"), reverse=True)]
    return found


def find(command: str) -> Python | str:
    """The first candidate that works; else why the last of them does not."""
    reason = "it is not here"
    for path in candidates(command):
        answer = probe(path)
        if isinstance(answer, Python):
            if SUPPORTED.get(command) in (None, answer.family):
                return answer
            reason = f"{path} is {answer.name}"
        else:
            reason = answer
    return reason


def choose(wanted: str, default: Python) -> tuple[list[Python], dict[str, str]]:
    """The interpreters to test on besides the default one, and what is lacking and why.

    `wanted` is PYTHONS of the Makefile: default, found, all, or commands separated by spaces.
    """
    if wanted == "default":
        return [], {}
    commands = list(SUPPORTED) if wanted in ("found", "all") else wanted.split()
    chosen: dict[str, Python] = {}
    lacking: dict[str, str] = {}
    for command in commands:
        name = SUPPORTED.get(command, command)
        if name == default.family:
            continue
        answer = find(command)
        if isinstance(answer, str):
            lacking[name] = answer
        elif answer.name != default.name:
            chosen[answer.name] = answer
    return list(chosen.values()), lacking
