"""Which Python interpreters the tests run on, and which of them this machine has.

Some are newer than what the system has. Those are taken from a root of Debian's unstable suite, where one can
be made (debian_root.py); what belongs to them runs inside.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import debian_root

# The supported ones, and the commands that may start them.
SUPPORTED = {
    "CPython 3.10": ("python3.10",),
    "CPython 3.11": ("python3.11",),
    "CPython 3.12": ("python3.12",),
    "CPython 3.13": ("python3.13",),
    "CPython 3.14": ("python3.14",),
    "CPython 3.15": ("python3.15",),
    "PyPy 3.9": ("pypy3.9", "pypy3"),
    "PyPy 3.11": ("pypy3.11", "pypy3"),
}

PROBE = """
import json, os, sys, sysconfig
import ensurepip, ssl, venv
names = {"cpython": "CPython", "pypy": "PyPy"}
print(json.dumps({
    "implementation": names.get(sys.implementation.name, sys.implementation.name),
    "version": "%d.%d" % sys.version_info[:2] + "t" * bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "executable": sys.executable,
    "headers": os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")),
}))
"""


@dataclass(frozen=True)
class Python:
    """One interpreter that can make virtual environments and be compiled for."""

    implementation: str
    version: str  # as 3.14, and 3.14t without a GIL
    executable: str
    in_root: bool = False

    @property
    def name(self) -> str:
        return f"{self.implementation} {self.version}"

    @property
    def slug(self) -> str:
        """Of directories and files; an environment of the root's is none of this system's."""
        return self.name.lower().replace(" ", "-") + ("-debian" if self.in_root else "")

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.removesuffix("t").split("."))

    @property
    def has_gil(self) -> bool:
        return not self.version.endswith("t")

    @property
    def where(self) -> str:
        return f"{self.executable} of Debian's unstable suite" if self.in_root else self.executable

    def command(self, *words: str | Path) -> list[str | Path]:
        """What runs a command where this interpreter is."""
        return debian_root.command(*words) if self.in_root else [*words]


def probe(executable: str, in_root: bool = False) -> Python | str:
    """The interpreter behind a command, or why it cannot be used."""
    # Away from this tree: nothing here may be imported by mistake.
    command: list[str | Path] = ["env", "-C", os.sep, executable, "-c", PROBE]
    if in_root:
        command = debian_root.command(*command)
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not start ({error})"
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        return f"it cannot be used ({last})"
    facts = json.loads(result.stdout)
    if not facts["headers"]:
        return "it has no Python.h (Debian: its -dev package)"
    return Python(facts["implementation"], facts["version"], facts["executable"], in_root)


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


def find(commands: tuple[str, ...], name: str | None, in_root: bool = False) -> Python | str:
    """The first candidate that works and has this name (None: any); else why the last of them is none."""
    reason = "it is not here"
    for command in commands:
        for path in [command] if in_root else candidates(command):
            answer = probe(path, in_root)
            if isinstance(answer, Python):
                if name in (None, answer.name):
                    return answer
                reason = f"{path} is {answer.name}"
            else:
                reason = answer
    return reason


def root_to_search(wanted: str) -> str | None:
    """Whether to look into the root: empty if so, else why it cannot be made, or None."""
    if wanted == "all":
        return debian_root.make()
    return "" if wanted != "found" and debian_root.is_made() else None


def choose(wanted: str, default: Python) -> tuple[list[Python], dict[str, str]]:
    """The interpreters to test on besides the default one, and what is lacking and why.

    `wanted` is PYTHONS of the Makefile: default, found, all, or commands separated by spaces. What is on PATH
    or among pyenv's versions comes first. The root has the rest: it is made for `all`, and where it was made
    before, commands are looked up there, too.
    """
    searched: dict[str, tuple[str | None, tuple[str, ...]]]
    if wanted == "default":
        return [], {}
    if wanted in ("found", "all"):
        searched = {name: (name, commands) for name, commands in SUPPORTED.items() if name != default.name}
    else:
        searched = {command: (None, (command,)) for command in wanted.split()}
    chosen: dict[str, Python] = {}
    lacking: dict[str, str] = {}
    for title, (name, commands) in searched.items():
        answer = find(commands, name)
        if isinstance(answer, str) and (no_root := root_to_search(wanted)) is not None:
            there = no_root or find(commands, name, in_root=True)
            answer = f"{answer}; of Debian's unstable suite: {there}" if isinstance(there, str) else there
        if isinstance(answer, str):
            lacking[title] = answer
        elif answer.name != default.name:
            chosen[answer.name] = answer
    return list(chosen.values()), lacking
