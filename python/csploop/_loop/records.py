"""A batch's records, taken apart: an iterator of (id, kind, data), their bytes copied out of the slab.

Data is a READ's bytes, what `take_datagram` makes of a RECV, and token, result and offset of any other. There
are two ways, because what is fast on one Python is slow on the other (`STRUCT_IS_SLOW`; bench: hot.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from csploop._ffi import ffi
from csploop._loop.words import READ, RECORD, RECV, RECV_ADDRESS, RECV_TRUNCATED

__all__ = ["load_items", "record_fields", "take_datagram", "unpack_items"]

iter_records = RECORD.iter_unpack
unpack_record = RECORD.unpack_from

RECORD_SHIFT = 5  # a record has 32 bytes
# Where a record's fields are, in fields of their own width.
LONGS = 4
ID, TOKEN, RESULT = 0, 1, 2
OFFSET = 6
KIND, FLAGS = 14, 15


def unpack_items(view: Any, slab: Any, count: int) -> Iterator[Any]:
    """By struct; `view` shows the records."""
    read, recv = READ, RECV
    if count == 1:
        id, token, result, offset, kind, flags = unpack_record(view)
        data = (
            slab[offset : offset + result]
            if kind == read
            else take_datagram(slab, result, offset, flags)
            if kind == recv
            else (token, result, offset)
        )
        return iter(((id, kind, data),))
    return iter(
        [
            (
                id,
                kind,
                slab[offset : offset + result]
                if kind == read
                else take_datagram(slab, result, offset, flags)
                if kind == recv
                else (token, result, offset),
            )
            for id, token, result, offset, kind, flags in iter_records(view[: count << RECORD_SHIFT])
        ]
    )


def record_fields(records: Any) -> Any:
    """What `load_items` reads the records through: pointers to integers of 64, 32 and 16 bits.

    The long ones are signed, because what PyPy reads as an unsigned long is an int of its slow kind.
    """
    return ffi.cast("int64_t *", records), ffi.cast("uint32_t *", records), ffi.cast("uint16_t *", records)


def load_items(fields: Any, slab: Any, count: int) -> Iterator[Any]:
    """By plain loads."""
    longs, ints, shorts = fields
    items: list[Any] = []
    for at in range(0, count * LONGS, LONGS):
        id = longs[at + ID]
        result = longs[at + RESULT]
        offset = ints[2 * at + OFFSET]
        kind = shorts[4 * at + KIND]
        if kind == READ:
            items.append((id, kind, slab[offset : offset + result]))
        elif kind == RECV:
            items.append((id, kind, take_datagram(slab, result, offset, shorts[4 * at + FLAGS])))
        else:
            items.append((id, kind, (longs[at + TOKEN], result, offset)))
    return iter(items)


def take_datagram(slab: Any, length: int, offset: int, flags: int) -> tuple[bytes, bytes, bool]:
    """A datagram's sender, which lies before it, its bytes, and whether it was cut."""
    address = flags & RECV_ADDRESS
    start = offset - (address + 7 & ~7)
    return slab[start : start + address], slab[offset : offset + length], bool(flags & RECV_TRUNCATED)
