"""The command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from . import loops

RECORDING = Path(__file__).resolve().parent.parent / "data" / "ticks.csv.gz"

EPILOG = """\
examples:
  market_service.py                              15 s with the built-in clients, then the table
  market_service.py --seconds 0 --port 8080      serve until Ctrl-C; open the URL in a browser
  market_service.py --clients 60 --speed 600     more of everything
  market_service.py --loop asyncio               the same on another loop, to compare
  market_service.py --clients 0 --pollers 0      no clients but yours

exit codes: 0 all well (also after Ctrl-C); 1 the run was not as it should be, and the TROUBLE lines say how;
2 it could not start."""


def number(kind: type, low: float, high: float, what: str) -> Any:
    """An argparse type: a number within limits, else one clear line."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} from {low:g} to {high:g}")
        return value

    return parse


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:  # argparse's own prints the usage too, and buries the reason
        self.exit(2, f"{self.prog}: {message} (--help tells more)\n")


def arguments(description: str | None) -> argparse.Namespace:
    parser = Parser(
        prog="market_service",
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
        help="how long to serve; 0: until Ctrl-C (default: 15)",
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
        "--clients",
        type=number(int, 0, 1000, whole),
        default=12,
        metavar="N",
        help="WebSocket subscribers in the clients' process (default: 12)",
    )
    add(
        "--pollers",
        type=number(int, 0, 1000, whole),
        default=6,
        metavar="N",
        help="HTTP pollers there, 20 requests a second each at most (default: 6)",
    )
    add(
        "--slow",
        type=number(int, 0, 1000, whole),
        default=1,
        metavar="N",
        help="how many of the subscribers read ten messages a second and lose what is too much (default: 1)",
    )
    add("--loop", choices=loops.NAMES, default="csploop", help="event loop of the service (default: csploop)")
    add(
        "--client-loop",
        choices=loops.NAMES,
        default="asyncio",
        help="event loop of the clients; keep it fixed when comparing services (default: asyncio)",
    )
    add(
        "--ticks",
        type=Path,
        default=RECORDING,
        metavar="FILE",
        help="another recording, CSV or CSV.gz in the format that market/make_ticks.py writes",
    )
    options = parser.parse_args()
    if options.slow > options.clients:
        options.slow = options.clients
    return options
