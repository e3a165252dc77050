"""csploop.lowlevel: the core without asyncio, as people use it who build a loop of their own."""

from __future__ import annotations

import socket
import sys

import pytest
from csploop import lowlevel
from csploop.lowlevel import Core, Submission, lib, udp_address

POLLERS = ["EPOLL", "UV"] if sys.platform == "linux" else ["UV"]
SECOND = 1_000_000_000


@pytest.fixture(params=POLLERS)
def core(request):
    with Core(poller=getattr(lib, f"CSPLOOP_POLLER_{request.param}")) as core:
        yield core


def until(core, kind, count=1, submissions=()):
    """The records of that kind, once there are so many; fails on a loop that is silent for 10 seconds."""
    found = []
    while len(found) < count:
        records = core.turn(submissions, 10 * SECOND)
        submissions = ()
        assert records
        found += [record for record in records if record.kind == kind]
    return found


def port_of(core, id):
    return int(core.udp_local_address(id).rpartition(":")[2])


def test_every_public_name_is_there():
    for name in lowlevel.__all__:
        assert getattr(lowlevel, name) is not None


def test_timers_come_in_order_with_their_tokens(core):
    core.call_later(2_000_000, token=3)
    core.call_later(1_000_000, token=2)
    core.call_soon(token=1)
    unwanted = core.call_later(1_500_000, token=9)
    core.cancel(unwanted)
    tokens = [record.token for record in core.turn(timeout_ns=0)]
    while len(tokens) < 3:
        tokens += [record.token for record in core.turn()]
    assert tokens == [1, 2, 3]
    assert core.next_deadline() is None


def test_a_simulated_clock_moves_by_hand():
    with Core(clock=lib.CSPLOOP_CLOCK_SIMULATED, start_ns=5) as core:
        core.call_at(3600 * SECOND, token=7)
        assert core.turn(timeout_ns=0) == [] and core.next_deadline() == 3600 * SECOND
        core.set_clock(3600 * SECOND)
        assert [record.token for record in core.turn(timeout_ns=0)] == [7]


def test_a_stream_says_what_came_and_that_it_is_closed(core):
    ours, theirs = socket.socketpair()
    with theirs:
        id = core.stream_adopt(ours.detach(), token=4)
        core.read_start(id)
        theirs.sendall(b"question")
        (record,) = until(core, lib.CSPLOOP_KIND_READ)
        assert (record.id, record.token, record.data, record.sender) == (id, 4, b"question", None)
        core.submit([Submission(lib.CSPLOOP_OP_WRITE, id, data=b"answer")])
        assert theirs.recv(100) == b"answer"
        core.stream_close(id)
        until(core, lib.CSPLOOP_KIND_CLOSED)


def test_datagrams_come_with_their_sender_and_go_to_it(core):
    server, client = core.udp_bind("127.0.0.1", 0, token=1), core.udp_bind("127.0.0.1", 0, token=2)
    core.udp_read_start(server)
    core.udp_read_start(client)
    to_server = udp_address("127.0.0.1", port_of(core, server))
    core.udp_send_to(client, b"one", to_server)
    core.udp_send_to(client, bytearray(b""), to_server)
    first, second = until(core, lib.CSPLOOP_KIND_RECV, 2)
    assert (first.id, first.token, first.data, second.data) == (server, 1, b"one", b"")
    assert first.sender == udp_address("127.0.0.1", port_of(core, client))
    core.udp_send_to(server, b"back", first.sender)
    (answer,) = until(core, lib.CSPLOOP_KIND_RECV)
    assert (answer.id, answer.data, answer.sender) == (client, b"back", to_server)
    for id in (server, client):
        core.udp_close(id)
    until(core, lib.CSPLOOP_KIND_CLOSED, 2)


def test_datagrams_travel_with_submissions(core):
    server, client = core.udp_bind("127.0.0.1", 0), core.udp_bind("127.0.0.1", 0)
    core.udp_read_start(server)
    address = udp_address("127.0.0.1", port_of(core, server))
    core.udp_connect(client, "127.0.0.1", port_of(core, server))
    assert core.udp_peer_address(client) == core.udp_local_address(server)
    send = lib.CSPLOOP_OP_SEND
    sent = [
        Submission(send, client, data=b"to the peer"),
        Submission(send, server, data=address + b"to itself", flags=len(address)),
    ]
    records = until(core, lib.CSPLOOP_KIND_RECV, 2, sent)
    assert sorted(record.data for record in records) == [b"to itself", b"to the peer"]
    with pytest.raises(ValueError, match="no address of 29 bytes in 3"):
        core.turn([Submission(send, client, data=b"abc", flags=29)], 0)
    core.udp_send(client, b"by call")
    assert core.udp_flush(client) == 0 and core.udp_buffered(client) == (0, 0)
    core.udp_read_stop(server)
    assert core.turn(timeout_ns=0) == []


def test_a_unix_socket_by_adoption(core):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with theirs:
        id = core.udp_adopt(ours.detach(), max_datagram=100)
        core.udp_read_start(id)
        theirs.send(b"hello")
        (record,) = until(core, lib.CSPLOOP_KIND_RECV)
        assert (record.data, record.sender) == (b"hello", b"")
        assert core.udp_fd(id) >= 0


def test_what_is_wrong_is_an_exception(core):
    with pytest.raises(TypeError, match="csploop_udp_options has no 'backlog'"):
        core.udp_bind("127.0.0.1", 0, backlog=3)
    with pytest.raises(TypeError, match="csploop_stream_options has no 'max_datagram'"):
        core.tcp_listen("127.0.0.1", 0, max_datagram=3)
    with pytest.raises(OSError):
        udp_address("no.address", 1)
    with pytest.raises(lowlevel.BadIdError):
        core.udp_send(12345, b"x")
    core.close()
    with pytest.raises(lowlevel.ClosedError):
        core.udp_bind("127.0.0.1", 0)
