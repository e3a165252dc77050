"""What differs between the Pythons that csploop runs on. The only place that knows their versions.

Where a difference shows in a signature, the signature is asked, because patch releases change such things
too.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import dis
import inspect
import sys
from asyncio import base_events, coroutines, events, format_helpers, tasks
from threading import RLock
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    import socket
    import ssl
    from types import TracebackType

__all__ = [
    "ALWAYS_LOOK",
    "BYTES_MOVE",
    "BaseExceptionGroup",
    "DATAGRAM_HEADER_BYTES",
    "EMPTY_DATAGRAMS_ARE_SENT",
    "HAS_GIL",
    "HAS_RUNNER",
    "NEVER_LOOK",
    "POLICIES_ARE_DEPRECATED",
    "POLICIES_EXIST",
    "SSL_HAS_SHUTDOWN_TIMEOUT",
    "STRUCT_IS_SLOW",
    "ThreadSafeHandle",
    "UNIX_SERVER_CLEANS_UP",
    "attach_client",
    "closed_flag",
    "current_task",
    "detach_client",
    "format_callback",
    "get_annotations",
    "has_begun",
    "hide_policy_loop",
    "is_coroutine_callable",
    "is_spoilt_by_modules",
    "make_server",
    "policy_base",
    "policy_loop",
    "swap_current_task",
]


def _parameters(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters)


# What several exceptions at once are raised as. Only csploop.trio needs it, and brings the backport for 3.10.
BaseExceptionGroup: Any = getattr(builtins, "BaseExceptionGroup", None)
if BaseExceptionGroup is None:
    with contextlib.suppress(ImportError):
        BaseExceptionGroup = __import__("exceptiongroup").BaseExceptionGroup

# Without a GIL another thread may schedule between any two of our instructions.
HAS_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()


def is_spoilt_by_modules() -> bool:
    """Whether this is an isolated sub-interpreter of 3.12.

    That one refuses a module of the old kind, such as CFFI's, only after it has made it there, and then every
    other interpreter of the process crashes with it.
    """
    is_3_12: bool = sys.version_info[:2] == (3, 12)
    return is_3_12 and not __import__("_thread").daemon_threads_allowed()


# PyPy's collector moves bytes: new ones lie in a nursery larger than the caches, and showing them to C copies
# them out of it first. Calls into C are cheap there. So copies into memory that stays are to be preferred.
BYTES_MOVE: bool = sys.implementation.name == "pypy"

# PyPy interprets struct's formats at each record that iter_unpack takes, while its compiler makes one load of
# reading an item through a cffi pointer.
STRUCT_IS_SLOW: bool = sys.implementation.name == "pypy"

# asyncio.Runner and the loop_factory that goes with it.
HAS_RUNNER: bool = sys.version_info >= (3, 11)

# Event loop policies: 3.14 warns about them, 3.16 has none.
POLICIES_ARE_DEPRECATED: bool = sys.version_info >= (3, 14)
POLICIES_EXIST: bool = sys.version_info < (3, 16)

# Whether create_unix_server removes the socket's file again unless told otherwise.
UNIX_SERVER_CLEANS_UP: bool = sys.version_info >= (3, 13)

# What a buffered datagram counts beside its bytes, and whether sendto sends an empty one or does nothing.
EMPTY_DATAGRAMS_ARE_SENT: bool = sys.version_info >= (3, 13)
DATAGRAM_HEADER_BYTES = 8 if EMPTY_DATAGRAMS_ARE_SENT else 0

# Whether asyncio's own methods take ssl_shutdown_timeout and hand it on.
SSL_HAS_SHUTDOWN_TIMEOUT = "ssl_shutdown_timeout" in _parameters(base_events.BaseEventLoop.create_connection)

# Functions whose frames begin more than once.
GENERATORS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

_SERVER_HAS_SHUTDOWN_TIMEOUT = "ssl_shutdown_timeout" in _parameters(base_events.Server.__init__)
_SERVER_KNOWS_ITS_CLIENTS = "transport" in _parameters(getattr(base_events.Server, "_attach"))  # noqa: B009
_format_source: Callable[..., str] = format_helpers._format_callback_source
_FORMAT_HAS_DEBUG = "debug" in _parameters(_format_source)


class _Flag:
    __slots__ = ("_closed",)

    def __init__(self, closed: bool) -> None:
        self._closed = closed


ALWAYS_LOOK = _Flag(True)
NEVER_LOOK = _Flag(False)


def closed_flag(sock: Any) -> Any:
    """Something whose attribute `_closed` is false as long as nobody has closed or detached the socket.

    It is the flag that Python's sockets keep for themselves: to look at it costs a sixth of calling fileno().
    While files made of the socket are open, it is true and the descriptor is still there.
    """
    return sock if isinstance(getattr(sock, "_closed", None), bool) else ALWAYS_LOOK


def policy_base() -> Any:
    """asyncio's own default policy class, got without the warning that its public name gives since 3.14."""
    if sys.version_info >= (3, 14):
        return getattr(events, "_BaseDefaultEventLoopPolicy")  # noqa: B009
    return asyncio.DefaultEventLoopPolicy


def policy_loop(policy: Any) -> Any:
    """What set_event_loop() gave a policy of this base in this thread, or None: before 3.14 get_event_loop()
    would make a loop there."""
    return policy._local._loop


