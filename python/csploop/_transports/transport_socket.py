"""What get_extra_info("socket") gives: asyncio's TransportSocket, before which goes what was written.

Written bytes wait for the end of the turn. What a program does to the connection by this object must find
them sent: so its methods have the transport send them first. Once the program has got the descriptor itself
or a copy of it, nobody can tell when it is used, and the transport gathers no more.

Owner: the transport, which it does not keep alive, and which may be gone before it.
"""

from __future__ import annotations

import weakref
from asyncio import trsock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

    from csploop._transports.common import Abortable

__all__ = ["TransportSocket"]


class TransportSocket(trsock.TransportSocket):
    __slots__ = ("_real", "_transport")

    def __init__(self, sock: socket.socket, transport: Abortable) -> None:
        self._real = sock
        self._transport = weakref.ref(transport)

    @property
    def _sock(self) -> socket.socket:
        """A slot in asyncio's class, whose methods use it: fileno, dup, and on older Pythons send."""
        transport = self._transport()
        if transport is not None:
            transport._gather_no_more()
        return self._real

    def _settled(self) -> socket.socket:
        transport = self._transport()
        if transport is not None:
            transport._hand_over()
        return self._real

    # What changes the connection.

    def shutdown(self, how: int) -> None:
        self._settled().shutdown(how)

    def getsockopt(self, *args: Any, **kwargs: Any) -> Any:
        return self._settled().getsockopt(*args, **kwargs)

    def setsockopt(self, *args: Any, **kwargs: Any) -> None:
        self._settled().setsockopt(*args, **kwargs)

    # What only tells of it: frameworks ask in the middle of a turn.

    def __repr__(self) -> str:
        return repr(trsock.TransportSocket(self._real))

    @property
    def family(self) -> int:
        return self._real.family

    @property
    def type(self) -> int:
        return self._real.type

    @property
    def proto(self) -> int:
        return self._real.proto

    def get_inheritable(self) -> bool:
        return self._real.get_inheritable()

    def getpeername(self) -> Any:
        return self._real.getpeername()

    def getsockname(self) -> Any:
        return self._real.getsockname()
