"""The machine that measures: its description, and who runs on which CPU."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .failure import BenchError


@dataclass(frozen=True)
class Pins:
    """The server and the load client each have a CPU; equal numbers mean that there is only one."""

    server: int
    client: int
    nice: int = 0
    """Priority of both, as nice(1) counts: negative goes before other work, and needs privileges."""

    @property
    def apart(self) -> bool:
        return self.server != self.client

    @property
    def both(self) -> set[int]:
        return {self.server, self.client}

    def apply(self, *cpus: int) -> Callable[[], None]:
        """What a child does before it becomes the program."""

        def set_up() -> None:
            os.sched_setaffinity(0, cpus)
            if self.nice:
                os.nice(self.nice)
                # Where Linux shares a CPU between sessions first, a process's own priority counts only inside
                # its session: so it gets one of its own, with that priority.
                os.setsid()
                if os.path.exists("/proc/self/autogroup"):
                    with open("/proc/self/autogroup", "w") as file:
                        file.write(str(self.nice))

        return set_up


def choose_pins(server: int | None = None, client: int | None = None, nice: int = 0) -> Pins:
    """The first allowed CPU for the server and the last for the client, where nobody chose.

    First and last are seldom two threads of one core.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if nice < os.nice(0) and os.geteuid() != 0:
        raise BenchError("a higher priority than one's own needs privileges")
    return Pins(allowed[0] if server is None else server, allowed[-1] if client is None else client, nice)


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
