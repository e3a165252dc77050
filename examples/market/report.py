"""The table at the end: what the service says it sent beside what the clients say they got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .feed import Feed
from .hub import Hub
from .measure import Histogram, duration, size, table
from .service import Service

HEAD = ("served", "count", "per s", "bytes", "p50", "p90", "p99", "max")


@dataclass
class Run:
    """One run, once it is over."""

    loop: str  # with versions
    speed: float
    subscribers: int  # of ours; browsers come on top
    seconds: float
    cpu_seconds: float
    report: Mapping[str, Any] | None  # of the clients' process; None: there was none, or it failed

    def trouble(self) -> list[str]:
        """What must not be, a sentence each; empty after a good run."""
        if self.report is None:
            return []
        found = [f"{count} x {text}" for text, count in self.report["errors"].items()]
        if self.report["complete"] < self.subscribers:
            missing = self.subscribers - self.report["complete"]
            found.append(f"{missing} subscriber(s) did not get all that was sent to them")
        return found


def lines(run: Run, feed: Feed, hub: Hub, service: Service) -> list[str]:
    requests = sum(service.requests.values())
    subscribers = hub.subscribers
    messages = subscribers.sent + requests
    cpu = f"CPU {run.cpu_seconds:.2f} s, {100 * run.cpu_seconds / max(run.seconds, 1e-9):.0f} % of one core"
    if messages:
        cpu += f", {1e6 * run.cpu_seconds / messages:.0f} µs a message"
    out = [f"{run.loop}: {run.seconds:.1f} s of a market day at {run.speed:g} times its pace", ""]
    if run.report is not None:
        out += [*table(HEAD, _rows(run.report, run.seconds)), ""]
    out += [
        f"ticks in {feed.published:,}   messages out {subscribers.sent:,} ({size(service.ws_bytes)})   "
        f"dropped by policy {subscribers.dropped:,}   "
        f"slow consumers {subscribers.slow} of {subscribers.joined}",
        f"HTTP answers {requests:,} ({size(sum(service.http_bytes.values()))})   {cpu}",
    ]
    if run.report is not None:
        out += [
            f"audit: {run.report['complete']} of {run.subscribers} subscribers got all sent to them "
            f"and were told of {run.report['announced']:,} drops",
            "",
            "Measured in the clients' process. WebSocket: from when the recording wanted the tick out.",
            "HTTP: from the request to the last byte. A slow reader's latency is of its own making.",
        ]
    out += [f"TROUBLE: {text}" for text in run.trouble()]
    return out


def _rows(report: Mapping[str, Any], seconds: float) -> Sequence[Sequence[str]]:
    rows = []
    for name in sorted(report["latency"], key=lambda name: (name.startswith("GET"), name)):
        histogram = Histogram.from_json(report["latency"][name])
        count = histogram.total
        sums = [f"{count:,}", f"{count / max(seconds, 1e-9):,.0f}", size(report["bytes"][name])]
        quantiles = [duration(histogram.quantile(q)) for q in (0.5, 0.9, 0.99)]
        rows.append([name, *sums, *quantiles, duration(histogram.largest)])
    return rows
