"""Example programs with a web service, as their users run them."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SECONDS = 180  # a whole run has to end within; the timeout mark of such a test is longer


def run(program: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """To its end."""
    command = [sys.executable, str(EXAMPLES / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, env=env)


@contextmanager
def serving(program: str, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A run that goes on until it is told to end; the URL that it prints, and its process."""
    command = [sys.executable, str(EXAMPLES / program), "--seconds", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            match = re.match(r"serving (http://\S+/) ", first)
            assert match, first + process.communicate(timeout=SECONDS)[1]
            yield match[1], process
        finally:
            process.kill()


def get(url: str) -> tuple[int, str]:
    """Status and body, also of an error."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def numbers(pattern: str, text: str) -> list[int]:
    """What the pattern's groups found, as numbers; commas between thousands are allowed."""
    match = re.search(pattern, text)
    assert match, text
    return [int(group.replace(",", "")) for group in match.groups()]
