"""Checked owners over the C ABI, for people who build an event loop of their own.

`Core` owns one core loop. Its methods are the C functions with errors as exceptions, ids as integers and
records as tuples; nothing here schedules Python callbacks, that is what a loop is for. Completions are told
apart by id or by the token that was given with the request.

    with Core() as core:
        core.call_later(10_000_000, token=7)
        for record in core.turn():
            print(record.kind, record.token)

Owner: a Core belongs to one thread at a time; only `wake` and `stop` may come from others. `close` frees what
the core held and may be called twice; the handle's memory goes with the object.
"""

from __future__ import annotations

from csploop._core.datagrams import Datagrams
from csploop._core.datagrams import udp_address as udp_address
from csploop._core.records import Record as Record
from csploop._core.records import Submission as Submission
from csploop._core.streams import Streams
from csploop._core.timing import Timing
from csploop._ffi import ffi as ffi
from csploop._ffi import lib as lib
from csploop._ffi.errors import BadIdError as BadIdError
from csploop._ffi.errors import BusyError as BusyError
from csploop._ffi.errors import ClosedError as ClosedError
from csploop._ffi.errors import Error as Error
from csploop._ffi.errors import ForkedError as ForkedError
from csploop._ffi.errors import WrongThreadError as WrongThreadError
from csploop._ffi.errors import check as check
from csploop._ffi.errors import error_from_code as error_from_code
from csploop._loop.crossings import counting as counting

__all__ = [
    "BadIdError",
    "BusyError",
    "ClosedError",
    "Core",
    "Error",
    "ForkedError",
    "Record",
    "Submission",
    "WrongThreadError",
    "check",
    "counting",
    "error_from_code",
    "ffi",
    "lib",
    "udp_address",
]


class Core(Timing, Streams, Datagrams):
    """One core loop: its turns, and what a turn is about."""
