"""grpc.aio: its core has threads of its own, and tells the loop by a socket when something has come."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(sys.implementation.name == "pypy", reason="grpcio is written for CPython's C API"),
]
PROGRAM = Path(__file__).with_name("grpc_program.py")
STEPS = "unary large failure deadline cancellation answers requests dialogue"


@pytest.mark.parametrize("kind", ["csploop", "csploop-uv", "asyncio"])
def test_every_kind_of_call(kind):
    done = subprocess.run(
        [sys.executable, PROGRAM, kind], capture_output=True, text=True, timeout=80, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == [*STEPS.split(), kind.partition("-")[0]], done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
