"""get_extra_info("socket") and ("pipe"): what is done there comes behind what was written before."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from asyncio import trsock

import pytest
from support.datagrams import bound, connected
from support.peers import Peer, adopt, tcp_pair
from support.protocols import Recorder
from support.tls import finish, secure

pytestmark = pytest.mark.io

STREAMS = pytest.mark.parametrize("name", ["tcp", "unix"])


async def end(transport, recorder, peer):
    transport.close()
    await recorder.until_lost()
    peer.close()


@STREAMS
async def test_shutdown_comes_behind_what_was_written(loop, name):
    transport, recorder, peer = await adopt(loop, Recorder, name)
    sock = transport.get_extra_info("socket")
    transport.write(b"written")
    sock.shutdown(socket.SHUT_WR)
    assert await peer.recv_end() == b"written"
    await end(transport, recorder, peer)


COPIES = {
    "dup": lambda sock: sock.dup(),
    "fileno": lambda sock: socket.socket(fileno=os.dup(sock.fileno())),
    "fromfd": lambda sock: socket.fromfd(sock.fileno(), sock.family, sock.type),
}


@STREAMS
@pytest.mark.parametrize("copy", COPIES)
async def test_the_order_is_kept_with_what_goes_through_a_copy(loop, name, copy):
    transport, recorder, peer = await adopt(loop, Recorder, name)
    transport.write(b"1")
    sock = transport.get_extra_info("socket")
    with COPIES[copy](sock) as twin:
        for digit in (2, 4, 6):
            transport.write(b"%d" % digit)
            transport.writelines([b"%d" % (digit + 1)])
            twin.send(b".")
        transport.write(b"8")
        twin.shutdown(socket.SHUT_WR)
    assert await peer.recv_end() == b"123.45.67.8"
    await end(transport, recorder, peer)


@STREAMS
async def test_the_order_is_kept_with_what_the_descriptor_sends(loop, name):
    transport, recorder, peer = await adopt(loop, Recorder, name)
    fd = transport.get_extra_info("socket").fileno()
    transport.write(b"before,")
    os.write(fd, b"between,")
    transport.write(b"after")
    assert await peer.recv(20) == b"before,between,after"
    await end(transport, recorder, peer)


async def test_a_full_kernel_keeps_the_rest_with_the_transport(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    with transport.get_extra_info("socket").dup():
        for _ in range(64):
            transport.write(bytes(1 << 18))
        assert recorder.events[-1] == "pause"
        assert await peer.recv(64 << 18) == bytes(64 << 18)
        await recorder.until_event("resume")
        transport.write(b"end")
        assert await peer.recv(3) == b"end"
    await end(transport, recorder, peer)


@pytest.mark.skipif(not hasattr(trsock.TransportSocket, "send"), reason="asyncio's has no send any more")
async def test_send_comes_behind_what_was_written(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    sock = transport.get_extra_info("socket")
    transport.write(b"before,")
    with pytest.warns(DeprecationWarning):
        sock.send(b"after")
    assert await peer.recv(12) == b"before,after"
    await end(transport, recorder, peer)


@pytest.mark.parametrize("taken", ["before", "later"])
async def test_the_end_below_tls_comes_behind_what_was_written(loop, taken):
    transport, recorder, peer = await secure(loop, Recorder)
    sock = transport.get_extra_info("socket")
    if taken == "before":
        sock.fileno()
    transport.write(b"written,")
    transport.write(b"again")
    sock.shutdown(socket.SHUT_WR)
    assert await loop.run_in_executor(None, peer.read_exactly, 13) == b"written,again"
    await finish(transport, recorder, peer)


async def test_tls_writes_at_once_when_the_descriptor_is_out(loop):
    transport, recorder, peer = await secure(loop, Recorder)
    with transport.get_extra_info("socket").dup() as twin:
        transport.write(b"written")
        twin.shutdown(socket.SHUT_WR)
        assert await loop.run_in_executor(None, peer.read_exactly, 7) == b"written"
    await finish(transport, recorder, peer)


@pytest.mark.parametrize("how", ["fetched", "copied"])
async def test_datagrams_keep_their_order(loop, how):
    receiver = await bound(loop)
    sender = await connected(loop, receiver)
    if how == "fetched":
        sender.transport.sendto(b"1")
    sock = sender.transport.get_extra_info("socket")
    if how == "copied":
        with sock.dup() as twin:
            sender.transport.sendto(b"1")
            twin.send(b"2")
            sender.transport.sendto(b"3")
    else:
        os.write(sock.fileno(), b"2")
        sender.transport.sendto(b"3")
    await receiver.until(lambda: len(receiver.received) == 3)
    assert [data for data, _ in receiver.received] == [b"1", b"2", b"3"]
    for each in (sender, receiver):
        each.transport.close()
        await each.end


async def test_pipes_keep_their_order(loop):
    reading, writing = os.pipe()
    with open(reading, "rb") as other_end:
        file = open(writing, "wb", 0)  # noqa: SIM115  # the transport's
        transport, recorder = await loop.connect_write_pipe(Recorder, file)
        transport.write(b"1")
        file.write(b"2")  # a terminal's prompt and what is printed there, say
        transport.write(b"3")
        transport.close()
        await recorder.until_lost()
        assert other_end.read() == b"123"


async def test_a_childs_input_keeps_its_order(loop):
    code = "import sys; sys.stdout.write(sys.stdin.read())"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child.stdin.write(b"1")
    pipe = child.stdin.get_extra_info("pipe")
    os.write(pipe.fileno(), b"2")
    child.stdin.write(b"3")
    os.write(pipe.fileno(), b"4")
    assert (await child.communicate(b"5"))[0] == b"12345"


async def test_a_childs_input_keeps_its_order_with_what_its_popen_writes(loop):
    code = "import sys; sys.stdout.write(sys.stdin.read())"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child.stdin.write(b"1")
    popen = child._transport.get_extra_info("subprocess")
    for digit in (b"2", b"4"):
        os.write(popen.stdin.fileno(), digit)
        child.stdin.write(b"%d" % (int(digit) + 1))
    assert (await child.communicate(b"6"))[0] == b"123456"


@pytest.mark.parametrize("name", ["tcp", "unix", "udp"])
async def test_it_is_asyncios_and_looks_alike(loop, name):
    if name == "udp":
        protocol = await bound(loop)
        transport, ended = protocol.transport, protocol.end
    else:
        transport, recorder, peer = await adopt(loop, Recorder, name)
        ended = loop.create_task(recorder.until_lost())
    sock = transport.get_extra_info("socket")
    assert isinstance(sock, trsock.TransportSocket)
    with sock.dup() as twin:
        plain = trsock.TransportSocket(twin)
        assert repr(sock) == repr(plain).replace(f"fd={twin.fileno()}", f"fd={sock.fileno()}")
        for ask in ("getsockname", "get_inheritable", "gettimeout"):
            assert getattr(sock, ask)() == getattr(plain, ask)()
        for value in ("family", "type", "proto"):
            assert getattr(sock, value) == getattr(plain, value)
        option = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        sock.setsockopt(*option, 1)
        assert sock.getsockopt(*option) == plain.getsockopt(*option) != 0
    if name != "udp":
        assert sock.getpeername() == transport.get_extra_info("peername")
        peer.close()
    transport.close()
    await ended
    assert sock.fileno() == -1 and "fd=-1" in repr(sock)
    with pytest.raises(OSError):
        sock.getsockname()
    with pytest.raises(OSError):
        sock.shutdown(socket.SHUT_WR)
    with pytest.raises(TypeError):
        sock.__getstate__()


@pytest.mark.ours("others send each write at once")
async def test_who_only_looks_does_not_send(loop):
    sent = []
    transport, recorder, peer = await adopt(loop, Recorder)
    sock = transport.get_extra_info("socket")
    # As libraries do when a connection is made.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport.write(b"head")
    for look in (sock.getpeername, sock.getsockname, lambda: (repr(sock), sock.family, sock.type)):
        look()
        sent.append(not peer.nothing_waits())
    transport.write(b"body")
    sent.append(not peer.nothing_waits())
    assert sent == [False] * 4
    assert await peer.recv(8) == b"headbody"
    await end(transport, recorder, peer)


@pytest.mark.ours("others send each write at once")
async def test_another_thread_may_have_it(loop):
    transport, recorder, peer = await adopt(loop, Recorder)
    sock = transport.get_extra_info("socket")
    transport.write(b"written")
    fd, name = await loop.run_in_executor(None, lambda: (sock.fileno(), sock.getsockname()))
    assert (fd, name) == (sock.fileno(), sock.getsockname())
    assert await peer.recv(7) == b"written"
    await end(transport, recorder, peer)


@pytest.mark.ours("others send each write at once")
async def test_another_thread_may_take_it_from_under_tls(loop):
    transport, recorder, peer = await secure(loop, Recorder)
    sock = transport.get_extra_info("socket")
    transport.write(b"written")
    thread = threading.Thread(target=sock.fileno)
    thread.start()
    thread.join()  # in this very turn
    assert await loop.run_in_executor(None, peer.read_exactly, 7) == b"written"
    assert not transport.get_write_buffer_size()
    await finish(transport, recorder, peer)


async def test_it_outlives_the_loop(loop):
    inner = type(loop)()
    ours, theirs = tcp_pair()
    ours.setblocking(False)

    def work():
        async def make():
            return await inner.create_connection(asyncio.Protocol, sock=ours)

        transport, _ = inner.run_until_complete(make())
        sock = transport.get_extra_info("socket")
        transport.abort()
        inner.run_until_complete(asyncio.sleep(0))
        inner.run_until_complete(asyncio.sleep(0))
        inner.close()
        return sock

    sock = await loop.run_in_executor(None, work)
    assert sock.fileno() == -1
    theirs.close()


# An end of the process without an end of the loop

ENDS = {
    "os._exit": "os._exit(0)",
    "os.execv": "os.execv(sys.executable, [sys.executable, '-c', ''])",
    "os.abort": "os.abort()",
    "SIGKILL": "os.kill(os.getpid(), 9)",
}
PROGRAM = """
import asyncio, os, sys, csploop

async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", {port})
    writer.write(b"written")
    {before}
    {end}

csploop.Loop({options}).run_until_complete(main())
"""
BEFORE = {
    "a turn": ("", "await writer.drain(); await asyncio.sleep(0)"),
    "the socket": ("", "await writer.drain(); writer.get_extra_info('socket')"),
    "immediate": ("write='immediate'", "await writer.drain()"),
    "closing": ("", "writer.close(); await writer.wait_closed()"),
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("before", BEFORE)
def test_what_the_documents_say_to_do_before_the_process_ends_at_once(how, before):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options, call = BEFORE[before]
        port = listener.getsockname()[1]
        program = PROGRAM.format(port=port, before=call, end=ENDS[how], options=options)
        with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) as child:
            connection, _ = listener.accept()
            with Peer(connection) as peer:
                assert peer.read_to_end() == b"written"
            child.wait(timeout=60)
