"""Runs a program whose wall clock can be set, as wall_clock.c says. Linux only.

The program calls `step(seconds)`, which is there as a name.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

__all__ = ["needs_settable_wall_clock", "run_with_wall_clock"]

SOURCE = Path(__file__).with_name("wall_clock.c")
COMPILER = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
# Until a program counts as hung; only a failing test gets there.
SECONDS = 100

needs_settable_wall_clock = pytest.mark.skipif(
    sys.platform != "linux" or COMPILER is None,
    reason="the wall clock is replaced by LD_PRELOAD, which takes Linux and a C compiler",
)

PREAMBLE = """
import ctypes

forward = ctypes.CDLL(None).set_wall_clock_forward
forward.argtypes = [ctypes.c_int64]


def step(seconds):
    forward(int(seconds * 1e9))


"""


def run_with_wall_clock(directory: Path, program: str) -> None:
    """Fails with the program's output if it does not end well."""
    assert COMPILER is not None
    library = directory / "wall_clock.so"
    compiled = subprocess.run(
        [*shlex.split(COMPILER), "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-lpthread"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert compiled.returncode == 0, compiled.stderr
    result = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(program)],
        env={**os.environ, "LD_PRELOAD": f"{os.environ.get('LD_PRELOAD', '')} {library}".strip()},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert result.returncode == 0, result.stderr
