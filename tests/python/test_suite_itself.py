"""The tests' own rules: unique names, no stale departures, bounded tests without sleeps."""

from __future__ import annotations

import ast
import os
import pathlib
import signal
import subprocess
import sys
from collections import Counter

import pytest
from support.departures import DEPARTURES
from support.kinds import KINDS, choose

HERE = pathlib.Path(__file__).parent
FILES = sorted(path for folder in (HERE, HERE.parent / "interop") for path in folder.glob("test_*.py"))


def functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_test_of_a_file_hides_another(path):
    counted = Counter(node.name for node in functions(path) if node.name.startswith("test_"))
    assert [name for name, count in counted.items() if count > 1] == []


def test_file_names_are_unique():
    assert [name for name, count in Counter(path.name for path in FILES).items() if count > 1] == []


def test_each_departure_names_a_test_and_a_comparator():
    known = {f"{path.name}::{node.name}" for path in FILES for node in functions(path)}
    assert sorted({name.split("[")[0] for name in DEPARTURES} - known) == []
    for name, departures in DEPARTURES.items():
        for kind, reason in departures.items():
            assert not KINDS[kind].ours and reason, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nobody_waits_by_time_sleep(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert [ast.unparse(call) for call in calls if ast.unparse(call.func) == "time.sleep"] == []


def test_ours_are_never_left_out_by_default():
    names = [kind.name for kind in choose(None)]
    assert "csploop" in names and "csploop-uv" in names


def test_comparators_can_be_left_out_or_left_alone():
    ours, others = ([kind.name for kind in choose(None, which)] for which in ("without", "only"))
    assert "csploop" in ours and "asyncio" in others
    assert sorted(ours + others) == sorted(kind.name for kind in choose(None, "with"))


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="there are no timer signals")
def test_a_bound_that_runs_out_between_two_phases_does_not_end_the_session(tmp_path):
    # The report of a failure is pytest's own work, and may take longer than what the bound has left.
    (tmp_path / "slow_reports.py").write_text(
        "import signal\n"
        "def pytest_runtest_logreport(report):\n"
        "    bound = signal.getsignal(signal.SIGALRM)\n"
        "    if report.when == 'call' and 'first' in report.nodeid:\n"
        "        bound(signal.SIGALRM, None)\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.timeout(10, method='signal')\n"
        "def test_first():\n"
        "    pass\n"
        "def test_second():\n"
        "    pass\n"
    )
    command = [sys.executable, "-m", "pytest", "--color=no", "-rA", "--rootdir", tmp_path]
    plugins = ["-p", "conftest", "-p", "slow_reports", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    run = subprocess.run(
        [*command, *plugins, tmp_path],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(tmp_path)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=50,
        check=False,
    )
    assert "INTERNALERROR" not in run.stdout
    assert "PASSED test_it.py::test_second" in run.stdout, run.stdout


def test_an_unknown_loop_is_refused():
    with pytest.raises(ValueError, match="nonsense"):
        choose("csploop,nonsense")
