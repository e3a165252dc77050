#!/usr/bin/env python3
"""A csp graph and asyncio in one thread: live, in a browser, and once more as a backtest.

A WebSocket feed of market ticks flows through an async adapter into a csp graph, which makes bars and
statistics of them. aiohttp serves these to a page with a moving chart and to HTTP clients, on the same loop
and thread. Then the same graph runs over the recording in simulation, and must give the same bars.
"""

from __future__ import annotations

import sys

from market.graph_options import arguments


def main() -> int:
    options = arguments(__doc__)
    # Importing csp takes seconds: --help and a wrong option need not wait for it.
    try:
        from market import backtest, picture, summary
        from market.live import FeedBroke, Live
        from market.recording import BadRecording, load
        from market.web_service import CannotStart
    except ModuleNotFoundError as error:
        if error.name not in ("aiohttp", "csp", "matplotlib"):
            raise
        sys.exit(
            f"market_graph: {error.name} is not installed; `make run` sets everything up, or: "
            "pip install csploop[csp] aiohttp matplotlib"
        )
    try:
        ticks = load(options.ticks)
        live = Live(options, ticks)
        live.run()
    except (BadRecording, CannotStart) as error:
        print(f"market_graph: {error}", file=sys.stderr)
        return 2
    except FeedBroke as error:
        print(f"market_graph: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("market_graph: interrupted", file=sys.stderr)
        return 130
    again = backtest.Backtest(live.ticks_seen, live.board.symbols, options.bar)
    again.run()
    found = backtest.differences(live.board, again.board)
    title = f"{live.seen:,} ticks at {options.speed:g} times their pace, bars of {options.bar} s"
    drawn, pictured = f"picture: {options.png}", True
    try:
        picture.draw(live.board.rows, title, options.png)
    except OSError as error:
        pictured = False
        drawn = f"TROUBLE: no picture in {options.png}: {error.strerror or error}; --png names another place"
    print("\n".join(["", *summary.lines(live, again, drawn, found)]))
    return 0 if pictured and not found and not live.audience.errors else 1


if __name__ == "__main__":
    sys.exit(main())
