"""A hundred megabytes in both directions at once, checked, in bounded memory."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from support.peers import pair

pytestmark = [pytest.mark.io, pytest.mark.heavy]

CHUNK = bytes(range(256)) * 512  # 128 KiB
CHUNKS = 800  # 100 MiB


class Mover(asyncio.Protocol):
    """Sends CHUNKS chunks as flow control allows and takes in as many."""

    def __init__(self):
        self.left = CHUNKS
        self.sum = hashlib.blake2b()
        self.received = 0
        self.writable = True
        self.biggest = 0
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        while self.left and self.writable:
            self.left -= 1
            self.transport.write(CHUNK)
            self.biggest = max(self.biggest, self.transport.get_write_buffer_size())
        if not self.left:
            self.left = None
            self.transport.write_eof()

    def pause_writing(self):
        self.writable = False

    def resume_writing(self):
        self.writable = True
        self.send()

    def data_received(self, data):
        self.received += len(data)
        self.sum.update(data)

    def eof_received(self):
        self.ended.set_result(None)
        return True

    def connection_lost(self, error):
        if not self.ended.done():
            self.ended.set_exception(error or EOFError("lost before the end"))


@pytest.mark.parametrize("family", ["tcp", "unix"])
async def test_a_hundred_megabytes_both_ways(loop, family):
    ends = []
    for sock in pair(family):
        sock.setblocking(False)
        ends.append(await loop.connect_accepted_socket(Mover, sock))
    await asyncio.gather(*(mover.ended for _, mover in ends))
    expected = hashlib.blake2b()
    for _ in range(CHUNKS):
        expected.update(CHUNK)
    for transport, mover in ends:
        assert mover.received == CHUNKS * len(CHUNK)
        assert mover.sum.digest() == expected.digest()
        # One chunk over the high-water mark is all that ever waits.
        assert mover.biggest <= 64 * 1024 + len(CHUNK)
        transport.close()
    for _ in range(5):
        await asyncio.sleep(0)
