"""A server that runs out of file descriptors pauses, says so, and recovers."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

resource = pytest.importorskip("resource", reason="this system has no limits on descriptors to lower")

pytestmark = pytest.mark.io

PROGRAM = """
import asyncio, errno, resource, socket, sys
sys.path[:0] = {path!r}
from support.kinds import KINDS
from support.protocols import Echo

LIMIT = 80
resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
reports = []


async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reports.append(context))
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=100)
    address = server.sockets[0].getsockname()
    # Clients and accepted sockets share the limit, so it is reached about half-way.
    clients = []
    try:
        while True:
            sock = socket.create_connection(address)
            sock.setblocking(False)
            clients.append(sock)
            await asyncio.sleep(0)
    except OSError as error:
        assert error.errno == errno.EMFILE, error
    while not reports:
        await asyncio.sleep(0)
    report = reports[0]
    assert report["message"].startswith("socket.accept() out of system resource"), report
    assert report["exception"].errno in (errno.EMFILE, errno.ENFILE), report
    assert "socket" in report
    count = len(reports)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(reports) == count, "it must not report in every turn"
    # Those that were accepted are served meanwhile.
    await loop.sock_sendall(clients[0], b"served")
    assert await loop.sock_recv(clients[0], 6) == b"served"
    # With room again, those that waited in the queue are accepted and served.
    waiting = clients.pop()
    for sock in clients:
        sock.close()
    await loop.sock_sendall(waiting, b"waited")
    assert await asyncio.wait_for(loop.sock_recv(waiting, 6), 15) == b"waited"
    waiting.close()
    server.close()
    await server.wait_closed()

loop = KINDS[{kind!r}].new()
loop.run_until_complete(main())
loop.run_until_complete(asyncio.sleep(0.01))
loop.close()
print("recovered")
"""


def test_at_the_limit_accepting_pauses_and_goes_on_later(loop_kind):
    program = textwrap.dedent(PROGRAM).format(path=sys.path, kind=loop_kind.name)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "recovered\n"


def test_a_loop_that_cannot_be_made_is_an_os_error(loop_kind):
    program = f"""
    import errno, os, resource, sys
    sys.path[:0] = {sys.path!r}
    from support.kinds import KINDS
    new = KINDS[{loop_kind.name!r}].new
    new().close()
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        pass
    try:
        new().close()
    except OSError as error:
        assert error.errno == errno.EMFILE, error
    else:
        raise SystemExit("it was made without a descriptor")
    for fd in taken:
        os.close(fd)
    new().close()
    print("recovered")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "recovered\n"


@pytest.mark.ours("asyncio leaves its selector open")
def test_a_loop_that_cannot_be_made_leaves_nothing_open(loop_kind):
    """Also the first of a process, for which libuv opens more than for the others."""
    program = f"""
    import gc, os, resource, sys
    sys.path[:0] = {sys.path!r}
    from support.kinds import KINDS
    new = KINDS[{loop_kind.name!r}].new
    os.fstat(0)
    limit = 60
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    def is_open(fd):
        try:
            os.fstat(fd)
        except OSError:
            return False
        return True

    refused = 0
    for spare in range(12):
        taken = []
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            pass
        for _ in range(spare):
            os.close(taken.pop())
        before = [fd for fd in range(limit) if is_open(fd)]
        try:
            loop = new()
        except OSError:
            refused += 1
            gc.collect()
            assert [fd for fd in range(limit) if is_open(fd)] == before, spare
        else:
            loop.close()
        for fd in taken:
            os.close(fd)
    assert 0 < refused < 12, refused
    print("nothing is left")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "nothing is left\n"
