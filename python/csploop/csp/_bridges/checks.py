"""Whether csp will take a value for a type, asked where it is pushed and not where it ticks.

csp itself looks at a batch only in the engine, where a wrong value would end the run far from who pushed it.
"""

from __future__ import annotations

import datetime
from typing import Any, Callable

import csp
from csp.impl import struct as csp_struct

__all__ = ["checker"]

INT64 = 2**63

# Types of which csp takes every instance as it is.
PLAIN = (float, str, bytes, bool, datetime.datetime, datetime.timedelta, datetime.date, datetime.time)


def checker(typ: Any, name: str) -> Callable[[Any], object] | None:
    """What raises TypeError (OverflowError for an int beyond 64 bits) on a wrong value.

    None where every value is right.
    """
    if typ is object or typ is Any:
        return None
    thorough = _by_csp(typ, name)
    if typ is int:

        def check_int(value: Any) -> None:
            if type(value) is not int or not -INT64 <= value < INT64:
                thorough(value)

        return check_int
    if typ in PLAIN:

        def check_plain(value: Any) -> None:
            if type(value) is not typ:
                thorough(value)

        return check_plain
    if isinstance(typ, type) and issubclass(typ, csp.Struct):

        def check_struct(value: Any) -> None:
            if not isinstance(value, typ):
                thorough(value)

        return check_struct
    return thorough


def _by_csp(typ: Any, name: str) -> Callable[[Any], object]:
    """csp's own conversion, which a struct's field applies too."""
    define = getattr(csp_struct, "define_struct", None) or csp_struct.defineStruct
    box = define("BridgeValue", {"value": typ})

    def check(value: Any) -> None:
        try:
            box(value=value)
        except TypeError as exc:
            raise TypeError(
                f"{name} carries {getattr(typ, '__name__', typ)}, not {type(value).__name__}: {value!r:.80}"
            ) from exc

    return check
