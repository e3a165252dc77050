"""csploop.trio: Trio and asyncio in one thread, on one loop.

    csploop.trio.run(async_main)                    # trio.run, with an asyncio loop for what needs one
    async with csploop.trio.open_loop(): …          # the same for a block of Trio code
    await csploop.trio.aio_as_trio(function)(…)     # in Trio: call asyncio
    await csploop.trio.trio_as_aio(function)(…)     # in asyncio: call Trio
    await csploop.trio.run_guest(async_fn, …)       # in asyncio on a csploop loop: run Trio beside it

Needs Trio: pip install 'csploop[trio]'. Everything real is in private modules; this one says what is public.
(`import trio` inside this package is Trio itself: all imports are absolute.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    import trio as _trio  # noqa: F401
except ImportError as exc:
    if exc.name != "trio":
        raise
    raise ModuleNotFoundError("csploop.trio needs Trio: pip install csploop[trio]", name="trio") from None

from csploop import _compat
from csploop.trio._adapter import aio_as_trio as aio_as_trio
from csploop.trio._adapter import asyncio_as_trio as asyncio_as_trio
from csploop.trio._adapter import trio_as_aio as trio_as_aio
from csploop.trio._adapter import trio_as_asyncio as trio_as_asyncio
from csploop.trio._current import current_loop as current_loop
from csploop.trio._executor import TrioExecutor as TrioExecutor
from csploop.trio._forward import run_aio_coroutine as run_aio_coroutine
from csploop.trio._forward import run_trio as run_trio
from csploop.trio._forward import run_trio_task as run_trio_task
from csploop.trio._futures import run_aio_future as run_aio_future
from csploop.trio._guest import run_guest as run_guest
from csploop.trio._guest import start_guest as start_guest
from csploop.trio._hybrid import allow_asyncio as allow_asyncio
from csploop.trio._iterate import run_aio_generator as run_aio_generator
from csploop.trio._loop import BaseTrioEventLoop as BaseTrioEventLoop
from csploop.trio._loop import TrioEventLoop as TrioEventLoop
from csploop.trio._open import open_loop as open_loop
from csploop.trio._open import run as run
from csploop.trio._sync import SyncTrioEventLoop as SyncTrioEventLoop
from csploop.trio._words import TrioAsyncioDeprecationWarning as TrioAsyncioDeprecationWarning

if TYPE_CHECKING:
    from csploop.trio._policy import TrioPolicy as TrioPolicy

__all__ = [
    "BaseTrioEventLoop",
    "SyncTrioEventLoop",
    "TrioAsyncioDeprecationWarning",
    "TrioEventLoop",
    "TrioExecutor",
    "aio_as_trio",
    "allow_asyncio",
    "asyncio_as_trio",
    "current_loop",
    "open_loop",
    "run",
    "run_aio_coroutine",
    "run_aio_future",
    "run_aio_generator",
    "run_guest",
    "run_trio",
    "run_trio_task",
    "start_guest",
    "trio_as_aio",
    "trio_as_asyncio",
]

if _compat.POLICIES_EXIST:
    __all__ += ["TrioPolicy"]


def __getattr__(name: str) -> Any:
    # Not imported above: making a policy class warns on the Pythons that are about to lose policies.
    if name == "TrioPolicy" and _compat.POLICIES_EXIST:
        from csploop.trio._policy import TrioPolicy

        return TrioPolicy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
