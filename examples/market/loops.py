"""Runs a coroutine on the event loop that was asked for by name."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
NAMES = ("csploop", "asyncio", "uvloop")


class NotInstalled(Exception):
    """This loop is not installed here."""


def run(name: str, main: Coroutine[Any, Any, T]) -> T:
    """Runs main to its end on a fresh loop, closes the loop, returns main's result."""
    try:
        if name == "csploop":
            import csploop

            return csploop.run(main)
        if name == "uvloop":
            import uvloop

            return uvloop.run(main)
    except ImportError as error:
        main.close()
        raise NotInstalled(f"--loop {name}: {error}") from error
    return asyncio.run(main)


def describe(name: str) -> str:
    """The loop and the Python, with versions."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    if name == "asyncio":
        return f"asyncio on {python}"
    module = __import__(name)
    return f"{name} {module.__version__} on {python}"
