"""How fixed C structs, NumPy dtypes and csp.Structs stand for each other."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Callable

import csp
import numpy as np

__all__ = ["record_dtype", "struct_maker"]

LARGEST_RECORD = 1 << 20
# What a csp.Struct's field is in C: int64_t, double, bool, and ns (since 1970 UTC, or long) as int64_t.
FIELDS: dict[Any, str] = {int: "i8", float: "f8", bool: "?", datetime: "M8[ns]", timedelta: "m8[ns]"}


def record_dtype(layout: Any) -> np.dtype[Any]:
    """The dtype of a record: given as such, or as a csp.Struct's fields with a C compiler's alignment."""
    if isinstance(layout, type) and issubclass(layout, csp.Struct):
        fields = []
        for name, typ in metadata_of(layout).items():
            if typ not in FIELDS:
                raise TypeError(
                    f"{layout.__name__}.{name} has no fixed layout of its own: give the dtype and struct="
                )
            fields.append((name, FIELDS[typ]))
        dtype = np.dtype(fields, align=True)
    else:
        dtype = np.dtype(layout)
    if dtype.hasobject:
        raise TypeError("records hold bytes, not Python objects")
    if not 0 < dtype.itemsize <= LARGEST_RECORD:
        raise ValueError(f"a record has 1 to {LARGEST_RECORD} bytes, not {dtype.itemsize}")
    return dtype


def metadata_of(struct: Any) -> dict[str, Any]:
    """The fields' types by name."""
    found: dict[str, Any] = struct.metadata()
    return found


def struct_maker(dtype: np.dtype[Any], struct: Any) -> Callable[[Any], list[Any]]:
    """Makes a batch a list of structs; each field of the struct that the record has is set."""
    if not (isinstance(struct, type) and issubclass(struct, csp.Struct)):
        raise TypeError(f"struct must be a csp.Struct type, not {struct!r}")
    metadata = metadata_of(struct)
    names = [name for name in dtype.names or () if name in metadata]
    if not names:
        raise TypeError(f"{struct.__name__} and the records have no field in common")
    texts = [name for name in names if metadata[name] is str]

    def column(batch: Any, name: str) -> list[Any]:
        values = batch[name]
        if values.dtype.kind in "Mm":
            # Python's own times have microseconds.
            values = values.astype(f"{values.dtype.kind}8[us]")
        listed: list[Any] = values.tolist()
        if name in texts and values.dtype.kind == "S":
            return [value.decode() for value in listed]
        return listed

    def make(batch: Any) -> list[Any]:
        columns = [column(batch, name) for name in names]
        return [struct(**dict(zip(names, row))) for row in zip(*columns)]

    return make
