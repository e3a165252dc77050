"""The programs of docs/csp-bridges.md run as they are written there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import csp
import pytest
from support.bridge_graphs import Graph, collect

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "csp-bridges.md"


def test_the_guides_programs_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # Those that are marked py need a line or two of what stands above them.
    blocks = re.findall(r"```py(?:thon)?\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    modules: list[Any] = []
    # csp reads the source of nodes and graphs, so each program is a file. The second goes on from the first.
    programs = [blocks[0] + blocks[1], "import csp\n" + blocks[2], "import csp\n" + blocks[3]]
    for number, block in enumerate(programs):
        path = tmp_path / f"guide_{number}.py"
        path.write_text(block, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        modules.append(module)

    printed = capfd.readouterr().out
    assert re.search(r"price:100\.5\n.*price:101\.25\n", printed), "in realtime"
    assert "2020-01-01 01:00:00 price:101.25\n2020-01-01 09:30:00 price:100.5\n" in printed

    events = modules[1].bridge
    with events, Graph(events, 1, extra=lambda out: modules[1].respond(out, events)):
        events.push("hello")
        events.on_event(lambda event: None)
    assert not events.is_running

    records = modules[2].bridge
    seen: list[Any] = []
    records.push((0, 100.5, 3))
    csp.run(lambda: collect(records.out(), seen, 1), realtime=True)
    assert seen[0][1]["price"].tolist() == [100.5]
    records.close()
