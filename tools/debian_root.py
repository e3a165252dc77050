"""The root of Debian's unstable suite in which the tests of Pythons run that this system does not have yet.

debian_root.sh makes it and runs commands in it.
"""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

__all__ = ["command", "is_made", "make"]

SCRIPT = Path(__file__).resolve().with_suffix(".sh")

# What testing takes besides interpreters.
TOOLS = "g++ cmake ninja-build libuv1-dev pkg-config openssl redis-server postgresql chromium chromium-driver"
# Always the same, whatever else is on PATH, so that a root that was made once fits the next time.
PYTHONS = ("3.14", "3.15")
PYPY = "pypy3 pypy3-dev pypy3-venv"


def command(*words: str | Path) -> list[str | Path]:
    """What runs a command inside, in this tree."""
    return [SCRIPT, "run", *words]


def is_made() -> bool:
    path = subprocess.run([SCRIPT, "path"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return Path(path).is_dir()


@functools.cache
def make() -> str:
    """Makes it or brings it up to date, once in this process; empty, or why there is none."""
    packages = [*TOOLS.split(), *PYPY.split()]
    for version in PYTHONS:
        packages += [f"python{version}-dev", f"python{version}-venv", f"libpython{version}-testsuite"]
    made = subprocess.run(
        [SCRIPT, "make", *packages], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if made.returncode == 0:
        return ""
    return (made.stderr.strip().splitlines() or ["no reason given"])[-1]
