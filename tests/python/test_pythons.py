"""Which interpreters `make test` finds, and what it says of those that it does not."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

TOOLS = pathlib.Path(__file__).parents[2] / "tools"
SCRIPT = TOOLS / "debian_root.sh"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the tools of this tree are for POSIX systems")


@pytest.fixture
def pythons(monkeypatch, tmp_path):
    """tools/pythons.py on a system that has no interpreter yet, and no root of another."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("env", "sh", "dirname", "id", "mkdir", "flock"):
        found = shutil.which(name)
        assert found is not None
        (commands / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(commands))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(str(TOOLS))
    import pythons

    yield pythons
    for name in ("pythons", "debian_root"):
        del sys.modules[name]


@pytest.fixture
def install(tmp_path):
    """Puts an interpreter on PATH that answers the probe with these facts, or says why it cannot."""

    def add(command, implementation="CPython", version="", error="", **facts):
        path = tmp_path / "bin" / command
        told = {
            "implementation": implementation,
            "version": version,
            "executable": str(path),
            "headers": True,
        }
        answer = f"echo '{error}' >&2; exit 1" if error else f"echo '{json.dumps({**told, **facts})}'"
        path.write_text(f"#!/bin/sh\n{answer}\n")
        path.chmod(0o755)

    return add


@pytest.fixture
def default(pythons):
    return pythons.Python("CPython", "3.11", "/usr/bin/python3")


def test_the_supported_ones_are_found_by_what_they_are_and_not_by_their_commands(pythons, install, default):
    install("python3.10", version="3.10")
    install("python3.12", version="3.13")
    install("pypy3", "PyPy", "3.11")
    chosen, lacking = pythons.choose("found", default)
    assert [python.name for python in chosen] == ["CPython 3.10", "PyPy 3.11"]
    assert "CPython 3.11" not in lacking  # the default one
    assert lacking["CPython 3.12"].endswith("python3.12 is CPython 3.13")
    assert lacking["CPython 3.15"] == "it is not here"
    assert lacking["PyPy 3.9"].endswith("pypy3 is PyPy 3.11")


def test_without_a_gil_it_has_a_name_an_environment_and_an_order_of_its_own(pythons, install, default):
    install("python3.14", version="3.14")
    install("python3.14t", version="3.14t")
    chosen, lacking = pythons.choose("python3.14 python3.14t", default)
    assert lacking == {}
    assert [(python.name, python.slug, python.numbers, python.has_gil) for python in chosen] == [
        ("CPython 3.14", "cpython-3.14", (3, 14), True),
        ("CPython 3.14t", "cpython-3.14t", (3, 14), False),
    ]


def test_what_cannot_be_used_is_told_with_its_reason(pythons, install, default):
    install("python3.12", error="No module named venv")
    install("python3.13", version="3.13", headers=False)
    chosen, lacking = pythons.choose("python3.12 python3.13 python3.99", default)
    assert chosen == []
    assert lacking == {
        "python3.12": "it cannot be used (No module named venv)",
        "python3.13": "it has no Python.h (Debian: its -dev package)",
        "python3.99": "it is not here",
    }


def test_what_runs_in_the_root_is_started_there(pythons):
    here = pythons.Python("CPython", "3.14", "/usr/bin/python3.14")
    there = pythons.Python("CPython", "3.14", "/usr/bin/python3.14", in_root=True)
    assert here.command("a", "b") == ["a", "b"]
    assert there.command("a", "b") == [SCRIPT, "run", "a", "b"]
    assert here.slug != there.slug  # an environment is for one of them


def test_where_no_root_can_be_made_the_others_are_tested_all_the_same(pythons, install, default):
    install("python3.13", version="3.13")
    chosen, lacking = pythons.choose("all", default)
    assert [python.name for python in chosen] == ["CPython 3.13"]
    reason = "debootstrap is not here" if os.getuid() == 0 else "needs to be root"
    assert reason in lacking["CPython 3.15"]


def run_script(*words, cache):
    return subprocess.run(
        [SCRIPT, *words],
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_runs_in_a_root_that_was_not_finished(tmp_path):
    result = run_script("run", "true", cache=tmp_path)
    assert result.returncode == 1
    assert f"no finished root in {tmp_path}" in result.stderr


def test_the_script_says_how_it_is_used(tmp_path):
    result = run_script("bake", cache=tmp_path)
    assert result.returncode == 2
    assert "debian_root.sh run COMMAND" in result.stdout
