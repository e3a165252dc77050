"""What the border says: the warning's class, and errors of Trio and asyncio with what to do about them."""

from __future__ import annotations

import sys
import warnings

__all__ = ["TrioAsyncioDeprecationWarning", "deprecated", "explained"]

AWAITED_FROM_ASYNCIO = (
    " (this is Trio code that asyncio code awaits: call it as"
    " `await csploop.trio.trio_as_aio(function)(*args)`)"
)
AWAITED_FROM_TRIO = (
    " (this is asyncio code that Trio code awaits: call it as"
    " `await csploop.trio.aio_as_trio(function)(*args)`, or run the caller by csploop.trio.allow_asyncio)"
)
# What Trio's traps look like in asyncio's "Task got bad yield: …".
TRAPS = ("WaitTaskRescheduled", "CancelShieldedCheckpoint", "PermanentlyDetachCoroutineObject")


class TrioAsyncioDeprecationWarning(FutureWarning):
    """A loop with Trio was made by asyncio's functions and not by `open_loop`.

    A FutureWarning, because those are shown by default.
    """


def deprecated(message: str, stacklevel: int = 2) -> None:
    """Warns, but not under pytest: test suites of asyncio libraries need the loops that this is about."""
    if "pytest" not in sys.modules:
        warnings.warn(TrioAsyncioDeprecationWarning(message), stacklevel=stacklevel + 1)


def explained(error: BaseException) -> None:
    """Adds to the error of who awaited the wrong flavour what to write instead."""
    if len(error.args) != 1 or not isinstance(error.args[0], str):
        return
    text = error.args[0]
    if isinstance(error, RuntimeError):
        if text.startswith("Task got bad yield") and any(trap in text for trap in TRAPS):
            error.args = (text + AWAITED_FROM_ASYNCIO,)
    elif (
        isinstance(error, TypeError)
        and "unrecognized yield message" in text
        and "csploop" not in text
        and ("Future" in text or "Task" in text)
    ):
        error.args = (text + AWAITED_FROM_TRIO,)
