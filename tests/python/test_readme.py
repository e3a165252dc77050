"""What the documents show is true: Python listings run, C and C++ ones are parts of examples."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "bindings" / "README.md"]
# How debug mode says that a callback held the loop for long, which any does on a machine that is busy enough.
SLOW = re.compile(r"^Executing .* took \d+\.\d+ seconds\n", re.MULTILINE)
# What Pythons that deprecate policies are told of a program that asks for one.
POLICY = re.compile(r"^.* DeprecationWarning: csploop\.(un)?install\(\) sets .*\n  .*\n", re.MULTILINE)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def listings(*languages: str) -> list[object]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match[1] in languages:
                line = text.count("\n", 0, match.start()) + 1
                found.append(pytest.param(match[2], id=f"{document.name}:{line}"))
    return found


@pytest.mark.timeout(200)  # importing csp takes many seconds on a busy machine
@pytest.mark.parametrize("source", listings("python"))
def test_python_listing_runs(source: str, tmp_path: Path) -> None:
    for name in re.findall(r"^(?:import|from) (?:csploop\.)?(csp|trio)\b", source, re.MULTILINE):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} has no wheel for this Python")
    program = tmp_path / "listing.py"
    program.write_text(source, encoding="utf-8")
    command = [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", str(program)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=180, cwd=tmp_path)
    told = SLOW.sub("", result.stderr)
    if sys.version_info >= (3, 14):
        told = POLICY.sub("", told)
    assert (result.returncode, told) == (0, ""), result.stdout + result.stderr


@pytest.mark.parametrize("source", listings("c", "cpp"))
def test_c_listing_is_part_of_a_built_example(source: str) -> None:
    def plain(text: str) -> str:
        return textwrap.dedent(text).strip()

    wanted = plain(source).splitlines()
    for path in sorted((ROOT / "examples").glob("c*/*.[ch]*")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for start in range(len(lines) - len(wanted) + 1):
            if plain("\n".join(lines[start : start + len(wanted)])) == "\n".join(wanted):
                return
    pytest.fail("no file of examples/ holds these lines; copy them from there")


def test_readme_begins_with_the_two_commands() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40]
    text = "\n".join(first_screen)
    assert "make run" in text and "make test" in text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"
