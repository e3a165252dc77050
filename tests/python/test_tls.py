"""TLS: what transports and protocols over it do, against Python's own blocking ssl."""

from __future__ import annotations

import asyncio
import inspect
import ssl

import pytest
from support.certificates import certificate, client_context, server_context
from support.peers import Peer, pair
from support.protocols import Buffered, Recorder
from support.tls import finish, secure

pytestmark = pytest.mark.io
MEGABYTE = 1 << 20
both_roles = pytest.mark.parametrize("server_side", [True, False], ids=["server", "client"])


@both_roles
@pytest.mark.parametrize("name", ["tcp", "unix"])
async def test_data_goes_both_ways(loop, server_side, name):
    transport, recorder, peer = await secure(loop, Recorder, server_side, name)
    transport.write(b"hello ")
    transport.write(bytearray(b"there"))
    transport.writelines([b", ", memoryview(b"peer")])
    assert await peer.recv(17) == b"hello there, peer"
    await peer.send(b"and back")
    await recorder.until_received(8)
    assert recorder.data == b"and back"
    assert recorder.events[0] == "made"
    await finish(transport, recorder, peer)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
async def test_both_versions_carry_what_fits_many_records(loop, version):
    context = server_context()
    context.minimum_version = context.maximum_version = version
    transport, recorder, peer = await secure(loop, Recorder, ours=context)
    payload = bytes(range(256)) * 4096
    sending = loop.create_task(peer.send(payload))
    await recorder.until_received(len(payload))
    await sending
    assert recorder.data == payload
    for start in range(0, len(payload), 1000):
        transport.write(payload[start : start + 1000])
    assert await peer.recv(len(payload)) == payload
    await finish(transport, recorder, peer)


@both_roles
async def test_the_transport_tells_about_the_connection(loop, server_side):
    context = server_context() if server_side else client_context()
    transport, recorder, peer = await secure(loop, Recorder, server_side, ours=context)
    info = transport.get_extra_info
    assert isinstance(info("ssl_object"), ssl.SSLObject)
    assert info("sslcontext") is context
    assert info("cipher") == info("ssl_object").cipher() and len(info("cipher")) == 3
    assert info("compression") is None
    assert bool(info("peercert")) is not server_side
    assert info("sockname") == peer.sock.getpeername() and info("peername") == peer.sock.getsockname()
    assert info("socket").fileno() >= 0
    assert info("nonsense", "default") == "default"
    assert transport.get_protocol() is recorder
    assert not transport.is_closing() and transport.is_reading()
    assert not transport.can_write_eof()
    await finish(transport, recorder, peer)


async def test_the_transport_is_an_asyncio_transport(loop):
    transport, recorder, peer = await secure(loop, Recorder)
    assert isinstance(transport, asyncio.Transport)
    with pytest.raises(NotImplementedError):
        transport.write_eof()
    for wrong in ("text", 1, None, [b"x"]):
        with pytest.raises(TypeError):
            transport.write(wrong)
    transport.write(b"")
    transport.write(b"good")
    assert await peer.recv(4) == b"good"
    await finish(transport, recorder, peer)


async def test_closing_sends_all_and_a_close_notify(loop):
    transport, recorder, peer = await secure(loop, Recorder)
    payload = b"x" * (4 * MEGABYTE)
    transport.write(payload)
    transport.close()
    assert transport.is_closing()
    transport.write(b"too late")
    # The blocking ssl module raises here for a connection that ends without close_notify.
    peer.sock.suppress_ragged_eofs = False
    assert await peer.recv_end() == payload
    peer.close()
    await recorder.until_lost()
    assert recorder.error is None


async def test_the_peers_close_notify_ends_the_connection(loop):
    transport, recorder, peer = await secure(loop, Recorder)
    await peer.send(b"last words")
    plain = await loop.run_in_executor(None, peer.sock.unwrap)
    await recorder.until_lost()
    assert recorder.data == b"last words"
    assert recorder.events[-2:] == ["eof", "lost"] and recorder.error is None
    plain.close()


