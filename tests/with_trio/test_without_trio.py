"""Where Trio is not installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest


def test_trio_is_there_where_it_is_supported():
    if importlib.util.find_spec("trio") is None:
        pytest.skip("csploop.trio is for CPython 3.10 and later, as Trio is; it is not installed here")


def test_csploop_works_without_trio():
    program = "import sys; sys.modules['trio'] = None; import csploop, asyncio; csploop.run(asyncio.sleep(0))"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_error_says_what_to_install():
    program = "import sys; sys.modules['trio'] = None; import csploop.trio"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.stderr.splitlines()[-1].endswith("csploop.trio needs Trio: pip install csploop[trio]")