def hide_policy_loop() -> Callable[[], None]:
    """Makes get_event_loop() an error in this thread while no loop runs; what it returns takes that back.

    Before 3.14 it makes a loop of its own instead, or answers what set_event_loop() was told.
    """

    def nothing() -> None:
        pass

    if sys.version_info >= (3, 14):
        return nothing
    local: Any = getattr(asyncio.get_event_loop_policy(), "_local", None)
    if not hasattr(local, "_set_called"):
        return nothing
    loop, called = local._loop, local._set_called
    local._loop, local._set_called = None, True

    def show() -> None:
        if local._loop is None:
            local._loop, local._set_called = loop, called

    return show


def make_server(
    loop: asyncio.AbstractEventLoop,
    sockets: list[socket.socket],
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    ssl_context: ssl.SSLContext | None,
    backlog: int,
    ssl_handshake_timeout: float | None,
    ssl_shutdown_timeout: float | None,
) -> Any:
    """asyncio's Server for sockets that are bound."""
    arguments: list[Any] = [loop, sockets, protocol_factory, ssl_context, backlog, ssl_handshake_timeout]
    if _SERVER_HAS_SHUTDOWN_TIMEOUT:
        arguments.append(ssl_shutdown_timeout)
    server: Any = base_events.Server(*arguments)
    # Newer ones do this themselves.
    server._ssl_shutdown_timeout = ssl_shutdown_timeout
    return server


def attach_client(server: Any, transport: asyncio.BaseTransport) -> None:
    """Tells an asyncio Server about a connection of its."""
    if _SERVER_KNOWS_ITS_CLIENTS:
        server._attach(transport)
    else:
        server._attach()


def detach_client(server: Any, transport: asyncio.BaseTransport) -> None:
    """Tells an asyncio Server that a connection is gone."""
    if _SERVER_KNOWS_ITS_CLIENTS:
        server._detach(transport)
    else:
        server._detach()


def format_callback(callback: Any, args: Any, debug: bool) -> str:
    """The text asyncio puts into messages for a callback; newer ones show arguments in debug mode only."""
    if _FORMAT_HAS_DEBUG:
        return _format_source(callback, args, debug=debug)
    return _format_source(callback, args)


def get_annotations(holder: Any, as_text: bool = False) -> dict[str, Any]:
    """The annotations of a function. What cannot be evaluated yet is a string or has a ForwardRef in it.

    From 3.14 on reading them evaluates all, and one name that only type checkers know fails the others, too.
    as_text: what was written, where the Python knows; for messages.
    """
    if sys.version_info >= (3, 14) and hasattr(holder, "__annotate__"):
        import annotationlib

        if not as_text:
            try:
                return annotationlib.get_annotations(holder, format=annotationlib.Format.FORWARDREF)
            except Exception:  # an attribute, say, that a module does not have
                return annotationlib.get_annotations(holder, format=annotationlib.Format.STRING)
        return annotationlib.get_annotations(holder, format=annotationlib.Format.STRING)
    annotations = getattr(holder, "__annotations__", None)
    return annotations if isinstance(annotations, dict) else {}


def is_coroutine_callable(callback: object) -> bool:
    """Whether it is a coroutine or a function that makes one: neither can be a callback."""
    # asyncio's iscoroutinefunction also knows @types.coroutine marks; it is deprecated from 3.14 on.
    if coroutines.iscoroutine(callback) or inspect.iscoroutinefunction(callback):
        return True
    marker = getattr(callback, "_is_coroutine", None)
    return marker is not None and marker is getattr(coroutines, "_is_coroutine", None)


def has_begun(callback: Any, traceback: TracebackType | None) -> bool:
    """Whether the callback that this frame called had begun when the exception of a signal came.

    It may come at a function's very beginning: from 3.11 on at the instruction RESUME.
    """
    called = None if traceback is None else traceback.tb_next
    if called is None:
        return True
    code = called.tb_frame.f_code
    if code is not getattr(callback, "__code__", None) or code.co_flags & GENERATORS:
        return True
    resume = next((each.offset for each in dis.get_instructions(code) if each.opname == "RESUME"), 0)
    return called.tb_lasti > resume


if hasattr(events, "_ThreadSafeHandle"):
    ThreadSafeHandle: Any = events._ThreadSafeHandle
else:

    class ThreadSafeHandle(asyncio.Handle):  # type: ignore[no-redef]  # one of the two
        """As asyncio's from Python 3.14 on: a handle whose state other threads may look at and change."""

        __slots__ = ("_lock",)

        def __init__(self, callback: Any, args: Any, loop: Any, context: Any = None) -> None:
            super().__init__(callback, args, loop, context)
            self._lock = RLock()

        def cancel(self) -> None:
            with self._lock:
                super().cancel()

        def cancelled(self) -> bool:
            with self._lock:
                return super().cancelled()


current_task = tasks.current_task


if hasattr(tasks, "_swap_current_task"):
    swap_current_task: Callable[[Any, Any], Any] = tasks._swap_current_task
else:

    def swap_current_task(loop: Any, task: Any) -> Any:
        """Makes `task` (None: none) what current_task(loop) answers, and returns what it was."""
        previous = tasks.current_task(loop)
        if previous is not None:
            tasks._leave_task(loop, previous)
        if task is not None:
            tasks._enter_task(loop, task)
        return previous
