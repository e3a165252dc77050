"""The listings of docs/csp-adapters.md run, and what they assert holds."""

import re
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("csp", reason="csp has no wheel for this Python")

import csploop.csp

DOCUMENT = Path(__file__).parents[2] / "docs" / "csp-adapters.md"
LISTINGS = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def uninstalled() -> Iterator[None]:
    yield
    csploop.csp.uninstall()


def test_there_are_listings() -> None:
    assert len(LISTINGS) == 2


@pytest.mark.parametrize("number", range(len(LISTINGS)))
def test_the_listing_runs(number: int, tmp_path: Path) -> None:
    # csp reads the sources of nodes from their files.
    path = tmp_path / f"listing_{number}.py"
    path.write_text(LISTINGS[number])
    module = types.ModuleType(path.stem)
    exec(compile(LISTINGS[number], path, "exec"), module.__dict__)
