"""The command line of market_service.py."""

from __future__ import annotations

import argparse

from . import loops
from .command_line import parser

EPILOG = """\
examples:
  market_service.py                              15 s with the built-in clients, then the table
  market_service.py --seconds 0 --port 8080      serve until Ctrl-C; open the URL in a browser
  market_service.py --clients 60 --speed 600     more of everything
  market_service.py --loop asyncio               the same on another loop, to compare
  market_service.py --clients 0 --pollers 0      no clients but yours

exit codes: 0 all well (also after Ctrl-C); 1 the run was not as it should be, and the TROUBLE lines say how;
2 it could not start."""


def arguments(description: str | None) -> argparse.Namespace:
    made = parser("market_service", description, EPILOG, "until Ctrl-C")
    made.whole("--clients", 0, 1000, 12, "WebSocket subscribers in the clients' process")
    made.whole("--pollers", 0, 1000, 6, "HTTP pollers there, 20 requests a second each at most")
    made.whole("--slow", 0, 1000, 1, "how many of those read ten messages a second, and lose the rest")
    add = made.add_argument
    add("--loop", choices=loops.NAMES, default="csploop", help="event loop of the service (default: csploop)")
    add(
        "--client-loop",
        choices=loops.NAMES,
        default="asyncio",
        help="event loop of the clients; keep it fixed when comparing services (default: asyncio)",
    )
    options = made.parse_args()
    if options.slow > options.clients:
        options.slow = options.clients
    return options
