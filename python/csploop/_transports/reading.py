"""The reading side of a stream transport: who gets the bytes, and what happens to them while nobody wants
them."""

from __future__ import annotations

import asyncio
from asyncio.log import logger

from csploop._loop.words import OP_READ_START, OP_READ_STOP, READ_SLAB
from csploop._transports.buffered import BufferedReading, takes_buffers

__all__ = ["Reading"]


class Reading(BufferedReading):
    __slots__ = ()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        self._protocol_connected = True
        self._buffered = takes_buffers(protocol)
        self._choose_deliver()

    def _choose_deliver(self) -> None:
        if self._closing:
            self._deliver = self._drop
        elif self._paused or self._held:
            self._deliver = self._held.append
        elif self._buffered:
            self._deliver = self._deliver_buffered
        else:
            try:
                self._deliver = self._protocol.data_received
            except AttributeError:
                self._deliver = self._no_data_received

    @staticmethod
    def _drop(data: bytes) -> None:
        """What comes after close() is nobody's. Not a method: an ended transport shall not hold itself."""

    def _no_data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def is_reading(self) -> bool:
        return not self._closing and not self._paused

    def pause_reading(self) -> None:
        if self._closing or self._paused:
            return
        self._paused = True
        self._choose_deliver()
        if self._read_started and not self._eof_came:
            self._loop._ops.append((self._id, OP_READ_STOP, 0))
        if self._loop._debug:
            logger.debug("%r pauses reading", self)

    def resume_reading(self) -> None:
        if self._closing or not self._paused:
            return
        self._paused = False
        if self._held:
            self._loop.call_soon(self._deliver_held)
        else:
            self._choose_deliver()
            self._ask_to_read()
        if self._loop._debug:
            logger.debug("%r resumes reading", self)

    def _start_reading(self) -> None:
        """After connection_made, which may have paused, closed or done nothing."""
        if self._closing:
            return
        self._read_started = True
        if not self._paused:
            self._choose_deliver()
            self._ask_to_read()

    def _ask_to_read(self) -> None:
        if self._read_started and not self._eof_came:
            self._loop._ops.append(
                (self._id, OP_READ_START, self._read_mode if self._buffered else READ_SLAB)
            )

    def _deliver_held(self) -> None:
        """Delivers what came while reading was paused, as long as it stays resumed."""
        while self._held and not self._paused and not self._closing:
            data = self._held.pop(0)
            if data is None:
                self._on_eof()
                continue
            self._choose_direct()
            try:
                self._run(self._deliver, data)
            except (SystemExit, KeyboardInterrupt):
                self._loop.call_soon(self._deliver_held)
                raise
            except BaseException as exc:
                self._fatal_error(exc, "Fatal error: protocol.data_received() call failed.")
        if not self._paused and not self._closing:
            self._choose_deliver()
            self._ask_to_read()

    def _choose_direct(self) -> None:
        """As _choose_deliver, though more is held: that comes afterwards."""
        held, self._held = self._held, []
        self._choose_deliver()
        self._held = held

    def _on_eof(self) -> None:
        if self._closing:
            return
        if self._loop._debug:
            logger.debug("%r received EOF", self)
        try:
            keep_open = self._run(self._protocol.eof_received)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fatal_error(exc, "Fatal error: protocol.eof_received() call failed.")
            return
        if not keep_open:
            self.close()
