"""Context variables: each callback runs in the context in which it was asked for."""

from __future__ import annotations

import asyncio
import contextvars
import os
import socket
import threading

import pytest
from support.certificates import client_context, server_context
from support.peers import Peer, adopt
from support.protocols import Recorder
from support.tls import finish, secure

pytestmark = pytest.mark.io

variable = contextvars.ContextVar("variable", default="unset")


@pytest.mark.parametrize("how", ["call_soon", "call_soon_threadsafe", "call_later", "call_at"])
@pytest.mark.parametrize("debug", [False, True])
async def test_scheduled_callbacks(loop, how, debug):
    loop.set_debug(debug)
    done = loop.create_future()

    def callback():
        done.set_result(variable.get())
        variable.set("by the callback")

    variable.set("at the call")
    arguments = {"call_later": [0.001], "call_at": [loop.time() + 0.001]}.get(how, [])
    getattr(loop, how)(*arguments, callback)
    variable.set("later")
    assert await done == "at the call"
    assert variable.get() == "later"


@pytest.mark.parametrize("how", ["call_soon", "call_soon_threadsafe", "call_later", "call_at"])
async def test_a_context_can_be_given(loop, how):
    done = loop.create_future()
    context = contextvars.copy_context()
    context.run(variable.set, "given")
    arguments = {"call_later": [0.001], "call_at": [loop.time() + 0.001]}.get(how, [])
    getattr(loop, how)(*arguments, lambda: done.set_result(variable.get()), context=context)
    assert await done == "given"


async def test_a_callback_from_another_thread_has_that_threads_context(loop):
    done = loop.create_future()

    def other():
        variable.set("of the thread")
        loop.call_soon_threadsafe(lambda: done.set_result(variable.get()))

    thread = threading.Thread(target=other)
    thread.start()
    assert await done == "of the thread"
    thread.join()


@pytest.mark.parametrize("direction", ["reader", "writer"])
async def test_watchers(loop, direction):
    first, second = socket.socketpair()
    with first, second:
        second.send(b"x")
        done = loop.create_future()

        def ready():
            getattr(loop, f"remove_{direction}")(first)
            done.set_result(variable.get())

        variable.set("at the call")
        getattr(loop, f"add_{direction}")(first, ready)
        variable.set("later")
        assert await done == "at the call"


async def test_futures_and_tasks(loop):
    seen = []

    async def task():
        seen.append(variable.get())
        variable.set("by the task")
        await asyncio.sleep(0)
        seen.append(variable.get())

    future = loop.create_future()
    variable.set("at the call")
    future.add_done_callback(lambda _: seen.append(variable.get()))
    started = loop.create_task(task())
    variable.set("later")
    future.set_result(None)
    await started
    assert seen == ["at the call", "at the call", "by the task"]
    assert variable.get() == "later"


async def test_a_transports_protocol(loop):
    seen = {}

    def note(name):
        return lambda *args: seen.setdefault(name, variable.get())

    variable.set("at the making")
    transport, recorder, peer = await adopt(
        loop, lambda: Recorder(on={name: note(name) for name in ("made", "data", "eof", "lost")})
    )
    variable.set("later")
    peer.send_now(b"data")
    await recorder.until_received(4)
    peer.end_writing()
    await recorder.until_lost()
    peer.close()
    assert seen == dict.fromkeys(("made", "data", "eof", "lost"), "at the making")


async def test_a_servers_protocols(loop):
    seen = []
    lost = loop.create_future()

    def factory():
        seen.append(("factory", variable.get()))
        return Recorder(
            on={
                "made": lambda *args: seen.append(("made", variable.get())),
                "data": lambda *args: seen.append(("data", variable.get())),
                "lost": lambda *args: lost.set_result(variable.get()),
            }
        )

    variable.set("at the making")
    server = await loop.create_server(factory, "127.0.0.1", 0)
    variable.set("later")
    with Peer(socket.create_connection(server.sockets[0].getsockname())) as peer:
        peer.send_now(b"data")
        while len(seen) < 3:
            await asyncio.sleep(0)
    assert await lost == "at the making"
    assert seen == [(name, "at the making") for name in ("factory", "made", "data")]
    server.close()
    await server.wait_closed()


