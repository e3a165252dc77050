"""The picture of a run: each symbol's bars, mean and deviation, as a PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # a file, and no window
from matplotlib import pyplot, ticker  # only after the choice

from .graph import Row

UP, DOWN, MEAN, SOFT = "#1a7f4b", "#b3372f", "#2b62b8", "#777777"
COLUMNS = 2


def draw(rows: Mapping[str, Sequence[Row]], title: str, path: Path) -> None:
    """Writes the PNG, or raises OSError. Symbols without a bar get an empty panel that says so."""
    lines = -(-len(rows) // COLUMNS)
    figure, axes = pyplot.subplots(
        lines, COLUMNS, figsize=(12, 2.6 * lines + 0.8), squeeze=False, layout="constrained"
    )
    figure.suptitle(title, fontsize=12)
    panels = axes.flatten()
    for panel, (symbol, own) in zip(panels, rows.items()):
        _panel(panel, symbol, own)
    for panel in panels[len(rows) :]:
        panel.set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, format="png")
    pyplot.close(figure)


def _panel(panel: pyplot.Axes, symbol: str, rows: Sequence[Row]) -> None:
    panel.set_title(f"{symbol}, {len(rows)} bars", loc="left", fontsize=10)
    panel.grid(True, color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.use_sticky_edges = False  # a bar's lower end is not the end of the scale
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    if not rows:
        panel.text(0.5, 0.5, "no bar was completed", ha="center", transform=panel.transAxes, color=SOFT)
        return
    minutes = [row.bar.start_ms / 60_000 for row in rows]
    means = [row.mean for row in rows]
    width = 0.7 * min((b - a for a, b in zip(minutes, minutes[1:])), default=1.0)
    for minute, row in zip(minutes, rows):
        bar = row.bar
        ink = UP if bar.close >= bar.open else DOWN
        panel.vlines(minute, bar.low, bar.high, color=ink, linewidth=0.8)
        low, tall = min(bar.open, bar.close), abs(bar.close - bar.open)
        panel.bar(minute, max(tall, 0.001), width, low, color=ink)
    panel.plot(minutes, means, color=MEAN, linewidth=1.2)
    panel.fill_between(
        minutes,
        [row.mean - row.deviation for row in rows],
        [row.mean + row.deviation for row in rows],
        color=MEAN,
        alpha=0.12,
        linewidth=0,
    )
    panel.margins(y=0.08)
    panel.xaxis.set_major_locator(ticker.MaxNLocator(8, integer=True))
    panel.xaxis.set_major_formatter(lambda minute, _: f"{int(minute) // 60:02}:{int(minute) % 60:02}")
    panel.tick_params(labelsize=8, colors=SOFT)
