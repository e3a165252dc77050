"""The end of tasks that are cancelled because their loop, or what they belong to, ends. The loop's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

__all__ = ["await_ends"]


async def await_ends(
    tasks: Collection[asyncio.Task[Any]], message: str, known: Collection[asyncio.Task[Any]] = ()
) -> None:
    """Waits for tasks that have been cancelled; the loop's exception handler hears of those that fail.

    message: what it is told. known: tasks whose failures somebody hears of already.
    """
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and task.exception() is not None and task not in known:
            asyncio.get_running_loop().call_exception_handler(
                {"message": message, "exception": task.exception(), "task": task}
            )