async def test_an_end_without_close_notify_is_an_end(loop):
    transport, recorder, peer = await secure(loop, Recorder, server_side=False)
    await peer.send(b"last words")
    peer.close()
    await recorder.until_lost()
    assert recorder.data == b"last words"
    assert recorder.events[-2:] == ["eof", "lost"] and recorder.error is None


async def test_what_came_while_reading_was_paused_survives_the_end(loop):
    transport, recorder, peer = await secure(loop, Recorder, server_side=False)
    transport.pause_reading()
    assert not transport.is_reading()
    payload = b"x" * 100_000
    await peer.send(payload)
    peer.close()
    for _ in range(20):
        await asyncio.sleep(0)
    assert recorder.events == ["made"]
    transport.resume_reading()
    await recorder.until_lost()
    assert recorder.data == payload
    assert recorder.events[-2:] == ["eof", "lost"] and recorder.error is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
@pytest.mark.parametrize("paused", [True, False], ids=["paused", "reading"])
async def test_what_comes_after_close_is_dropped_and_no_error(loop, version, paused):
    context = server_context()
    context.minimum_version = context.maximum_version = version
    transport, recorder, peer = await secure(loop, Recorder, ours=context)
    if paused:
        transport.pause_reading()
        await peer.send(b"x" * 50_000)
    transport.close()
    await peer.send(b"y" * 50_000)
    plain = await loop.run_in_executor(None, peer.sock.unwrap)
    await recorder.until_lost()
    assert recorder.error is None
    assert recorder.data == b""
    plain.close()


@pytest.mark.ours("others read on until the peer or ssl_shutdown_timeout ends it, or fail at once")
async def test_a_peer_that_sends_on_and_on_does_not_keep_a_closed_connection(loop):
    transport, recorder, peer = await secure(loop, Recorder)
    sending = loop.run_in_executor(None, peer.sock.sendall, bytes(64 * MEGABYTE))
    await recorder.until_received(1)
    transport.close()
    await recorder.until_lost()
    assert isinstance(recorder.error, ssl.SSLError)
    with pytest.raises(OSError):
        await sending
    peer.close()


async def test_pausing_inside_data_received_holds_the_rest(loop):
    transport, recorder, peer = await secure(loop, Recorder)
    recorder.on["data"] = lambda recorder, data: transport.pause_reading()
    expected = b""
    for number in range(4):
        expected += bytes([number]) * 50_000
        peer.send_now(expected[-50_000:])
    while recorder.received < len(expected):
        before = recorder.received
        await recorder.until_received(before + 1)
        after = recorder.received
        for _ in range(5):
            await asyncio.sleep(0)
        assert recorder.received == after
        transport.resume_reading()
    assert recorder.data == expected
    await finish(transport, recorder, peer)


async def test_abort_drops_what_waits(loop):
    transport, recorder, peer = await secure(loop, Recorder)
    transport.write(b"x" * (32 * MEGABYTE))
    transport.abort()
    assert transport.is_closing()
    await recorder.until_lost()
    assert recorder.error is None and "eof" not in recorder.events
    peer.close()


async def test_a_slow_peer_pauses_the_writer(loop):
    transport, recorder, peer = await secure(loop, Recorder)
    assert transport.get_write_buffer_size() == 0
    transport.set_write_buffer_limits(high=200_000, low=50_000)
    assert transport.get_write_buffer_limits() == (50_000, 200_000)
    total = 0
    while "pause" not in recorder.events:
        transport.write(b"x" * 100_000)
        total += 100_000
        assert total < 64 * MEGABYTE
        await asyncio.sleep(0)
    assert transport.get_write_buffer_size() >= 200_000
    assert await peer.recv(total) == b"x" * total
    await recorder.until_event("resume")
    assert transport.get_write_buffer_size() <= 50_000
    await finish(transport, recorder, peer)


