"""Event loop policies, for programs that need them. Python 3.14 deprecates policies and 3.16 has none.

New code uses `csploop.run`, `csploop.new_event_loop` or
`asyncio.Runner(loop_factory=csploop.new_event_loop)`. On a Python without policies this module cannot be
imported, and the names that come from it are absent.
"""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

from csploop import _compat
from csploop._loop.base import Loop, new_event_loop
from csploop._loop.signal_handlers import refuse_thief

if not _compat.POLICIES_EXIST:
    raise ImportError(
        "this Python has no event loop policies; use csploop.run or loop_factory=csploop.new_event_loop"
    )

__all__ = ["EventLoopPolicy", "install", "is_installed", "uninstall"]

_Base: Any = _compat.policy_base()


class EventLoopPolicy(_Base):  # type: ignore[misc]  # the base depends on the version
    """asyncio's default policy, but new loops are csploop's."""

    def _loop_factory(self) -> Loop:
        return new_event_loop()

    if hasattr(_Base, "set_child_watcher"):

        def set_child_watcher(self, watcher: Any) -> None:
            """As asyncio's; RuntimeError for one that would take the loops' children's exit codes."""
            refuse_thief(watcher)
            super().set_child_watcher(watcher)


# The policy that was there before install(), for uninstall().
_previous: asyncio.AbstractEventLoopPolicy | None = None


def _warn(what: str) -> None:
    if _compat.POLICIES_ARE_DEPRECATED:
        warnings.warn(
            f"csploop.{what}() sets an event loop policy, and policies go with Python 3.16; use csploop.run()"
            " or loop_factory=csploop.new_event_loop",
            DeprecationWarning,
            stacklevel=3,
        )


def _get() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return asyncio.get_event_loop_policy()


def _set(policy: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop_policy(policy)


def install() -> None:
    """Makes csploop's policy the current one. Doing it twice is doing it once."""
    global _previous
    _warn("install")
    if not is_installed():
        _previous = _get()
        _set(EventLoopPolicy())


def uninstall() -> None:
    """Brings back the policy that install() replaced; does nothing where csploop's is not the current one."""
    global _previous
    _warn("uninstall")
    if is_installed():
        _set(_previous)
        _previous = None


def is_installed() -> bool:
    """Whether csploop's policy is the current one."""
    return isinstance(_get(), EventLoopPolicy)
