"""What every stream transport does, over TCP and Unix sockets alike."""

from __future__ import annotations

import asyncio
import socket

import pytest
from support.peers import adopt
from support.protocols import Recorder

pytestmark = [pytest.mark.io, pytest.mark.parametrize("family", ["tcp", "unix"])]


async def test_the_protocol_is_told_in_order(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    await peer.send(b"one")
    await recorder.until_received(3)
    peer.close()
    await recorder.until_lost()
    assert recorder.events == ["made", "data", "eof", "lost"]
    assert recorder.error is None
    assert recorder.data == b"one"


async def test_write_and_read(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    for number in range(100):
        transport.write(b"%03d" % number)
    assert await peer.recv(300) == b"".join(b"%03d" % number for number in range(100))
    for number in range(10):
        await peer.send(b"%03d" % number)
        await recorder.until_received(3 * number + 3)
    assert recorder.data == b"".join(b"%03d" % number for number in range(10))
    transport.close()
    await recorder.until_lost()
    peer.close()


async def test_close_sends_what_was_written_and_then_the_end(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    payload = bytes(range(256)) * 8192
    transport.write(payload)
    transport.close()
    transport.close()
    assert transport.is_closing()
    assert await peer.recv_end() == payload
    await recorder.until_lost()
    assert recorder.error is None
    peer.close()


async def test_connection_lost_is_never_called_inside_close_or_abort(loop, family):
    for how in ("close", "abort"):
        transport, recorder, peer = await adopt(loop, Recorder, family)
        getattr(transport, how)()
        assert not recorder.lost
        await recorder.until_lost()
        assert recorder.events == ["made", "lost"]
        peer.close()


async def test_nothing_is_received_after_close(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    peer.send_now(b"waits in the kernel")
    transport.close()
    await recorder.until_lost()
    assert recorder.events == ["made", "lost"]
    peer.close()


async def test_close_inside_data_received_is_the_last_that_is_seen(loop, family):
    def data(recorder, data):
        recorder.transport.write(b"bye")
        recorder.transport.close()

    transport, recorder, peer = await adopt(loop, lambda: Recorder(on={"data": data}), family)
    peer.send_now(b"x")
    assert await peer.recv_end() == b"bye"
    await recorder.until_lost()
    assert recorder.events == ["made", "data", "lost"]
    peer.close()


async def test_abort_drops_what_was_not_sent(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    payload = b"x" * (64 << 20)
    transport.write(payload)
    assert transport.get_write_buffer_size() > 0
    transport.abort()
    transport.abort()
    await recorder.until_lost()
    assert recorder.error is None
    try:
        assert len(await peer.recv_end()) < len(payload)
    except ConnectionResetError:
        assert family == "tcp"
    peer.close()


async def test_a_write_after_close_goes_nowhere(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    transport.write(b"in time")
    transport.close()
    transport.write(b"late")
    assert await peer.recv_end() in (b"in time", b"in timelate")
    await recorder.until_lost()
    peer.close()


@pytest.mark.parametrize("marks", [None, 0, 1 << 30], ids=["usual", "paused", "never_paused"])
async def test_a_write_after_close_follows_bytes_that_are_not_sent_yet(loop, family, marks):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    transport.set_write_buffer_limits(marks)
    payload = b"x" * (16 << 20)
    transport.write(payload)
    assert transport.get_write_buffer_size() > 0
    transport.close()
    assert transport.is_closing()
    transport.write(b"in the same turn")
    await asyncio.sleep(0)
    transport.write(b", and in another")
    assert transport.get_write_buffer_size() > 0
    expected = payload + b"in the same turn, and in another"
    assert await peer.recv_end() == expected
    await recorder.until_lost()
    assert recorder.error is None
    peer.close()


async def test_abort_ends_a_close_that_cannot_get_rid_of_its_bytes(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    transport.write(b"x" * (16 << 20))
    transport.close()
    await asyncio.sleep(0)
    assert "lost" not in recorder.events
    transport.abort()
    await recorder.until_lost()
    assert recorder.error is None
    peer.close()


async def test_half_close_of_ours_leaves_reading_open(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    assert transport.can_write_eof()
    transport.write(b"question")
    transport.write_eof()
    transport.write_eof()
    assert await peer.recv_end() == b"question"
    await peer.send(b"answer")
    await recorder.until_received(6)
    assert recorder.data == b"answer"
    assert not transport.is_closing()
    peer.close()
    await recorder.until_lost()


async def test_writing_after_write_eof_is_an_error(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    transport.write_eof()
    with pytest.raises(RuntimeError, match=r"write_eof\(\)"):
        transport.write(b"x")
    transport.close()
    await recorder.until_lost()
    peer.close()


async def test_write_eof_comes_after_a_long_backlog(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    payload = bytes(range(256)) * (8 << 12)
    transport.write(payload)
    transport.write_eof()
    assert await peer.recv_end() == payload
    transport.close()
    await recorder.until_lost()
    peer.close()


async def test_half_close_of_the_peer_keeps_writing_open_if_the_protocol_wants(loop, family):
    transport, recorder, peer = await adopt(loop, lambda: Recorder(keep_open=True), family)
    await peer.send(b"question")
    peer.end_writing()
    await recorder.until_event("eof")
    assert recorder.data == b"question"
    for _ in range(5):
        await asyncio.sleep(0)
    assert not recorder.lost and not transport.is_closing()
    transport.write(b"answer")
    assert await peer.recv(6) == b"answer"
    transport.close()
    assert await peer.recv_end() == b""
    await recorder.until_lost()
    assert recorder.events == ["made", "data", "eof", "lost"]
    peer.close()


async def test_half_close_of_the_peer_closes_by_default_but_sends_all(loop, family):
    payload = b"y" * (4 << 20)

    def eof(recorder):
        recorder.transport.write(payload)
        return False

    transport, recorder, peer = await adopt(loop, lambda: Recorder(on={"eof": eof}), family)
    peer.end_writing()
    assert await peer.recv_end() == payload
    await recorder.until_lost()
    peer.close()


async def test_data_just_before_the_end_comes_before_it(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    payload = b"z" * 100_000
    await peer.send(payload[:50_000])
    await peer.send(payload[50_000:])
    peer.close()
    await recorder.until_lost()
    assert recorder.data == payload
    assert recorder.events[-2:] == ["eof", "lost"]


async def test_extra_info_survives_the_close(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    sock = transport.get_extra_info("socket")
    sockname, peername = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    assert sock.family == (socket.AF_UNIX if family == "unix" else socket.AF_INET)
    assert sockname == peer.sock.getpeername() and peername == peer.sock.getsockname()
    assert transport.get_extra_info("no such thing") is None
    assert transport.get_extra_info("no such thing", 5) == 5
    transport.close()
    await recorder.until_lost()
    assert transport.get_extra_info("sockname") == sockname
    assert transport.get_extra_info("peername") == peername
    peer.close()


async def test_the_protocol_can_be_changed(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    assert transport.get_protocol() is recorder
    await peer.send(b"first")
    await recorder.until_received(5)
    second = Recorder()
    transport.set_protocol(second)
    assert transport.get_protocol() is second
    await peer.send(b"second")
    await second.until_received(6)
    assert recorder.data == b"first" and second.data == b"second"
    transport.close()
    await second.until_lost()
    assert not recorder.lost
    peer.close()


async def test_an_error_in_data_received_is_reported_and_breaks_the_connection(loop, family, reports):
    def data(recorder, data):
        raise LookupError("as planned")

    transport, recorder, peer = await adopt(loop, lambda: Recorder(on={"data": data}), family)
    peer.send_now(b"x")
    await recorder.until_lost()
    assert isinstance(recorder.error, LookupError)
    report = reports.take()
    assert isinstance(report["exception"], LookupError)
    assert report["transport"] is transport and report["protocol"] is recorder
    assert await peer.recv_end() == b""
    peer.close()


async def test_an_error_in_eof_received_is_reported(loop, family, reports):
    def eof(recorder):
        raise LookupError("as planned")

    transport, recorder, peer = await adopt(loop, lambda: Recorder(on={"eof": eof}), family)
    peer.end_writing()
    await recorder.until_lost()
    assert isinstance(reports.take()["exception"], LookupError)
    peer.close()


async def test_an_error_in_connection_lost_is_reported(loop, family, reports):
    def lost(recorder, error):
        raise LookupError("as planned")

    transport, recorder, peer = await adopt(loop, lambda: Recorder(on={"lost": lost}), family)
    transport.close()
    await recorder.until_lost()
    await asyncio.sleep(0)
    assert isinstance(reports.take()["exception"], LookupError)
    assert await peer.recv_end() == b""
    peer.close()


async def test_the_repr_tells_the_state(loop, family):
    transport, recorder, peer = await adopt(loop, Recorder, family)
    assert "Transport" in repr(transport)
    transport.close()
    await recorder.until_lost()
    assert "clos" in repr(transport)
    peer.close()
