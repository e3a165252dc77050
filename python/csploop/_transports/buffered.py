"""Reading for BufferedProtocol: the protocol's own buffer takes the bytes.

Small reads come through the slab and are copied into the buffer. After a large one the stream is told to
announce data only (READABLE), and one call reads straight into the buffer, until reads are small again. On
PyPy, where a call costs less than new bytes do, no read counts as small.
"""

from __future__ import annotations

import asyncio
from typing import Any

from csploop._compat import BYTES_MOVE
from csploop._ffi import ffi
from csploop._loop.words import OP_READ_START, READ_READY, READ_SLAB
from csploop._transports.state import StreamState

__all__ = ["BufferedReading", "takes_buffers"]

memmove = ffi.memmove

FIRST_MODE = READ_READY if BYTES_MOVE else READ_SLAB
LARGE_READ = 0 if BYTES_MOVE else 64 * 1024
SMALL_READ = 0 if BYTES_MOVE else 16 * 1024
# So many small reads in a row end the reading by announcement.
SMALL_READS = 4


def takes_buffers(protocol: object) -> bool:
    """Whether reads go into the protocol's own buffers: a BufferedProtocol's, or of what has its methods."""
    if isinstance(protocol, asyncio.BufferedProtocol):
        return True
    return hasattr(protocol, "get_buffer") and not hasattr(protocol, "data_received")


def _fill(buffer: Any, data: Any) -> int:
    """Copies what fits to the buffer's beginning; returns how much that was. Keeps no view of the buffer."""
    size = len(buffer)
    if not size:
        raise RuntimeError("get_buffer() returned an empty buffer")
    count = len(data)
    if count <= size:
        kind = type(buffer)
        if kind is bytearray or (kind is memoryview and buffer.format == "B" and buffer.ndim == 1):
            buffer[:count] = data
            return count
    target = memoryview(buffer)
    count = min(count, target.nbytes)
    memmove(target, data, count)
    return count


class BufferedReading(StreamState):
    __slots__ = ()

    def _start_buffered(self) -> None:
        self._buffered = False
        self._read_mode = FIRST_MODE
        self._small_reads = 0

    def _set_read_mode(self, mode: int) -> None:
        self._read_mode = mode
        self._small_reads = 0
        self._loop._ops.append((self._id, OP_READ_START, mode))

    def _deliver_buffered(self, data: Any) -> None:
        """Copies a read into the protocol's buffers, as many as it takes."""
        protocol = self._protocol
        rest = data
        while True:
            try:
                count = _fill(protocol.get_buffer(-1), rest)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exc:
                self._fatal_error(exc, "Fatal error: protocol.get_buffer() call failed.")
                return
            try:
                protocol.buffer_updated(count)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exc:
                self._fatal_error(exc, "Fatal error: protocol.buffer_updated() call failed.")
                return
            if count == len(rest):
                break
            rest = memoryview(rest)[count:]
            if self._paused or self._closing or self._protocol is not protocol:
                # Held, dropped or for the protocol that took over.
                self._deliver(bytes(rest))
                return
        # Not where one buffer could not take it all: there the slab saves system calls.
        if count == len(data) >= LARGE_READ and not self._closing and not self._paused and self._buffered:
            self._set_read_mode(READ_READY)

    def _on_readable(self) -> None:
        """Data waits in the kernel: reads it into the protocol's buffer with one call."""
        if self._paused or self._closing or not self._buffered:
            # The announcement costs nothing; it comes again when reading does.
            if not self._buffered and not self._closing and not self._paused:
                self._set_read_mode(READ_SLAB)
            return
        self._run(self._read_into_buffer)

    def _read_into_buffer(self) -> None:
        protocol = self._protocol
        loop = self._loop
        try:
            buffer = protocol.get_buffer(-1)
            size = len(buffer)
            if not size:
                raise RuntimeError("get_buffer() returned an empty buffer")
            memory = ffi.from_buffer(buffer, require_writable=True)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fatal_error(exc, "Fatal error: protocol.get_buffer() call failed.")
            return
        count = loop._lib.csploop_stream_read_into(loop._core, self._id, memory, len(memory))
        ffi.release(memory)
        del memory, buffer
        if count <= 0:
            return  # nothing after all, or EOF or ERROR follows as a record
        if count >= SMALL_READ:
            self._small_reads = 0
        else:
            self._small_reads += 1
            if self._small_reads >= SMALL_READS:
                self._set_read_mode(READ_SLAB)
        try:
            protocol.buffer_updated(count)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fatal_error(exc, "Fatal error: protocol.buffer_updated() call failed.")
