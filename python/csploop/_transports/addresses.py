"""Socket addresses between their two forms: the system's bytes, which the core takes and gives, and Python's
tuples and paths.

Programs talk to few peers, so both directions are remembered, within a bound: a datagram costs a look into a
dictionary.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import Any

from csploop._ffi import ffi, lib

__all__ = ["Addresses"]

# So many remembered addresses are forgotten all at once.
MOST_REMEMBERED = 1024

AF_UNIX = getattr(socket, "AF_UNIX", None)

# struct sockaddr begins with the family in two bytes, or with its length in one and the family in the other.
FAMILY_BYTES = 2
SOCKADDR_IN6_BYTES = 28
UNIX_PATH_BYTES = 108 if sys.platform == "linux" else 104
SPECIAL_HOSTS = {"": None, "<broadcast>": "255.255.255.255"}


def _native(host: bytes, port: int) -> bytes:
    """A literal IP address as the system has it; empty for what is none."""
    room = ffi.new("char[]", SOCKADDR_IN6_BYTES)
    length = lib.csploop_udp_address(room, len(room), host, port)
    return bytes(ffi.buffer(room, length)) if length > 0 else b""


_HAS_LENGTH_BYTE = _native(b"127.0.0.1", 0)[:2] != struct.pack("=H", socket.AF_INET)


def _unix_head(length: int) -> bytes:
    if _HAS_LENGTH_BYTE:
        return bytes((length, int(socket.AF_UNIX)))
    return struct.pack("=H", socket.AF_UNIX)


class Addresses:
    """The addresses of one socket's family."""

    def __init__(self, sock: socket.socket) -> None:
        self._family = sock.family
        self._type = sock.type
        self._proto = sock.proto
        self._encoded: dict[Any, bytes] = {}
        self._decoded: dict[bytes, Any] = {}

    def encode(self, address: Any) -> bytes | None:
        """The system's form. None: not an address of this family; what that means, a system call will say.

        Names are looked up, blocking, as a socket's own sendto does; that may raise socket.gaierror.
        """
        try:
            return self._encoded[address]
        except (KeyError, TypeError):  # unknown, or not hashable
            pass
        return self._encode_unix(address) if self._family == AF_UNIX else self._encode_ip(address)

    def decode(self, native: bytes) -> Any:
        """Python's form: (host, port), (host, port, flowinfo, scope), a path; None for an unnamed sender."""
        try:
            return self._decoded[native]
        except KeyError:
            pass
        if not native:
            return None
        address: Any
        if self._family == socket.AF_INET:
            address = (socket.inet_ntop(socket.AF_INET, native[4:8]), int.from_bytes(native[2:4], "big"))
        elif self._family == socket.AF_INET6:
            port, flowinfo = struct.unpack_from("!HI", native, 2)
            (scope,) = struct.unpack_from("=I", native, 24)
            address = (socket.inet_ntop(socket.AF_INET6, native[8:24]), port, flowinfo, scope)
        else:
            path = native[FAMILY_BYTES:]
            # An abstract name is bytes with all its zeros; a path ends at the first.
            address = path if path[:1] == b"\0" else os.fsdecode(path.partition(b"\0")[0])
        self._remember(self._decoded, native, address)
        return address

    @staticmethod
    def _remember(table: dict[Any, Any], key: Any, value: Any) -> None:
        if len(table) >= MOST_REMEMBERED:
            table.clear()
        table[key] = value

    def _encode_ip(self, address: Any) -> bytes | None:
        if not isinstance(address, tuple):
            return None
        sizes = (2, 3, 4) if self._family == socket.AF_INET6 else (2,)
        if len(address) not in sizes or not isinstance(address[0], str):
            return None
        if not all(isinstance(number, int) and number >= 0 for number in address[1:]) or address[1] > 65535:
            return None
        host, port = address[:2]
        flowinfo, scope = (*address[2:], 0, 0)[:2]
        if flowinfo >= 1 << 20 or scope >= 1 << 32 or "\0" in host:
            return None
        literal = SPECIAL_HOSTS.get(host, host)
        if literal is None:
            literal = "::" if self._family == socket.AF_INET6 else "0.0.0.0"
        try:
            native = _native(literal.encode("ascii"), port)
        except UnicodeEncodeError:
            native = b""
        known = len(native) == (SOCKADDR_IN6_BYTES if self._family == socket.AF_INET6 else 16)
        if not known:
            infos = socket.getaddrinfo(host, port, self._family, self._type, self._proto)
            found = infos[0][4]
            native = _native(str(found[0]).encode("ascii"), port)
            if len(found) == 4 and not scope:
                scope = int(found[3])
        if self._family == socket.AF_INET6:
            native = b"".join(
                (
                    native[:4],
                    flowinfo.to_bytes(4, "big"),
                    native[8:24],
                    struct.pack("=I", scope or _scope(native)),
                )
            )
        if known:  # a name may have another address tomorrow
            self._remember(self._encoded, address, native)
        return native

    def _encode_unix(self, address: Any) -> bytes | None:
        if isinstance(address, str):
            path = os.fsencode(address)
        elif isinstance(address, bytes):
            path = address
        else:
            return None
        if path[:1] != b"\0":
            if b"\0" in path:
                return None
            path += b"\0"
        if len(path) > UNIX_PATH_BYTES:
            return None
        native = _unix_head(FAMILY_BYTES + len(path)) + path
        self._remember(self._encoded, address, native)
        return native


def _scope(native: bytes) -> int:
    """The scope that the literal itself named ("fe80::1%eth0")."""
    (scope,) = struct.unpack_from("=I", native, 24)
    return int(scope)
