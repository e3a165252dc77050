"""Every program in docs/csp.md runs."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "csp.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_guide_has_programs():
    assert len(PROGRAMS) >= 3


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_program(number, tmp_path):
    # csp reads the source of nodes from their file.
    program = tmp_path / f"guide_{number}.py"
    program.write_text(PROGRAMS[number], encoding="utf-8")
    runpy.run_path(str(program), run_name="__main__")
