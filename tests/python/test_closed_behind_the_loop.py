"""Descriptors that the program closes while the loop has them, and whose number somebody else gets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket

import pytest
from support.protocols import Buffered, Recorder
from support.strangers import Stranger

pytestmark = pytest.mark.io
MUCH = b"x" * 500_000


class Datagrams(Recorder):
    def datagram_received(self, data, address):
        self.chunks.append(data)
        self._happened("data", data)

    def error_received(self, exc):
        self.error = exc
        self._happened("error", exc)


async def connect(loop, protocol=Recorder):
    """A transport over a socket of ours, and the other end."""
    sock, peer = socket.socketpair()
    sock.setblocking(False)
    peer.setblocking(False)
    transport, recorder = await loop.create_connection(protocol, sock=sock)
    return sock, peer, transport, recorder


async def turns(count=20):
    """Enough for what is on its way inside this process."""
    for _ in range(count):
        await asyncio.sleep(0)


def is_bad_descriptor(exc):
    return isinstance(exc, OSError) and exc.errno == errno.EBADF


WRITES = {
    "write": lambda transport: transport.write(b"not for you"),
    "writelines": lambda transport: transport.writelines([b"not", b"for", b"you"]),
    "more than fits": lambda transport: transport.write(MUCH),
    "many": lambda transport: [transport.write(b"y" * 1000) for _ in range(500)],
    "write and close": lambda transport: (transport.write(b"not for you"), transport.close()),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_what_is_written_does_not_reach_who_has_the_number(loop, write):
    sock, peer, transport, recorder = await connect(loop)
    transport.write(b"before")
    await turns()
    assert peer.recv(100) == b"before"
    number = sock.fileno()
    sock.close()
    with Stranger(number) as stranger:
        write(transport)
        await recorder.until_lost()
        assert is_bad_descriptor(recorder.error)
        assert stranger.is_untouched()
        transport.close()
        await turns()
        assert stranger.is_untouched()
    assert recorder.events.count("lost") == 1
    assert peer.recv(100) == b""
    peer.close()


async def test_a_block_that_ends_closes_the_connections_socket(loop):
    near, peer = socket.socketpair()
    near.setblocking(False)
    with near as sock:
        number = sock.fileno()
        transport, recorder = await loop.create_connection(Recorder, sock=sock)
    with Stranger(number) as stranger:
        stranger.far.send(b"not for us")
        await turns()
        assert recorder.events == ["made"]
        transport.close()
        await recorder.until_lost()
        assert recorder.error is None
        assert stranger.is_untouched(b"not for us")
    peer.close()


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_the_transports_end_spares_who_has_the_number(loop, end):
    sock, peer, transport, recorder = await connect(loop)
    await turns()
    number = sock.fileno()
    sock.close()
    with Stranger(number) as stranger:
        getattr(transport, end)()
        await recorder.until_lost()
        assert recorder.events == ["made", "lost"]
        assert recorder.error is None
        assert stranger.is_untouched()
    peer.close()


async def test_write_eof_shuts_nobody_down(loop):
    sock, peer, transport, recorder = await connect(loop)
    number = sock.fileno()
    sock.close()
    with Stranger(number) as stranger:
        with pytest.raises(OSError) as caught:
            transport.write_eof()
        assert is_bad_descriptor(caught.value)
        await turns()
        assert stranger.is_untouched()
        transport.close()
        await recorder.until_lost()
        assert stranger.is_untouched()
    peer.close()


async def test_reading_that_resumes_does_not_read_from_who_has_the_number(loop):
    sock, peer, transport, recorder = await connect(loop)
    await turns()
    transport.pause_reading()
    await turns()
    number = sock.fileno()
    sock.close()
    with Stranger(number) as stranger:
        stranger.far.send(b"not for us")
        transport.resume_reading()
        await recorder.until_lost()
        assert is_bad_descriptor(recorder.error)
        assert "data" not in recorder.events
        assert stranger.is_untouched(b"not for us")
    peer.close()


async def test_a_duplicate_makes_us_read_nothing_from_who_has_the_number(loop):
    sock, peer, transport, recorder = await connect(loop)
    await turns()
    number = sock.fileno()
    with sock.dup() as twin:  # so the system goes on telling of it
        sock.close()
        with Stranger(number) as stranger:
            stranger.far.send(b"not for us")
            peer.send(b"for the twin")
            await recorder.until_lost()
            assert is_bad_descriptor(recorder.error)
            assert "data" not in recorder.events
            assert stranger.is_untouched(b"not for us")
        assert twin.recv(100) == b"for the twin"
    peer.close()


async def test_a_buffered_protocol_gets_no_data_of_who_has_the_number(loop):
    sock, peer, transport, protocol = await connect(loop, lambda: Buffered(65536))
    await turns()
    number = sock.fileno()
    with sock.dup() as twin:
        sock.close()
        with Stranger(number) as stranger:
            stranger.far.send(b"not for us")
            peer.send(b"for the twin")
            assert is_bad_descriptor(await protocol.ended)
            assert protocol.data == b""
            assert stranger.is_untouched(b"not for us")
        assert twin.recv(100) == b"for the twin"
    peer.close()


async def test_an_accepted_connection(loop):
    made = loop.create_future()
    server = await loop.create_server(lambda: Recorder({"made": made.set_result}), "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as peer:
        recorder = await made
        await turns()
        sock = recorder.transport.get_extra_info("socket")
        number = sock.fileno()
        sock._sock.close()
        with Stranger(number) as stranger:
            recorder.transport.write(MUCH)
            await recorder.until_lost()
            assert is_bad_descriptor(recorder.error)
            assert stranger.is_untouched()
        assert await loop.run_in_executor(None, peer.recv, 1) == b""
    server.close()
    await server.wait_closed()


@pytest.mark.ours("asyncio's transport waits for ever")
async def test_closing_does_not_wait_for_what_cannot_be_sent_any_more(loop):
    sock, peer, transport, recorder = await connect(loop)
    transport.write(b"z" * (16 << 20))
    await recorder.until_event("pause")
    number = sock.fileno()
    sock.close()
    with Stranger(number) as stranger:
        transport.close()
        await recorder.until_lost()
        assert is_bad_descriptor(recorder.error)
        assert stranger.is_untouched()
    peer.close()


@pytest.mark.ours("asyncio has no such mode")
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_writes_that_do_not_wait_for_the_turns_end(loop, write):
    import csploop

    immediate = csploop.Loop(poller=loop._poller_name, write="immediate")

    async def main():
        sock, peer, transport, recorder = await connect(immediate)
        number = sock.fileno()
        sock.close()
        with Stranger(number) as stranger:
            write(transport)
            await recorder.until_lost()
            assert is_bad_descriptor(recorder.error)
            assert stranger.is_untouched()
        peer.close()

    try:
        immediate.run_until_complete(main())
    finally:
        immediate.close()


@pytest.mark.ours("asyncio does not let anybody have the number: RuntimeError")
async def test_who_has_the_number_may_be_given_to_the_loop(loop):
    sock, peer, transport, recorder = await connect(loop)
    await turns()
    number = sock.fileno()
    sock.close()
    with Stranger(number) as stranger:
        stranger.near.setblocking(False)
        fresh, fresh_recorder = await loop.create_connection(Recorder, sock=stranger.near)
        transport.write(b"of the old one")
        await recorder.until_lost()
        assert is_bad_descriptor(recorder.error)
        fresh.write(b"of the new one")
        stranger.far.send(b"to the new one")
        await fresh_recorder.until_received(14)
        assert stranger.far.recv(100) == b"of the new one"
        fresh.close()
        await fresh_recorder.until_lost()
        assert fresh_recorder.error is None
    peer.close()


# -- datagrams ------------------------------------------------------------------------


async def test_datagrams_do_not_leave_by_who_has_the_number(loop):
    with socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        own = socket.socket(type=socket.SOCK_DGRAM)
        own.bind(("127.0.0.1", 0))
        own.setblocking(False)
        transport, recorder = await loop.create_datagram_endpoint(Datagrams, sock=own)
        transport.sendto(b"before", receiver.getsockname())
        await turns()
        assert receiver.recv(100) == b"before"
        number = own.fileno()
        own.close()
        other = socket.socket(type=socket.SOCK_DGRAM)
        if other.fileno() != number:
            os.dup2(other.fileno(), number, inheritable=False)
            other.close()
            other = socket.socket(fileno=number)
        with other:
            transport.sendto(b"not from here", receiver.getsockname())
            await recorder.until_event("error")
            assert is_bad_descriptor(recorder.error)
            await turns()
            with pytest.raises(BlockingIOError):
                receiver.recv(100)
            assert recorder.events.count("error") == 1
            transport.close()
            await recorder.until_lost()
            assert recorder.error is None
            assert os.get_blocking(other.fileno())


@pytest.mark.ours("asyncio wants an address where the peer has no name")
async def test_a_connected_unix_datagram_socket(loop):
    own, peer = socket.socketpair(type=socket.SOCK_DGRAM)
    own.setblocking(False)
    transport, recorder = await loop.create_datagram_endpoint(Datagrams, sock=own)
    await turns()
    number = own.fileno()
    own.close()
    with Stranger(number, socket.SOCK_DGRAM) as stranger:
        stranger.far.send(b"not for us")
        transport.sendto(b"one")
        transport.sendto(b"two")
        await recorder.until(lambda recorder: recorder.events.count("error") == 2)
        assert is_bad_descriptor(recorder.error)
        transport.abort()
        await recorder.until_lost()
        assert "data" not in recorder.events
        assert stranger.is_untouched(b"not for us")
    peer.close()


@pytest.mark.ours("asyncio tells of it in each turn")
async def test_a_datagram_socket_that_lives_on_elsewhere(loop):
    own, peer = socket.socketpair(type=socket.SOCK_DGRAM)
    own.setblocking(False)
    transport, recorder = await loop.create_datagram_endpoint(Datagrams, sock=own)
    await turns()
    number = own.fileno()
    with own.dup() as twin:
        own.close()
        with Stranger(number, socket.SOCK_DGRAM) as stranger:
            stranger.far.send(b"not for us")
            peer.send(b"for the twin")
            await recorder.until_event("error")
            assert is_bad_descriptor(recorder.error)
            await turns()
            assert recorder.events == ["made", "error"]
            transport.close()
            await recorder.until_lost()
            assert stranger.is_untouched(b"not for us")
        assert twin.recv(100) == b"for the twin"
    peer.close()


# -- servers --------------------------------------------------------------------------


@pytest.mark.ours("asyncio's close raises ValueError")
async def test_a_server_whose_socket_was_closed_can_be_closed(loop):
    server = await loop.create_server(Recorder, "127.0.0.1", 0)
    number = server.sockets[0].fileno()
    server.sockets[0]._sock.close()
    with Stranger(number) as stranger:
        await turns()
        server.close()
        await server.wait_closed()
        assert stranger.is_untouched()


@pytest.mark.ours("asyncio reports it in each turn")
async def test_a_listening_socket_that_lives_on_elsewhere_accepts_nothing_for_us(loop, reports):
    server = await loop.create_server(Recorder, "127.0.0.1", 0)
    sock = server.sockets[0]
    number = sock.fileno()
    address = sock.getsockname()
    with sock._sock.dup() as twin:
        sock._sock.close()
        # Listening, and blocking: an accept there would not come back.
        other = socket.create_server(("127.0.0.1", 0))
        if other.fileno() != number:
            os.dup2(other.fileno(), number, inheritable=False)
            other.close()
            other = socket.socket(fileno=number)
        with other, socket.create_connection(address):
            while not reports.waiting:
                await asyncio.sleep(0)
            report = reports.take()
            assert is_bad_descriptor(report["exception"])
            server.close()
            await server.wait_closed()
            with socket.create_connection(other.getsockname()):
                other.accept()[0].close()
        twin.accept()[0].close()


# -- the socket methods -----------------------------------------------------------------


@pytest.mark.ours("on asyncio the first one may wait for ever")
async def test_a_wait_for_a_closed_socket_ends_when_its_number_is_waited_for_again(loop):
    sock, peer = socket.socketpair()
    sock.setblocking(False)
    waiting = loop.create_task(loop.sock_recv(sock, 100))
    await turns()
    number = sock.fileno()
    sock.close()
    with Stranger(number) as stranger:
        stranger.near.setblocking(False)
        second = loop.create_task(loop.sock_recv(stranger.near, 100))
        with pytest.raises(OSError) as caught:
            await waiting
        assert is_bad_descriptor(caught.value)
        stranger.far.send(b"for the second")
        assert await second == b"for the second"
    peer.close()


async def test_a_file_is_not_sent_to_who_has_the_number(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"f" * (8 << 20))
    sock, peer = socket.socketpair()
    sock.setblocking(False)
    with path.open("rb") as file:
        sending = loop.create_task(loop.sock_sendfile(sock, file))
        await turns()
        number = sock.fileno()
        with sock.dup():  # so that the loop hears of it when there is room again
            sock.close()
            with Stranger(number) as stranger:
                await loop.run_in_executor(None, peer.recv, 65536)
                while not sending.done():
                    peer.setblocking(False)
                    with contextlib.suppress(BlockingIOError):
                        peer.recv(1 << 20)
                    await asyncio.sleep(0)
                with pytest.raises(OSError) as caught:
                    await sending
                assert is_bad_descriptor(caught.value)
                assert stranger.is_untouched()
    peer.close()


# -- watched descriptors ------------------------------------------------------------------


@pytest.mark.ours("asyncio believes that the number is registered still")
async def test_removing_a_closed_sockets_reader_spares_who_has_the_number(loop):
    sock, peer = socket.socketpair()
    called = []
    loop.add_reader(sock, called.append, "old")
    number = sock.fileno()
    sock.close()
    with Stranger(number) as stranger:
        came = loop.create_future()
        loop.add_reader(number, lambda: came.done() or came.set_result(stranger.near.recv(100)))
        stranger.far.send(b"for the new one")
        assert await came == b"for the new one"
        assert called == []
        assert loop.remove_reader(number)
        await turns()
        assert stranger.is_untouched()
    peer.close()


# -- pipes ------------------------------------------------------------------------------


@pytest.mark.ours("asyncio writes into whatever has the number")
@pytest.mark.parametrize("data", [b"not for you", MUCH], ids=["little", "more than fits"])
async def test_what_is_written_to_a_pipe_does_not_reach_who_has_the_number(loop, data):
    read_end, number = os.pipe()
    file = os.fdopen(number, "wb", 0)
    transport, recorder = await loop.connect_write_pipe(Recorder, file)
    transport.write(b"before")
    await turns()
    assert os.read(read_end, 100) == b"before"
    file.close()
    with Stranger(number) as stranger:
        transport.write(data)
        await recorder.until_lost()
        assert is_bad_descriptor(recorder.error)
        assert stranger.is_untouched()
    os.close(read_end)


@pytest.mark.ours("asyncio reads from whatever has the number")
async def test_a_pipe_is_not_read_from_who_has_the_number(loop, reports):
    number, write_end = os.pipe()
    file = os.fdopen(number, "rb", 0)
    transport, recorder = await loop.connect_read_pipe(Recorder, file)
    os.write(write_end, b"before")
    await recorder.until_received(6)
    twin = os.dup(number)
    file.close()
    with Stranger(number) as stranger:
        stranger.far.send(b"not for us")
        os.write(write_end, b"for the twin")
        await recorder.until_lost()
        assert is_bad_descriptor(recorder.error)
        assert is_bad_descriptor(reports.take()["exception"])
        assert recorder.data == b"before"
        assert stranger.is_untouched(b"not for us")
    assert os.read(twin, 100) == b"for the twin"
    os.close(twin)
    os.close(write_end)


@pytest.mark.parametrize("direction", ["read", "write"])
async def test_a_pipes_end_spares_who_has_the_number(loop, direction):
    fds = os.pipe()
    number, other = fds if direction == "read" else fds[::-1]
    file = os.fdopen(number, "rb" if direction == "read" else "wb", 0)
    transport, recorder = await getattr(loop, f"connect_{direction}_pipe")(Recorder, file)
    await turns()
    file.close()
    with Stranger(number) as stranger:
        transport.close()
        await recorder.until_lost()
        assert recorder.error is None
        assert stranger.is_untouched()
    os.close(other)
