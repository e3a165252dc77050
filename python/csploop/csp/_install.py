"""install() and uninstall(): the documented names on csp itself, and csp as it was.

What is changed is kept here, in order, with how to take it back. Any thread, one at a time; meanwhile no
other should be importing csp or defining nodes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import types
from typing import Any, Callable

import csp
from csp.impl.wiring.runtime import GraphRunInfo
from csp.impl.wiring.runtime import run as csp_run

from csploop.csp import async_adapter
from csploop.csp._alarm_parser import ParserChange
from csploop.csp._api import get_csp_asyncio_loop, is_csp_asyncio_mode
from csploop.csp._running import run

__all__ = ["install", "uninstall"]

# On csp itself.
NAMES = ("async_alarm", "async_for", "async_in", "async_node", "async_out", "await_", "schedule_async_alarm")
MODULES = {
    "csp.event_loop": "csploop.csp.event_loop",
    "csp.event_loop.bridge": "csploop.csp.event_loop.bridge",
    "csp.event_loop.loop": "csploop.csp.event_loop.loop",
    "csp.impl.async_adapter": "csploop.csp.async_adapter",
}

_lock = threading.Lock()
_undo: list[Callable[[], object]] = []
_missing = object()


def install(*, replace: bool = False) -> None:
    """Puts csploop's names on csp: `csp.run(…, asyncio_on_thread=…)`, `csp.async_for`, `csp.event_loop`, ….

    `csp.run` becomes csploop's, also where it has been imported by name before. Nodes that use
    `csp.async_alarm` can be defined from then on. Does nothing when it is installed already. On a csp that
    has some of these names of its own: RuntimeError, and nothing is changed; with replace=True they are
    covered until uninstall().
    """
    with _lock:
        if _undo:
            return
        if not replace:
            _refuse_what_is_there()
        try:
            _install()
        except BaseException:
            _take_back()
            raise


def uninstall() -> None:
    """Takes back all that install() has done. Does nothing when it is not installed.

    Nodes defined meanwhile keep working, under csploop.csp.run().
    """
    with _lock:
        _take_back()


def _refuse_what_is_there() -> None:
    there = [f"csp.{name}" for name in NAMES if hasattr(csp, name)]
    there += [name for name in MODULES if _is_module(name)]
    there += [f"GraphRunInfo.{name}" for name in PROPERTIES if hasattr(GraphRunInfo, name)]
    if there:
        raise RuntimeError(
            f"this csp has {', '.join(there)} of its own: install(replace=True) covers them until uninstall()"
        )


def _is_module(name: str) -> bool:
    if name in sys.modules:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # nor is its package
        return False


def _install() -> None:
    for name in NAMES:
        _set(csp, name, getattr(async_adapter, name))
    for name, ours in MODULES.items():
        module = importlib.import_module(ours)
        _set_module(name, module)
    for name, attribute in PROPERTIES.items():
        _set(GraphRunInfo, name, attribute)
    change = ParserChange()
    _undo.append(change.undo)
    change.apply()
    # Last, because all works without it; and found by identity again later, for who imports it meanwhile.
    _rebind(csp_run, run)
    _undo.append(lambda: _rebind(run, csp_run))


def _take_back() -> None:
    while _undo:
        _undo.pop()()


def _set(owner: Any, name: str, value: Any) -> None:
    original = owner.__dict__.get(name, _missing)
    setattr(owner, name, value)
    _undo.append(lambda: delattr(owner, name) if original is _missing else setattr(owner, name, original))


def _set_module(name: str, module: types.ModuleType) -> None:
    original = sys.modules.get(name)
    sys.modules[name] = module
    _undo.append(
        lambda: sys.modules.pop(name, None) if original is None else sys.modules.__setitem__(name, original)
    )
    package, _, attribute = name.rpartition(".")
    _set(importlib.import_module(package), attribute, module)


def _rebind(old: Any, new: Any) -> None:
    """Every global of every module that is `old`, except csploop's own."""
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] == "csploop" or not isinstance(module, types.ModuleType):
            continue
        names = vars(module)
        for name in [name for name, value in list(names.items()) if value is old]:
            names[name] = new


def _is_asyncio(self: Any) -> bool:
    """Whether the loop of this thread's run shares the engine's thread."""
    return is_csp_asyncio_mode()


def _asyncio_loop(self: Any) -> Any:
    """The loop of this thread's run, None without one."""
    return get_csp_asyncio_loop()


PROPERTIES = {"is_asyncio": property(_is_asyncio), "asyncio_loop": property(_asyncio_loop)}
