"""Error codes of the C ABI as Python exceptions.

The one list of errors is in ``csploop/error.h``; names and texts come from there through the library. A code
of the system's is the OSError that Python itself would raise for that errno, so that callers cannot tell who
made the system call. Misuse that only a loop can see is a RuntimeError, as in asyncio.
"""

from __future__ import annotations

import os

from csploop._ffi import ffi, lib

__all__ = [
    "BadIdError",
    "BusyError",
    "ClosedError",
    "Error",
    "ForkedError",
    "InternalError",
    "PendingError",
    "WrongThreadError",
    "check",
    "error_from_code",
    "error_name",
    "error_text",
]


class Error(RuntimeError):
    """The loop refused a call. `code` is the C ABI's error code, `name` its name."""

    def __init__(self, code: int) -> None:
        super().__init__(error_text(code))
        self.code = code
        self.name = error_name(code)

    def __reduce__(self) -> tuple[type[Error], tuple[int]]:
        return type(self), (self.code,)


class ClosedError(Error):
    """The loop or bridge is closed."""


class BadIdError(Error):
    """The id names nothing, or nothing any more."""


class WrongThreadError(Error):
    """The call belongs on the loop's own thread."""


class BusyError(Error):
    """The loop is inside a turn, or another thread owns it."""


class PendingError(Error):
    """Completions without a callback wait for a turn that takes them."""


class ForkedError(Error):
    """The process has forked, and this loop belongs to the parent."""


class InternalError(Error):
    """A bug in csploop."""


_OWN: dict[int, type[Error]] = {
    lib.CSPLOOP_EBUSY: BusyError,
    lib.CSPLOOP_ECHILD: ForkedError,
    lib.CSPLOOP_EBADID: BadIdError,
    lib.CSPLOOP_ECLOSED: ClosedError,
    lib.CSPLOOP_ETHREAD: WrongThreadError,
    lib.CSPLOOP_EPENDING: PendingError,
    lib.CSPLOOP_EINTERNAL: InternalError,
}

# Codes down to here are the system's errno, negated (csploop/error.h).
_LAST_SYSTEM_CODE = -10000


def error_name(code: int) -> str:
    """'EINVAL' for CSPLOOP_EINVAL; 'EUNKNOWN' for what the list does not hold."""
    return str(ffi.string(lib.csploop_error_name(code)), "ascii")


def error_text(code: int) -> str:
    """The list's sentence for a code."""
    return str(ffi.string(lib.csploop_strerror(code)), "utf-8", "replace")


def error_from_code(code: int) -> Exception:
    """The exception that stands for a negative code."""
    if code >= 0:
        raise ValueError(f"{code} is no error code")
    own = _OWN.get(code)
    if own is not None:
        return own(code)
    if code >= _LAST_SYSTEM_CODE:
        # OSError picks the subclass (ConnectionResetError, PermissionError, …) by the errno.
        return OSError(-code, os.strerror(-code))
    return Error(code)


def check(code: int) -> int:
    """Returns a result that is no error, raises the exception of one that is."""
    if code < 0:
        raise error_from_code(code)
    return code
