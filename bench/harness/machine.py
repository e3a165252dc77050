"""The machine that measures: its description, and who runs on which CPU."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pins:
    """The server and the load client each have a CPU; equal numbers mean that there is only one."""

    server: int
    client: int

    @property
    def apart(self) -> bool:
        return self.server != self.client

    @property
    def both(self) -> set[int]:
        return {self.server, self.client}


def choose_pins(server: int | None = None, client: int | None = None) -> Pins:
    """The first allowed CPU for the server and the last for the client, where nobody chose.

    First and last are seldom two threads of one core.
    """
    allowed = sorted(os.sched_getaffinity(0))
    return Pins(allowed[0] if server is None else server, allowed[-1] if client is None else client)


def describe() -> dict[str, Any]:
    """Facts that decide how fast things are, and none that name the machine or its user."""
    return {
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "architecture": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "virtual": "hypervisor" in cpu_flags(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def cpu_info(key: str) -> str:
    with open("/proc/cpuinfo") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return ""


def cpu_model() -> str:
    return cpu_info("model name") or platform.processor() or "unknown"


def cpu_flags() -> set[str]:
    return set(cpu_info("flags").split())
