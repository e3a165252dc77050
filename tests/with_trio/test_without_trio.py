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