async def test_what_a_servers_connection_sets_is_its_own(loop):
    """From the factory to connection_lost, and no other connection sees it."""
    seen = []
    lost = [loop.create_future(), loop.create_future()]

    def factory():
        number = len(seen)
        seen.append([variable.get()])
        variable.set(f"factory {number}")
        return Recorder(on={"made": made, "data": data, "lost": gone})

    def number_of(recorder):
        return int(variable.get().split()[1])

    def made(recorder):
        number = number_of(recorder)
        seen[number].append(variable.get())
        variable.set(f"made {number}")

    def data(recorder, _):
        number = number_of(recorder)
        seen[number].append(variable.get())
        variable.set(f"data {number}")

    def gone(recorder, exc):
        number = number_of(recorder)
        seen[number].append(variable.get())
        lost[number].set_result(None)

    variable.set("server")
    server = await loop.create_server(factory, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    with Peer(socket.create_connection(address)) as one, Peer(socket.create_connection(address)) as two:
        for peer in (one, two):
            peer.send_now(b"data")
            peer.end_writing()
        await asyncio.gather(*lost)
    server.close()
    await server.wait_closed()
    assert seen == [["server", f"factory {n}", f"made {n}", f"data {n}"] for n in range(2)]
    assert variable.get() == "server"


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
async def test_resume_writing_runs_in_the_transports_context(loop, secured):
    def note(recorder):
        resumed.set_result(variable.get())

    resumed = loop.create_future()
    variable.set("at the making")
    factory = lambda: Recorder(on={"resume": note})  # noqa: E731
    transport, recorder, peer = await (secure if secured else adopt)(loop, factory)
    variable.set("later")
    loop.call_soon(transport.write, bytes(16 << 20))
    await recorder.until_event("pause")
    reading = loop.run_in_executor(None, peer.read_exactly, 16 << 20)
    await reading
    await resumed
    await finish(transport, recorder, peer)
    assert resumed.result() == "at the making"


EVENTS = ("made", "data", "resume", "eof", "lost")


async def connect(loop, over, factory):
    if over == "plain":
        return await adopt(loop, factory)
    return await secure(loop, factory)


@pytest.mark.ours("elsewhere some of them run in the context of who has resumed reading, written or closed")
@pytest.mark.parametrize("over", ["plain", "tls"])
async def test_what_a_task_asks_of_a_transport_leaves_the_context_alone(loop, over):
    """The task pauses and resumes reading, writes more than goes out at once, and closes."""
    seen = []

    def note(name):
        return lambda *args: seen.append((name, variable.get()))

    variable.set("at the making")
    transport, recorder, peer = await connect(
        loop, over, lambda: Recorder(on={name: note(name) for name in EVENTS})
    )

    async def work():
        variable.set("of the task")
        transport.pause_reading()
        await peer.send(b"data")
        while over == "tls" and not transport.get_read_buffer_size():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        transport.resume_reading()
        await recorder.until_received(4)
        transport.write(bytes(16 << 20))
        assert recorder.events[-1] == "pause"
        assert len(await peer.recv(16 << 20)) == 16 << 20
        await recorder.until_event("resume")
        peer.end_writing()
        await recorder.until_event("eof")
        transport.close()
        await recorder.until_lost()

    await loop.create_task(work())
    peer.close()
    assert seen == [(name, "at the making") for name in EVENTS]


@pytest.mark.ours("elsewhere it runs in the context of who closes")
async def test_an_end_of_tls_that_close_finds(loop):
    seen = []
    variable.set("at the making")
    on = {"eof": lambda *args: seen.append(variable.get())}
    transport, recorder, peer = await secure(loop, lambda: Recorder(on=on))
    transport.pause_reading()

    def say_goodbye():
        peer.sock.settimeout(None)
        peer.sock.unwrap().close()

    leaving = loop.run_in_executor(None, say_goodbye)
    while not transport.get_read_buffer_size():
        await asyncio.sleep(0)

    async def work():
        variable.set("of the task")
        transport.close()

    await loop.create_task(work())
    await recorder.until_lost()
    await leaving
    assert seen == ["at the making"]
    assert recorder.events == ["made", "eof", "lost"]


@pytest.mark.ours("elsewhere it runs in the context of who calls start_tls")
async def test_an_upgraded_connection_keeps_its_context(loop):
    seen = []
    ours, theirs = socket.socketpair()
    other_transport, other = await loop.create_connection(Recorder, sock=theirs)
    variable.set("at the making")
    on = {name: lambda *args: seen.append(variable.get()) for name in ("data", "lost")}
    transport, recorder = await loop.create_connection(lambda: Recorder(on=on), sock=ours)
    variable.set("at the upgrade")
    transport, other_transport = await asyncio.gather(
        loop.start_tls(transport, recorder, server_context(), server_side=True),
        loop.start_tls(other_transport, other, client_context(), server_hostname="localhost"),
    )
    other_transport.write(b"data")
    await recorder.until_received(4)
    transport.close()
    await recorder.until_lost()
    await other.until_lost()
    assert seen == ["at the making"] * 2


@pytest.mark.ours("elsewhere it runs in the context of who has written")
async def test_writing_to_a_pipe_resumes_in_its_context(loop):
    seen = []
    reading, writing = os.pipe()
    variable.set("at the making")
    on = {"resume": lambda *args: seen.append(variable.get())}
    transport, recorder = await loop.connect_write_pipe(
        lambda: Recorder(on=on),
        open(writing, "wb", 0),  # noqa: SIM115  # the transport's
    )
    variable.set("later")
    transport.write(bytes(1 << 20))
    with open(reading, "rb") as file:
        assert await loop.run_in_executor(None, file.read, 1 << 20) == bytes(1 << 20)
        await recorder.until_event("resume")
        transport.close()
        await recorder.until_lost()
    assert seen == ["at the making"]
