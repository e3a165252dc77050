"""The command line of market_graph.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import RECORDING, Parser, number

EPILOG = """\
examples:
  market_graph.py                                15 s live, then the backtest and the summary
  market_graph.py --seconds 0 --port 8080        the whole day, or until Ctrl-C; open the URL in a browser
  market_graph.py --speed 1000 --bar 300         faster, and longer bars
  market_graph.py --viewers 0 --pollers 0        nobody looks but you

exit codes: 0 all well (also after Ctrl-C); 1 the run was not as it should be, and the TROUBLE lines say how;
2 it could not start."""


def arguments(description: str | None) -> argparse.Namespace:
    parser = Parser(
        prog="market_graph",
        description=description,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole, real = "a whole number", "a number"
    add = parser.add_argument
    add(
        "--seconds",
        type=number(float, 0, 1e6, real),
        default=15.0,
        metavar="S",
        help="how long to run live; 0: until the recorded day is over (default: 15)",
    )
    add(
        "--port",
        type=number(int, 0, 65535, whole),
        default=0,
        metavar="N",
        help="TCP port on 127.0.0.1; 0: any free one, the URL is printed (default: 0)",
    )
    add(
        "--speed",
        type=number(float, 0.01, 1e5, real),
        default=150.0,
        metavar="X",
        help="how many times faster than the recorded day (default: 150, some 400 ticks a second)",
    )
    add(
        "--bar",
        type=number(int, 1, 86400, whole),
        default=60,
        metavar="S",
        help="length of a bar in seconds of market time (default: 60)",
    )
    add(
        "--viewers",
        type=number(int, 0, 1000, whole),
        default=3,
        metavar="N",
        help="built-in WebSocket viewers of the board (default: 3)",
    )
    add(
        "--pollers",
        type=number(int, 0, 1000, whole),
        default=3,
        metavar="N",
        help="built-in HTTP clients, 20 requests a second each at most (default: 3)",
    )
    add(
        "--png",
        type=Path,
        default=Path("market_graph.png"),
        metavar="FILE",
        help="where the picture of the run goes (default: market_graph.png)",
    )
    add(
        "--ticks",
        type=Path,
        default=RECORDING,
        metavar="FILE",
        help="another recording, CSV or CSV.gz in the format that market/make_ticks.py writes",
    )
    return parser.parse_args()
