"""The context that asyncio 3.15 hands to the loop with each connection: its protocol runs in that one.

The hooks that take it are the base class's, and take it on every Python.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import socket

import pytest
from support.certificates import client_context, server_context
from support.datagrams import Datagrams
from support.peers import Peer, tcp_pair
from support.protocols import Recorder

pytestmark = [
    pytest.mark.io,
    pytest.mark.ours("calls the hooks that asyncio's base class leaves to its loop, not a public interface"),
]

variable = contextvars.ContextVar("variable", default="unset")


class BufferedRecorder(Recorder, asyncio.BufferedProtocol):
    def __init__(self, on):
        super().__init__(on)
        self.buffer = bytearray(1024)

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, count):
        self.data_received(self.buffer[:count])


def context_of(value):
    context = contextvars.copy_context()
    context.run(variable.set, value)
    return context


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("buffered", [False, True], ids=["protocol", "buffered"])
async def test_a_connections_callbacks_run_in_the_very_context_that_is_given(loop, secured, buffered):
    seen = []

    def note(recorder, *args):
        seen.append((recorder.events[-1], variable.get()))
        variable.set(recorder.events[-1])

    context = context_of("given")
    ours, theirs = tcp_pair()
    ours.setblocking(False)
    kind = BufferedRecorder if buffered else Recorder
    recorder = kind(on=dict.fromkeys(("made", "data", "eof", "lost", "resume"), note))
    waiter = loop.create_future()
    if secured:
        shaking = loop.run_in_executor(
            None, lambda: client_context().wrap_socket(theirs, server_hostname="localhost")
        )
        transport = loop._make_ssl_transport(
            ours, recorder, server_context(), waiter, server_side=True, context=context
        )
        theirs = await shaking
    else:
        transport = loop._make_socket_transport(ours, recorder, waiter, context=context)
    await waiter
    peer = Peer(theirs)
    transport.write(bytes(16 << 20))
    assert recorder.events == ["made", "pause"]
    await loop.run_in_executor(None, peer.read_exactly, 16 << 20)
    await recorder.until_event("resume")
    transport.pause_reading()
    peer.send_now(b"data")
    transport.resume_reading()
    await recorder.until_received(4)
    if secured:
        await loop.run_in_executor(None, theirs.unwrap)
    else:
        peer.end_writing()
    await recorder.until_lost()
    peer.close()
    order = ["given", "made", "resume", "data", "eof", "lost"]
    assert seen == list(zip(order[1:], order))
    assert variable.get() == "unset"
    # Over TLS the end may be told in a callback of its own, which has a copy.
    assert context[variable] in (("eof", "lost") if secured else ("lost",))


@pytest.mark.parametrize("family", ["tcp", "unix"])
async def test_a_servers_connections_run_in_copies_of_the_context_that_is_given(loop, family):
    context = context_of("given")
    seen = loop.create_future()

    def factory():
        assert variable.get() == "given"
        variable.set("factory")
        return Recorder(on={"data": lambda *args: seen.set_result(variable.get())})

    with socket.socket(getattr(socket, "AF_UNIX" if family == "unix" else "AF_INET")) as listener:
        listener.bind("" if family == "unix" else ("127.0.0.1", 0))
        listener.listen()
        loop._start_serving(factory, listener, None, None, 100, None, None, context=context)
        with Peer(socket.socket(listener.family)) as peer:
            peer.sock.connect(listener.getsockname())
            peer.send_now(b"x")
            assert await seen == "factory"
        loop._stop_serving(listener)
    assert context[variable] == "given"


async def test_a_datagram_endpoint_runs_in_the_context_that_is_given(loop):
    context = context_of("given")

    class Protocol(Datagrams):
        def _happened(self, name):
            seen.append((name, variable.get()))
            variable.set(name)
            super()._happened(name)

    seen = []
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    protocol = Protocol()
    transport = loop._make_datagram_transport(ours, protocol, None, context=context)
    with theirs:
        theirs.send(b"x")
        await protocol.get()
    transport.close()
    await protocol.end
    assert seen == [("made", "given"), ("datagram", "made"), ("lost", "datagram")]
    assert context[variable] == "lost"


async def test_pipes_run_in_the_context_that_is_given(loop):
    seen = []

    def note(recorder, *args):
        seen.append((recorder.events[-1], variable.get()))
        variable.set(recorder.events[-1])

    ends = os.pipe()
    reading, writing = os.fdopen(ends[0], "rb", 0), os.fdopen(ends[1], "wb", 0)
    reader_context, writer_context = context_of("reader"), context_of("writer")
    reader = Recorder(on=dict.fromkeys(("made", "data", "eof", "lost"), note))
    writer = Recorder(on=dict.fromkeys(("made", "resume", "lost"), note))
    loop._make_write_pipe_transport(writing, writer, context=writer_context)
    await writer.until_event("made")
    writer.transport.write(bytes(1 << 20))
    assert writer.events == ["made", "pause"]
    loop._make_read_pipe_transport(reading, reader, context=reader_context)
    await writer.until_event("resume")
    writer.transport.close()
    await reader.until_lost()
    await writer.until_lost()
    assert ("resume", "made") in seen
    assert ("lost", "resume") in seen
    assert ("made", "reader") in seen
    assert ("made", "writer") in seen
    assert ("eof", "data") in seen
    assert ("lost", "eof") in seen
    assert variable.get() == "unset"
    assert [reader_context[variable], writer_context[variable]] == ["lost", "lost"]


@pytest.mark.parametrize("direction", ["reader", "writer"])
async def test_watchers_run_in_the_context_that_is_given(loop, direction):
    context = context_of("given")
    first, second = socket.socketpair()
    with first, second:
        second.send(b"x")
        done = loop.create_future()

        def ready():
            getattr(loop, f"remove_{direction}")(first)
            done.set_result(variable.get())
            variable.set("ready")

        getattr(loop, f"_add_{direction}")(first.fileno(), ready, context=context)
        assert await done == "given"
    assert context[variable] == "ready"
