"""csploop: one event loop that asyncio, C and C++ share.

    csploop.run(main())                                          # instead of asyncio.run
    asyncio.Runner(loop_factory=csploop.new_event_loop)          # or where a loop factory is asked for

Everything real is in private modules; this one says what is public. `csploop.lowlevel` is for people who
build a loop of their own on the C ABI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from csploop import _compat
from csploop._ffi import ffi as _ffi
from csploop._ffi import lib as _lib
from csploop._loop.base import Loop as Loop
from csploop._loop.base import new_event_loop as new_event_loop
from csploop._loop.runner import Runner as Runner
from csploop._loop.runner import run as run

if TYPE_CHECKING:
    from csploop.policy import EventLoopPolicy as EventLoopPolicy
    from csploop.policy import install as install
    from csploop.policy import is_installed as is_installed
    from csploop.policy import uninstall as uninstall

__all__ = ["Loop", "Runner", "__version__", "new_event_loop", "run"]

__version__: str = _ffi.string(_lib.csploop_version_string()).decode()

_POLICY_NAMES = ("EventLoopPolicy", "install", "is_installed", "uninstall")

if _compat.POLICIES_EXIST:
    __all__ += _POLICY_NAMES


def __getattr__(name: str) -> Any:
    # Not imported above: making a policy class warns on the Pythons that are about to lose policies.
    if name in _POLICY_NAMES and _compat.POLICIES_EXIST:
        from csploop import policy

        return getattr(policy, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
