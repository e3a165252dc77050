"""Every Python example runs, ends by itself, and says that it worked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "python"

# name -> arguments, what it prints last
RUNS = {
    "echo_streams": (["--selftest"], "5 of 5 clients got back what they sent"),
    "echo_protocol": (["--selftest"], "5 of 5 clients got back what they sent"),
    "threads": (["500"], "an executor thread added up squares meanwhile: 333328333350000"),
}


@pytest.mark.parametrize("name", RUNS)
def test_python_example_runs_and_ends(name: str) -> None:
    arguments, last = RUNS[name]
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=18)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == last


def test_every_python_example_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(RUNS)
