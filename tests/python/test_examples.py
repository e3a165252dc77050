"""Every Python example runs, ends by itself, and says that it worked."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "python"

# name -> arguments, what it prints last
RUNS = {
    "echo_streams": (["--selftest"], "5 of 5 clients got back what they sent"),
    "echo_protocol": (["--selftest"], "5 of 5 clients got back what they sent"),
    "trio_and_asyncio": ([], "5 of 5 clients got an answer"),
    "trio_and_asyncio --guest": (["--guest"], "5 of 5 clients got an answer"),
    "three_worlds": ([], "answers [1, 21, 41, 61, 81] from 1 thread"),
    "threads": (["500"], "an executor thread added up squares meanwhile: 333328333350000"),
}


@pytest.mark.timeout(200)  # importing csp takes many seconds on a busy machine
@pytest.mark.parametrize("name", RUNS)
def test_python_example_runs_and_ends(name: str) -> None:
    if name.startswith("trio") and importlib.util.find_spec("trio") is None:
        pytest.skip("csploop.trio is for CPython 3.10 and later, as Trio is; it is not installed here")
    if name == "three_worlds" and importlib.util.find_spec("csp") is None:
        pytest.skip("csp has no wheel for this Python")
    arguments, last = RUNS[name]
    command = [sys.executable, str(EXAMPLES / f"{name.split()[0]}.py"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == last


def test_every_python_example_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {name.split()[0] for name in RUNS}