async def test_many_turns_of_small_writes_pause_the_writer_as_well(loop):
    transport, recorder, peer = await secure(loop, Recorder)
    total = 0
    while "pause" not in recorder.events:
        transport.write(b"x" * 10_000)
        total += 10_000
        assert total < 64 * MEGABYTE
        await asyncio.sleep(0)
    assert await peer.recv(total) == b"x" * total
    await recorder.until_event("resume")
    await finish(transport, recorder, peer)


async def test_impossible_limits_are_value_errors(loop):
    transport, recorder, peer = await secure(loop, Recorder)
    for limits in ({"high": -1}, {"low": -1}, {"high": 1, "low": 2}):
        with pytest.raises(ValueError):
            transport.set_write_buffer_limits(**limits)
    await finish(transport, recorder, peer)


async def test_tens_of_megabytes_go_there_and_back(loop):
    # In pieces: before Python 3.13 two threads must not use one SSLSocket at a time.
    transport, recorder, peer = await secure(loop, Recorder)
    piece = bytes(range(256)) * 256
    recorder.on["data"] = lambda recorder, data: transport.write(data)
    for _ in range(256):
        await peer.send(piece)
        assert await peer.recv(len(piece)) == piece
    await finish(transport, recorder, peer)


@pytest.mark.parametrize("size", [1, 1000, 16384, 1 << 20])
async def test_a_buffered_protocol_gets_all_in_its_own_buffer(loop, size):
    transport, protocol, peer = await secure(loop, lambda: Buffered(size))
    payload = bytes(range(256)) * (size if size < 4096 else 4096)
    sending = loop.create_task(peer.send(payload))
    await protocol.until_received(len(payload))
    await sending
    assert protocol.data == payload and max(protocol.updates) <= size
    transport.abort()
    await protocol.ended
    peer.close()


async def test_a_failing_data_received_is_reported_and_ends_it(loop, reports):
    def fail(recorder, data):
        raise LookupError("as planned")

    transport, recorder, peer = await secure(loop, lambda: Recorder({"data": fail}))
    await peer.send(b"x")
    await recorder.until_lost()
    assert isinstance(recorder.error, LookupError)
    assert isinstance(reports.take()["exception"], LookupError)
    peer.close()


async def test_a_peer_that_never_says_hello_is_given_up(loop):
    ours, theirs = pair("tcp")
    with theirs:
        with pytest.raises(ConnectionAbortedError, match="SSL handshake is taking longer than 0.05 seconds"):
            await loop.create_connection(
                Recorder, sock=ours, ssl=client_context(), server_hostname="x", ssl_handshake_timeout=0.05
            )
        assert Peer(theirs).read_to_end()[:1] == b"\x16"


async def test_a_peer_that_ends_in_the_handshake_is_a_reset(loop):
    ours, theirs = pair("tcp")
    theirs.close()
    with pytest.raises(ConnectionResetError):
        await loop.create_connection(Recorder, sock=ours, ssl=client_context(), server_hostname="localhost")


async def test_a_peer_that_does_not_speak_tls_is_an_ssl_error(loop):
    ours, theirs = pair("tcp")
    with theirs:
        theirs.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(ssl.SSLError):
            await loop.create_connection(
                Recorder, sock=ours, ssl=client_context(), server_hostname="localhost"
            )


async def test_a_certificate_that_nobody_trusts_is_refused(loop):
    context = ssl.create_default_context(cafile=certificate("stranger", "DNS:localhost")[0])
    server = await loop.create_server(Recorder, "127.0.0.1", 0, ssl=server_context())
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ssl.SSLCertVerificationError):
        await loop.create_connection(Recorder, "127.0.0.1", port, ssl=context)
    with pytest.raises(ssl.SSLCertVerificationError, match="[Hh]ostname"):
        await loop.create_connection(
            Recorder, "127.0.0.1", port, ssl=client_context(), server_hostname="else.test"
        )
    server.close()
    await server.wait_closed()


