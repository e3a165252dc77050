"""csp graphs with coroutines. Where csp is not installed nothing runs: it has wheels for some CPythons."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterator

import pytest


def _has_csp() -> bool:
    return importlib.util.find_spec("csp") is not None


collect_ignore_glob = [] if _has_csp() else ["test_*.py"]


def pytest_report_header() -> str:
    version = ".".join(map(str, sys.version_info[:2]))
    return "" if _has_csp() else f"tests/with_csp: not collected, csp is not installed (on Python {version})"


@pytest.fixture(scope="session", autouse=True)
def csp_is_loaded(warmed_up: None) -> None:
    """csp's libraries open files and start threads of their own at the first use."""
    from datetime import datetime, timedelta

    import csp

    csp.run(csp.const(1), starttime=datetime(2024, 1, 1), endtime=timedelta(1))


@pytest.fixture(autouse=True)
def no_shared_loop_is_left(nothing_leaks: None) -> Iterator[None]:
    yield
    import csploop.csp

    csploop.csp.shutdown_shared_loop()


@pytest.fixture(autouse=True)
def no_wake_thread_is_left() -> Iterator[None]:
    yield
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("csploop-csp")]
    assert not left, f"threads of a run are left: {left}"
