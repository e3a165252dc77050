"""The tests' own rules: unique names, no stale departures, bounded tests without sleeps."""

from __future__ import annotations

import ast
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
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


@pytest.fixture
def session(tmp_path):
    """Runs a session of its own, with the rules of this one, of the files that are given by their texts."""

    def run(plugin="", **files):
        (tmp_path / "plugin_of_this_test.py").write_text(textwrap.dedent(plugin))
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        command = [sys.executable, "-m", "pytest", "--color=no", "-rA", "--rootdir", tmp_path]
        for plugin_name in ("conftest", "plugin_of_this_test", "no:cacheprovider", "no:asyncio"):
            command += ["-p", plugin_name]
        ran = subprocess.run(
            [*command, tmp_path],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(tmp_path)])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=50,
            check=False,
        )
        return ran.stdout

    return run


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="there are no timer signals")
def test_a_bound_that_runs_out_between_two_phases_does_not_end_the_session(session):
    # The report of a failure is pytest's own work, and may take longer than what the bound has left.
    output = session(
        plugin="""
            import signal
            def pytest_runtest_logreport(report):
                bound = signal.getsignal(signal.SIGALRM)
                if report.when == "call" and "first" in report.nodeid:
                    bound(signal.SIGALRM, None)
            """,
        test_it="""
            import pytest
            @pytest.mark.timeout(10, method="signal")
            def test_first():
                pass
            def test_second():
                pass
            """,
    )
    assert "INTERNALERROR" not in output
    assert "PASSED test_it.py::test_second" in output, output


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="there are no timer signals")
def test_a_bound_whose_exception_is_swallowed_strikes_again(session):
    output = session(
        test_it="""
            import pytest
            def waits(swallowing):
                while swallowing:
                    try:
                        while True:
                            pass
                    except BaseException:
                        swallowing -= 1
                while True:
                    pass
            @pytest.fixture
            def cleaned_up():
                yield
                print("cleaned up")
            @pytest.mark.timeout(1, method="signal")
            def test_first(cleaned_up):
                waits(swallowing=1)
            def test_second():
                pass
            """,
    )
    assert "FAILED test_it.py::test_first - Failed: Timeout" in output, output
    assert "cleaned up" in output, output
    assert "PASSED test_it.py::test_second" in output, output


def test_garbage_that_parses_does_not_end_the_session(session):
    # What a failed test leaves may go at any time: also while its report is made, which parses its source.
    output = session(
        test_it="""
            import ast, gc
            going = True
            class Garbage:
                def __init__(self):
                    self.myself = self
                def __del__(self):
                    ast.parse("(1 + 2) * 3")
                    if going:
                        Garbage()
            def test_first():
                Garbage()
                gc.set_threshold(10)
                assert not going
            def test_second():
                global going
                going = False
            """,
    )
    assert "INTERNALERROR" not in output
    assert "FAILED test_it.py::test_first" in output, output
    assert "PASSED test_it.py::test_second" in output, output


@pytest.mark.skipif(
    sys.version_info < (3, 11) or sys.implementation.name != "cpython",
    reason="before CPython 3.11, and on PyPy, each instruction has a line",
)
def test_a_failure_in_code_without_a_line_does_not_end_the_session(session):
    # A signal's exception may come at a jump that has none, as in the loop of asyncio's TLS.
    output = session(
        test_it="""
            def fails():
                raise KeyError("of no line")
            fails.__code__ = fails.__code__.replace(co_linetable=b"\\xff" * len(fails.__code__.co_code))
            def test_first():
                try:
                    fails()
                except KeyError as exc:
                    assert exc.__traceback__.tb_next.tb_lineno is None
                    raise ValueError("chained") from exc
            def test_second():
                pass
            """,
    )
    assert "INTERNALERROR" not in output
    assert "FAILED test_it.py::test_first - ValueError: chained" in output, output
    assert "PASSED test_it.py::test_second" in output, output


def test_an_unknown_loop_is_refused():
    with pytest.raises(ValueError, match="nonsense"):
        choose("csploop,nonsense")
