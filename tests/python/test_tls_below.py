"""TLS over a plain transport that somebody else holds, too: what was written over TLS goes out before
whatever happens to the plain one afterwards, in the same turn."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile

import pytest
from support.certificates import client_context, server_context
from support.peers import Peer, pair
from support.protocols import Recorder
from support.tls import finish, secure

pytestmark = pytest.mark.io
# More records than one, and less than what makes TLS encrypt before the turn ends.
WORDS = [b"one ", b"two ", b"three ", bytes(20_000), b"last"]
ALL = b"".join(WORDS)


async def secured(loop):
    """A plain transport, the TLS over it, and their other end."""
    ours, theirs = pair("tcp")
    ours.setblocking(False)
    plain, recorder = await loop.connect_accepted_socket(Recorder, ours)
    context = client_context()
    wrapping = loop.run_in_executor(None, lambda: context.wrap_socket(theirs, server_hostname="localhost"))
    # The server, to which nothing comes unasked: what is unread when a socket is closed makes it a reset.
    transport = await loop.start_tls(plain, recorder, server_context(), server_side=True)
    return plain, transport, recorder, Peer(await wrapping)


def write_all(transport):
    for word in WORDS:
        transport.write(word)


@pytest.mark.parametrize("end", ["close", "abort", "write_eof"])
async def test_the_end_of_the_one_below_comes_after_what_was_written(loop, end):
    plain, transport, recorder, peer = await secured(loop)
    write_all(transport)
    getattr(plain, end)()
    assert await peer.recv_end() == ALL
    await finish(transport, recorder, peer)


async def test_abort_leaves_to_the_kernel_what_it_took(loop):
    plain, transport, recorder, peer = await secured(loop)
    write_all(transport)
    transport.abort()
    assert await peer.recv_end() == ALL
    await finish(transport, recorder, peer)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="close_clients is new in Python 3.13")
@pytest.mark.parametrize("how", ["close_clients", "abort_clients"])
async def test_a_server_that_closes_its_clients_sends_their_answers(loop, how):
    made = []
    server = await loop.create_server(
        lambda: Recorder({"made": made.append}), "127.0.0.1", 0, ssl=server_context()
    )
    address = server.sockets[0].getsockname()
    context = client_context()

    def connect():
        return context.wrap_socket(socket.create_connection(address), server_hostname="localhost")

    peer = Peer(await loop.run_in_executor(None, connect))
    while not made:
        await asyncio.sleep(0)
    write_all(made[0].transport)
    server.close()
    getattr(server, how)()
    assert await peer.recv_end() == ALL
    await made[0].until_lost()
    peer.close()
    await server.wait_closed()


@pytest.mark.ours("others wait for the turn's end with nothing, or have no such property")
async def test_the_size_of_what_waits_below_counts_it(loop):
    plain, transport, recorder, peer = await secured(loop)
    assert plain.get_write_buffer_size() == 0
    write_all(transport)
    assert plain.get_write_buffer_size() > len(ALL)
    assert transport.get_write_buffer_size() == 0
    assert await peer.recv(len(ALL)) == ALL
    await finish(transport, recorder, peer)


async def test_who_takes_the_socket_finds_all_sent(loop):
    plain, transport, recorder, peer = await secured(loop)
    write_all(transport)
    taken = transport.get_extra_info("socket")
    assert peer.read_exactly(len(ALL)) == ALL  # while this turn lasts
    plain.pause_reading()
    with socket.socket(fileno=os.dup(taken.fileno())) as twin:
        twin.send(b"raw")
    with socket.socket(fileno=os.dup(peer.sock.fileno())) as raw:
        assert raw.recv(3) == b"raw"
    await finish(transport, recorder, peer)


async def test_a_file_sent_below_comes_after_it(loop_kind, loop):
    if loop_kind.name == "uvloop":
        pytest.skip("uvloop has no sendfile")
    plain, transport, recorder, peer = await secured(loop)
    with tempfile.TemporaryFile() as file:
        file.write(b"plain")
        file.seek(0)
        write_all(transport)
        await loop.sendfile(plain, file)
    assert await peer.recv(len(ALL)) == ALL
    with socket.socket(fileno=os.dup(peer.sock.fileno())) as raw:
        assert raw.recv(5) == b"plain"
    await finish(transport, recorder, peer)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_child_has_no_copy_of_it(loop):
    plain, transport, recorder, peer = await secured(loop)
    write_all(transport)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert peer.read_exactly(len(ALL)) == ALL
    await finish(transport, recorder, peer)


@pytest.mark.parametrize("how", ["stop", "exit"])
def test_it_goes_out_when_the_run_ends(loop, how):
    transport, recorder, peer = loop.run_until_complete(secure(loop, Recorder))

    def write_and_end():
        write_all(transport)
        if how == "exit":
            raise SystemExit(3)
        loop.stop()

    loop.call_soon(write_and_end)
    if how == "exit":
        with pytest.raises(SystemExit):
            loop.run_forever()
    else:
        loop.run_forever()
    assert peer.read_exactly(len(ALL)) == ALL
    loop.run_until_complete(finish(transport, recorder, peer))


async def test_a_failing_protocol_has_sent_what_it_wrote(loop, reports):
    def answer_and_fail(recorder, data):
        write_all(recorder.transport)
        raise LookupError("as planned")

    transport, recorder, peer = await secure(loop, lambda: Recorder({"data": answer_and_fail}))
    await peer.send(b"x")
    assert await peer.recv_end() == ALL
    await recorder.until_lost()
    assert isinstance(reports.take()["exception"], LookupError)
    peer.close()


async def test_a_record_that_is_none_is_one_report_whatever_waits(loop, reports):
    plain, transport, recorder, peer = await secured(loop)
    with socket.socket(fileno=os.dup(peer.sock.fileno())) as raw:
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    while not recorder.lost:
        transport.write(b"x")  # something waits in whichever turn it comes
        await asyncio.sleep(0)
    assert "SSL" in type(recorder.error).__name__
    assert not reports.waiting
    await finish(transport, recorder, peer)
