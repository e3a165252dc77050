"""What was written leaves when the program ends."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap

import pytest

pytestmark = [pytest.mark.io, pytest.mark.ours("csploop gathers writes, so that it has to promise this")]

PROLOGUE = """
import asyncio, socket, sys
sys.path[:0] = {path!r}
from support.kinds import KINDS
from support.protocols import Recorder
loop = KINDS[{kind!r}].new()

async def connect():
    sock = socket.socket(fileno={fd})
    sock.setblocking(False)
    return (await loop.connect_accepted_socket(Recorder, sock))[0]

transport = loop.run_until_complete(connect())
"""

ENDINGS = {
    "exit_inside_a_callback": """
        def callback():
            transport.write(b"last words")
            sys.exit(0)
        loop.call_soon(callback)
        loop.run_forever()
    """,
    "end_of_the_program_without_close": """
        transport.write(b"last words")
    """,
    "close_of_the_loop": """
        transport.write(b"last words")
        loop.close()
    """,
    "an_error_that_ends_the_program": """
        def callback():
            transport.write(b"last words")
            raise KeyboardInterrupt
        loop.call_soon(callback)
        loop.run_forever()
    """,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_last_words_arrive(loop_kind, ending):
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            program = PROLOGUE.format(path=sys.path, kind=loop_kind.name, fd=theirs.fileno())
            subprocess.run(
                [sys.executable, "-W", "ignore", "-c", program + textwrap.dedent(ENDINGS[ending])],
                pass_fds=[theirs.fileno()],
                stderr=subprocess.DEVNULL,
                timeout=50,
            )
        ours.settimeout(10)
        assert ours.recv(100) == b"last words"
