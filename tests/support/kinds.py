"""The loops that a test body runs on.

`csploop` and `csploop-uv` are the same package on its two pollers, `csploop-trio`
is driven by Trio and runs where it is asked for by name; `asyncio` and `uvloop` are comparators: where they
disagree with a body, that is a finding, listed in departures.py.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    name: str
    package: str
    poller: str | None = None
    needs: str | None = None
    only_by_name: bool = False

    @property
    def ours(self) -> bool:
        return self.package == "csploop"

    @property
    def installed(self) -> bool:
        names = (self.package, self.needs)
        return all(importlib.util.find_spec(name) is not None for name in names if name)

    def new(self) -> asyncio.AbstractEventLoop:
        if self.name == "csploop-trio":
            from support.trio_driven import TrioDrivenLoop

            return TrioDrivenLoop(poller=self.poller)
        if self.package == "csploop":
            import csploop

            return csploop.Loop(poller=self.poller)
        if self.package == "uvloop":
            import uvloop

            return uvloop.new_event_loop()
        return asyncio.SelectorEventLoop()


# Patch releases taught asyncio to stay paused after connection_made, and its reading pipes is_reading.
ASYNCIO_PAUSES = sys.platform == "win32" or "is_reading" in vars(asyncio.unix_events._UnixReadPipeTransport)

DEFAULT_POLLER = "epoll" if sys.platform == "linux" else "uv"

KINDS = {
    kind.name: kind
    for kind in (
        Kind("csploop", "csploop", DEFAULT_POLLER),
        Kind("csploop-uv", "csploop", "uv"),
        Kind("csploop-trio", "csploop", DEFAULT_POLLER, needs="trio", only_by_name=True),
        Kind("asyncio", "asyncio"),
        Kind("uvloop", "uvloop"),
    )
}


def choose(text: str | None, comparators: str = "with") -> list[Kind]:
    """The kinds to run: those that --loops names, else ours and those to compare with as --comparators says.

    Ours are not left out for being absent: a csploop that cannot be imported must fail, not vanish.
    """
    if text:
        unknown = [name for name in text.split(",") if name not in KINDS]
        if unknown:
            raise ValueError(f"--loops: unknown {', '.join(unknown)}; known are {', '.join(KINDS)}")
        return [KINDS[name] for name in text.split(",")]
    kinds = [kind for kind in KINDS.values() if not kind.only_by_name]
    ours = [kind for kind in kinds if kind.ours]
    others = [kind for kind in kinds if not kind.ours and kind.installed]
    return {"with": ours + others, "without": ours, "only": others}[comparators]
