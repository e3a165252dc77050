"""Datagram sockets of families and types other than UDP and Unix: netlink, packet, raw and so on."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import socket
import struct

import pytest

pytestmark = [pytest.mark.io]

variable = contextvars.ContextVar("variable", default="unset")


class Recorder(asyncio.DatagramProtocol):
    def __init__(self):
        loop = asyncio.get_running_loop()
        self.received = asyncio.Queue()
        self.errors = asyncio.Queue()
        self.lost = loop.create_future()

    def datagram_received(self, data, addr):
        self.received.put_nowait((data, addr))

    def error_received(self, exc):
        self.errors.put_nowait(exc)

    def connection_lost(self, exc):
        self.lost.set_result(exc)


def open_socket(family, type=socket.SOCK_DGRAM, proto=0):
    if not hasattr(socket, family):
        pytest.skip(f"this Python has no socket.{family}")
    try:
        sock = socket.socket(getattr(socket, family), type, proto)
    except PermissionError:
        pytest.skip(f"{family} sockets need a privilege that this process has not")
    except OSError as exc:
        pytest.skip(f"this system opens no {family} socket: {exc}")
    sock.setblocking(False)
    return sock


async def endpoint(loop, sock):
    try:
        return await loop.create_datagram_endpoint(Recorder, sock=sock)
    except BaseException:
        sock.close()
        raise


async def close(transport, protocol):
    transport.close()
    transport.close()
    assert transport.is_closing()
    assert await protocol.lost is None


ASK_FOR_LINKS = struct.pack("=LHHLL", 20, 18, 0x301, 7, 0) + b"\0\0\0\0"  # RTM_GETLINK, a dump


async def test_netlink_answers_with_its_address(loop):
    sock = open_socket("AF_NETLINK", proto=0)
    transport, protocol = await endpoint(loop, sock)
    assert transport.get_extra_info("socket").family == socket.AF_NETLINK
    transport.sendto(ASK_FOR_LINKS, (0, 0))
    data, address = await protocol.received.get()
    assert struct.unpack_from("=LHHL", data)[3] == 7
    assert address == (0, 0)
    await close(transport, protocol)


async def test_an_error_of_sending_is_told_inside_a_callback(loop):
    sock = open_socket("AF_NETLINK", proto=0)

    class Eager(Recorder):
        def connection_made(self, transport):
            transport.sendto(b"x" * (64 << 20), (0, 0))

    transport, protocol = await loop.create_datagram_endpoint(Eager, sock=sock)
    assert isinstance(await protocol.errors.get(), OSError)
    await close(transport, protocol)


@pytest.mark.ours("the private way to hand a context over")
async def test_writing_resumes_in_the_endpoints_context(loop):
    near, far = open_socket("AF_UNIX", socket.SOCK_SEQPACKET), open_socket("AF_UNIX", socket.SOCK_SEQPACKET)
    near.close()
    far.close()
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    near.setblocking(False)
    seen = loop.create_future()

    class Paused(Recorder):
        def pause_writing(self):
            pass

        def resume_writing(self):
            seen.set_result(variable.get())

    context = contextvars.copy_context()
    context.run(variable.set, "given")
    protocol = Paused()
    transport = loop._make_datagram_transport(near, protocol, context=context)
    with far:
        while not transport.get_write_buffer_size() > 1 << 17:
            transport.sendto(bytes(1 << 12))
        far.setblocking(False)
        while not seen.done():
            with contextlib.suppress(BlockingIOError):
                far.recv(1 << 13)
            await asyncio.sleep(0)
        assert seen.result() == "given"
        transport.abort()
        assert await protocol.lost is None


async def test_a_watcher_of_before_does_not_outlive_it(loop):
    sock = open_socket("AF_NETLINK", proto=0)
    loop.add_writer(sock.fileno(), int)
    transport, protocol = await endpoint(loop, sock)
    number = sock.fileno()
    loop._remove_writer(number)
    await close(transport, protocol)
    assert not loop.remove_reader(number)


async def test_its_descriptor_is_in_use_and_its_socket_may_be_taken(loop):
    sock = open_socket("AF_NETLINK", proto=0)
    transport, protocol = await endpoint(loop, sock)
    with pytest.raises(RuntimeError, match="is used by transport"):
        loop.add_reader(sock.fileno(), print)
    taken = transport.get_extra_info("socket")
    assert taken.fileno() == sock.fileno()
    assert taken.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_DGRAM
    transport.sendto(ASK_FOR_LINKS, (0, 0))
    assert await protocol.received.get()
    await close(transport, protocol)


@pytest.mark.ours("asyncio takes the number for its own, and uvloop knows no such family")
async def test_a_socket_that_was_closed_leaves_the_next_one_alone(loop):
    sock = open_socket("AF_NETLINK", proto=0)
    transport, protocol = await endpoint(loop, sock)
    number = sock.fileno()
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        sock.close()
        os.dup2(near.fileno(), number)
        try:
            read = loop.create_future()
            loop.add_reader(number, lambda: read.done() or read.set_result(near.recv(10)))
            transport.close()
            assert await protocol.lost is None
            far.send(b"data")
            assert await read == b"data"
            loop.remove_reader(number)
        finally:
            os.close(number)


async def test_netlink_of_a_connected_socket(loop):
    sock = open_socket("AF_NETLINK", proto=0)
    sock.connect((0, 0))
    transport, protocol = await endpoint(loop, sock)
    transport.sendto(ASK_FOR_LINKS)
    assert (await protocol.received.get())[0]
    await close(transport, protocol)


async def test_netlink_with_sock_methods(loop):
    with open_socket("AF_NETLINK", proto=0) as sock:
        assert await loop.sock_sendto(sock, ASK_FOR_LINKS, (0, 0)) == len(ASK_FOR_LINKS)
        data, address = await loop.sock_recvfrom(sock, 65536)
        assert data
        assert address == (0, 0)


async def test_packets_carry_their_interface(loop):
    sock = open_socket("AF_PACKET", proto=socket.htons(0x88B5))  # an EtherType for experiments
    other = open_socket("AF_PACKET", proto=socket.htons(0x88B5))
    try:
        sock.bind(("lo", 0x88B5))
        other.bind(("lo", 0x88B5))
    except OSError as exc:
        sock.close()
        other.close()
        pytest.skip(f"no packets over lo: {exc}")
    receiver, received = await endpoint(loop, sock)
    sender, sent = await endpoint(loop, other)
    sender.sendto(b"hello", ("lo", 0x88B5))
    data, address = await received.received.get()
    assert data[:5] == b"hello"
    assert address[:2] == ("lo", 0x88B5)
    await close(receiver, received)
    await close(sender, sent)


async def test_raw_sockets_see_the_whole_packet(loop):
    sock = open_socket("AF_INET", socket.SOCK_RAW, socket.IPPROTO_ICMP)
    try:
        transport, protocol = await loop.create_datagram_endpoint(Recorder, sock=sock)
    except ValueError:
        sock.close()
        pytest.skip("this Python's asyncio takes no raw sockets")
    echo = struct.pack("!BBHHH", 8, 0, 0, 0x1234, 1) + b"ping"
    words = struct.unpack("!6H", echo)
    total = sum(words)
    total = (total >> 16) + (total & 0xFFFF)
    echo = echo[:2] + struct.pack("!H", ~total & 0xFFFF) + echo[4:]
    transport.sendto(echo, ("127.0.0.1", 0))
    while True:
        data, address = await protocol.received.get()
        header = (data[0] & 15) * 4
        if data[header] == 0 and data[header + 4 : header + 6] == b"\x12\x34":
            break
    assert data.endswith(b"ping")
    assert address[0] == "127.0.0.1"
    await close(transport, protocol)


async def test_other_families_that_open_here_can_be_endpoints(loop):
    opened = []
    for family, proto in (("AF_VSOCK", 0), ("AF_CAN", 2), ("AF_TIPC", 0), ("AF_QIPCRTR", 0)):
        if not hasattr(socket, family):
            continue
        try:
            sock = socket.socket(getattr(socket, family), socket.SOCK_DGRAM, proto)
        except OSError:
            continue
        opened.append(family)
        transport, protocol = await endpoint(loop, sock)
        await close(transport, protocol)
    if not opened:
        pytest.skip("this system opens no vsock, CAN, TIPC or QIPCRTR sockets")


async def test_an_error_of_sending_is_told_and_the_endpoint_goes_on(loop):
    sock = open_socket("AF_NETLINK", proto=0)
    transport, protocol = await endpoint(loop, sock)
    transport.sendto(b"x" * (64 << 20), (0, 0))
    assert isinstance(await protocol.errors.get(), OSError)
    transport.sendto(ASK_FOR_LINKS, (0, 0))
    assert (await protocol.received.get())[0]
    transport.abort()
    assert await protocol.lost is None
