"""The Pythons that csploop is said to run on are the same wherever it is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
RANGE = r"CPython\s+3\.(\d+)(?: to |–)3\.(\d+)\s+and\s+PyPy\s+3\.(\d+)\s+and\s+3\.(\d+)"
PLACES = {
    "docs/python.md": RANGE,
    "CHANGELOG.md": RANGE,
    "README.md": RANGE.replace(r"\s+and\s+PyPy", r",\s+PyPy"),
}


def classified() -> list[int]:
    """The minor versions of pyproject.toml: CPython's, one by one."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return [int(minor) for minor in re.findall(r'"Programming Language :: Python :: 3\.(\d+)"', text)]


@pytest.mark.parametrize("place", PLACES)
def test_the_documents_say_what_the_package_says(place):
    found = re.search(PLACES[place], (ROOT / place).read_text(encoding="utf-8"))
    assert found is not None
    first, last, *pypy = map(int, found.groups())
    assert list(range(first, last + 1)) == classified()
    assert pypy == [9, 11]
