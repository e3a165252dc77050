"""The tests' own rules: unique names, no stale departures, bounded tests without sleeps."""

from __future__ import annotations

import ast
import pathlib
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


def test_an_unknown_loop_is_refused():
    with pytest.raises(ValueError, match="nonsense"):
        choose("csploop,nonsense")