@pytest.mark.ours("others end the connection without saying why")
async def test_a_failed_handshake_tells_the_peer_why(loop):
    context = ssl.create_default_context(cafile=certificate("stranger", "DNS:localhost")[0])
    ours, theirs = pair("tcp")
    theirs.settimeout(15)

    def shake_hands():
        with pytest.raises(ssl.SSLError, match="(?i)unknown.ca"):
            server_context().wrap_socket(theirs, server_side=True)

    shaking = loop.run_in_executor(None, shake_hands)
    with pytest.raises(ssl.SSLCertVerificationError):
        await loop.create_connection(Recorder, sock=ours, ssl=context, server_hostname="localhost")
    await shaking
    theirs.close()


async def test_client_certificates_names_and_protocols(loop):
    def choose(connection, name, context):
        names.append(name)

    names: list[object] = []
    mine = certificate("client")
    ours = server_context()
    ours.verify_mode = ssl.CERT_REQUIRED
    ours.load_verify_locations(mine[0])
    ours.set_alpn_protocols(["two", "one"])
    ours.sni_callback = choose
    theirs = client_context()
    theirs.load_cert_chain(*mine)
    theirs.set_alpn_protocols(["one"])
    transport, recorder, peer = await secure(loop, Recorder, ours=ours, theirs=theirs)
    assert names == ["localhost"]
    assert transport.get_extra_info("peercert")["subject"] == ((("commonName", "client"),),)
    assert transport.get_extra_info("ssl_object").selected_alpn_protocol() == "one"
    await finish(transport, recorder, peer)


async def test_a_peer_that_never_answers_the_close_is_given_up(loop):
    transport, recorder, peer = await secure(loop, Recorder, **shutdown(loop, 0.05))
    transport.close()
    await recorder.until_lost()
    assert isinstance(recorder.error, (TimeoutError, asyncio.TimeoutError))
    peer.close()


@pytest.mark.parametrize("first", ["close", "eof"])
async def test_a_peer_that_ends_and_does_not_read_is_given_up(loop, first):
    transport, recorder, peer = await secure(loop, Recorder, **shutdown(loop, 0.05))
    while "pause" not in recorder.events:
        transport.write(bytes(1 << 20))
        await asyncio.sleep(0)
    if first == "close":
        transport.close()
        peer.end_writing()
    else:
        peer.end_writing()
        await recorder.until_event("eof")
    await recorder.until_lost()
    assert isinstance(recorder.error, (TimeoutError, asyncio.TimeoutError))
    peer.close()


async def test_a_peer_that_ends_and_reads_late_gets_all(loop):
    transport, recorder, peer = await secure(loop, Recorder)
    count = 0
    while "pause" not in recorder.events:
        transport.write(bytes(1 << 20))
        count += 1 << 20
        await asyncio.sleep(0)
    transport.close()
    peer.end_writing()
    assert len(await peer.recv(count)) == count
    await recorder.until_lost()
    assert recorder.error is None
    peer.close()


def shutdown(loop, seconds):
    """ssl_shutdown_timeout where the loop knows it."""
    known = "ssl_shutdown_timeout" in inspect.signature(loop.connect_accepted_socket).parameters
    if not known:
        pytest.skip("ssl_shutdown_timeout is new in Python 3.11")
    return {"ssl_shutdown_timeout": seconds}


@pytest.mark.parametrize("seconds", [0, -1])
async def test_timeouts_must_be_positive(loop, seconds):
    ours, theirs = pair("tcp")
    with ours, theirs, pytest.raises(ValueError, match="ssl_handshake_timeout should be a positive number"):
        await loop.create_connection(
            Recorder, sock=ours, ssl=client_context(), server_hostname="x", ssl_handshake_timeout=seconds
        )
