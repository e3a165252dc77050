"""A turn's records are taken apart in two ways, by struct and by plain loads: both find the same."""

from __future__ import annotations

import csploop
import pytest
from csploop._ffi import ffi
from csploop._loop import turn
from csploop._loop.words import BACKLOG, READ, RECORD, RECV, RECV_ADDRESS, RECV_TRUNCATED, TIMER, WRITTEN

pytestmark = pytest.mark.ours("about the layout of csploop's own records")

LARGEST_ID = 2**63 - 1

# Kind, id, token, result, offset, flags; fields that are near their limits and differ from one another.
RECORDS = [
    (READ, LARGEST_ID, 0, 5, 16, 0),
    (WRITTEN, 3, 2**40 + 1, -32, 0, 0),
    (RECV, 7, 0, 4, 40, 16),
    (RECV, 8, 0, 4, 40, 16 | RECV_TRUNCATED),
    (RECV, 9, 0, 0, 64, 0),
    (BACKLOG, LARGEST_ID - 1, 0, 2**62, 2**32 - 1, 0),
    (TIMER, 1 << 59, 0, 0, 0, 0),
    (READ, 2**59 + 1, 0, 100, 100, 0),
]
SLAB = bytes(range(200))


@pytest.fixture(params=[False, True], ids=["struct", "loads"])
def take(request, monkeypatch):
    """What a loop that takes records this way makes of some."""
    monkeypatch.setattr(turn, "STRUCT_IS_SLOW", request.param)
    loop = csploop.new_event_loop()
    loop._make_batch()
    slab = ffi.new("char[]", SLAB)

    def take(records):
        for at, (kind, id, token, result, offset, flags) in enumerate(records):
            RECORD.pack_into(loop._records_view, at * RECORD.size, id, token, result, offset, kind, flags)
        loop._batch.slab, loop._batch.slab_size = slab, len(SLAB)
        return list(loop._take(len(records)))

    yield take
    loop.close()


def expected(kind, id, token, result, offset, flags):
    if kind == READ:
        return id, kind, SLAB[offset : offset + result]
    if kind == RECV:
        length = flags & RECV_ADDRESS
        start = offset - (length + 7) // 8 * 8
        data = SLAB[offset : offset + result]
        return id, kind, (SLAB[start : start + length], data, bool(flags & RECV_TRUNCATED))
    return id, kind, (token, result, offset)


def test_a_batch(take):
    assert take(RECORDS) == [expected(*record) for record in RECORDS]


@pytest.mark.parametrize("record", RECORDS)
def test_a_batch_of_one(take, record):
    assert take([record]) == [expected(*record)]
