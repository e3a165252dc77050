"""The command line of market_graph.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from .command_line import parser

EPILOG = """\
examples:
  market_graph.py                                15 s live, then the backtest and the summary
  market_graph.py --seconds 0 --port 8080        the whole day, or until Ctrl-C; open the URL in a browser
  market_graph.py --speed 1000 --bar 300         faster, and longer bars
  market_graph.py --viewers 0 --pollers 0        nobody looks but you

exit codes: 0 all well (also after Ctrl-C); 1 the run was not as it should be, and the TROUBLE lines say how;
2 it could not start."""


def arguments(description: str | None) -> argparse.Namespace:
    made = parser("market_graph", description, EPILOG, "until the recorded day is over")
    made.whole("--bar", 1, 86400, 60, "length of a bar in seconds of market time", "S")
    made.whole("--viewers", 0, 1000, 3, "built-in WebSocket viewers of the board")
    made.whole("--pollers", 0, 1000, 3, "built-in HTTP clients, 20 requests a second each at most")
    made.add_argument(
        "--png",
        type=Path,
        default=Path("market_graph.png"),
        metavar="FILE",
        help="where the picture of the run goes (default: market_graph.png)",
    )
    return made.parse_args()
