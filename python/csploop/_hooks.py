"""What csploop relies on of asyncio's insides: all of it, in one place.

asyncio promises none of this. So import looks whether the running asyncio still has it in the form that we
know; that costs some microseconds. Where it has not, a warning names the Python and each hook, and csploop
does without: a keyword that a newer asyncio hands to one of the loop's hooks is taken and left alone.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from asyncio import base_events, base_subprocess, events, transports
from typing import Any

from csploop._compat import ThreadSafeHandle

__all__ = ["ANSWERED", "CALLED", "SLOTS", "check_hooks", "differences"]

# Of the loop, called by asyncio's own code: our methods take what asyncio's take.
ANSWERED = (
    "_add_reader",
    "_add_writer",
    "_create_connection_transport",
    "_ensure_fd_no_transport",
    "_make_datagram_transport",
    "_make_read_pipe_transport",
    "_make_socket_transport",
    "_make_ssl_transport",
    "_make_subprocess_transport",
    "_make_write_pipe_transport",
    "_remove_reader",
    "_remove_writer",
    "_run_once",
    "_sendfile_fallback",
    "_sendfile_native",
    "_sock_sendfile_fallback",
    "_sock_sendfile_native",
    "_start_serving",
    "_stop_serving",
    "_timer_handle_cancelled",
    "_write_to_self",
)

# asyncio's own, which we call: what we hand over by order, and by keyword.
CALLED: dict[tuple[Any, str], tuple[int, tuple[str, ...]]] = {
    (asyncio.BaseEventLoop, "_asyncgen_finalizer_hook"): (1, ()),
    (asyncio.BaseEventLoop, "_asyncgen_firstiter_hook"): (1, ()),
    (asyncio.BaseEventLoop, "_check_callback"): (2, ()),
    (asyncio.BaseEventLoop, "_check_closed"): (0, ()),
    (asyncio.BaseEventLoop, "_check_default_executor"): (0, ()),
    (asyncio.BaseEventLoop, "_check_running"): (0, ()),
    (asyncio.BaseEventLoop, "_check_thread"): (0, ()),
    (asyncio.BaseEventLoop, "_create_connection_transport"): (4, ("ssl_handshake_timeout",)),
    (asyncio.BaseEventLoop, "_ensure_resolved"): (1, ("family", "type", "proto", "loop")),
    (asyncio.BaseEventLoop, "_set_coroutine_origin_tracking"): (1, ()),
    (base_events.Server, "__init__"): (6, ()),
    (base_events.Server, "_start_serving"): (0, ()),
    (base_events, "_check_ssl_socket"): (1, ()),
    (base_events, "_format_handle"): (1, ()),
    (base_subprocess.BaseSubprocessTransport, "__init__"): (8, ("waiter", "extra")),
    (base_subprocess.BaseSubprocessTransport, "_process_exited"): (1, ()),
    (base_subprocess.BaseSubprocessTransport, "_start"): (6, ()),
    (base_subprocess.BaseSubprocessTransport, "_wait"): (0, ()),
    (transports._FlowControlMixin, "__init__"): (2, ()),
    (transports._FlowControlMixin, "_maybe_pause_protocol"): (0, ()),
    (transports._FlowControlMixin, "_maybe_resume_protocol"): (0, ()),
    (transports._FlowControlMixin, "_set_write_buffer_limits"): (2, ()),
}

# The loop makes handles without their constructor, and fills these by itself.
SLOTS: dict[type, frozenset[str]] = {
    events.Handle: frozenset(
        ["__weakref__", "_args", "_callback", "_cancelled", "_context", "_loop", "_repr", "_source_traceback"]
    ),
    ThreadSafeHandle: frozenset(("_lock",)),
    events.TimerHandle: frozenset(("_scheduled", "_when")),
}


def differences(loop_class: type) -> list[str]:
    """In what the running asyncio is another one than csploop knows; sentences without their full stops."""
    found = []
    theirs = getattr(asyncio, "SelectorEventLoop", asyncio.BaseEventLoop)
    for name in ANSWERED:
        more = _more(getattr(theirs, name, None), getattr(loop_class, name))
        if more:
            found.append(f"asyncio hands {', '.join(more)} to {name}, which csploop does not know")
    for (owner, name), (count, keywords) in CALLED.items():
        function = getattr(owner, name, None)
        if function is None or not _takes(function, count, keywords, isinstance(owner, type)):
            found.append(f"asyncio's {owner.__name__}.{name} is gone or takes other arguments")
    for kind, slots in SLOTS.items():
        if not slots.issuperset(getattr(kind, "__slots__", slots)):
            found.append(f"{kind.__name__} has attributes that csploop does not know")
    return found


def check_hooks(loop_class: type) -> None:
    found = differences(loop_class)
    if found:
        warnings.warn(
            f"csploop does not know the asyncio of Python {sys.version.split()[0]}: {'; '.join(found)}",
            RuntimeWarning,
            stacklevel=2,
        )


def _code(function: Any) -> Any:
    """None where somebody has put something else in asyncio's place, which says nothing of asyncio."""
    if getattr(function, "__wrapped__", None) is not None:
        return None
    return getattr(function, "__code__", None)


def _more(theirs: Any, ours: Any) -> list[str]:
    """Parameters of theirs that ours lacks, or has in another place."""
    theirs, ours = _code(theirs), _code(ours)
    if theirs is None or ours is None:
        return []
    by_order = theirs.co_argcount
    names = theirs.co_varnames[: by_order + theirs.co_kwonlyargcount]
    places = ours.co_varnames[: ours.co_argcount]
    known = ours.co_varnames[: ours.co_argcount + ours.co_kwonlyargcount]
    if names == known[: len(names)] and by_order <= len(places):
        return []
    return [
        name
        for place, name in enumerate(names)
        if name not in known or (place < by_order and places[place : place + 1] != (name,))
    ]


def _takes(function: Any, count: int, keywords: tuple[str, ...], method: bool) -> bool:
    """Whether it can be called with so many arguments and these keywords."""
    code = _code(function)
    if code is None:
        return True
    count += method
    many = code.co_flags & 0x04  # *args
    if count > code.co_argcount and not many:
        return False
    names = code.co_varnames
    required = names[count : code.co_argcount - len(function.__defaults__ or ())]
    if any(name not in keywords for name in required):
        return False
    rest = names[count : code.co_argcount + code.co_kwonlyargcount]
    if any(name not in rest for name in keywords) and not code.co_flags & 0x08:  # **kwargs
        return False
    defaults = function.__kwdefaults__ or {}
    only = names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return all(name in defaults or name in keywords for name in only)
