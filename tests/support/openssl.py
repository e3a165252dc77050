"""The openssl command as the other end of a TLS 1.2 connection: it can be told to renegotiate.

It sends what comes to its input, but for pieces that begin with one of its command letters, and mixes what it
receives with its own words in its output. So test data is of bytes above 127, which it never says itself. Its
methods block: they belong in a thread, one for each direction.
"""

from __future__ import annotations

import subprocess
import threading

from support.certificates import server_certificate

FINISHED = b", Finished"  # two in each handshake's trace
ASCII = bytes(range(128))
TIMEOUT = 45  # seconds until a wait gives up; only a failing test gets there


class OpenSSL:
    """s_client, which connects to `port`, or without a port s_server, which waits for one client."""

    def __init__(self, port: int | None = None) -> None:
        pem, key = server_certificate()
        if port is None:
            words = ["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-cert", pem, "-key", key]
            self.letter = b"r"
        else:
            words = ["s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", pem, "-servername", "localhost"]
            self.letter = b"R"
        self.process = subprocess.Popen(
            ["openssl", *words, "-tls1_2", "-msg"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        self.said = b""
        self.data = b""
        self.ended = False
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while True:
            piece = self.process.stdout.read(1 << 16)
            with self.changed:
                self.said += piece.translate(None, bytes(range(128, 256)))
                self.data += piece.translate(None, ASCII)
                self.ended = not piece
                self.changed.notify_all()
            if not piece:
                return

    def port(self) -> int:
        """Where s_server listens."""
        self._wait(lambda: b"ACCEPT 127.0.0.1:" in self.said and self.said.endswith(b"\n"))
        return int(self.said.split(b"ACCEPT 127.0.0.1:")[1].split()[0])

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view) :]

    def received(self, count: int) -> bytes:
        """Waits for that many bytes of data and gives all there are."""
        self._wait(lambda: len(self.data) >= count)
        return self.data

    def renegotiate(self) -> None:
        """Asks for a new handshake; what was sent before must have been received."""
        self.send(self.letter + b"\n")

    def handshakes(self, count: int) -> None:
        """Waits until there were that many."""
        self._wait(lambda: self.said.count(FINISHED) >= 2 * count)

    def words(self, words: bytes) -> None:
        """Waits until it has said that."""
        self._wait(lambda: words in self.said)

    def _wait(self, test: object) -> None:
        assert callable(test)
        with self.changed:
            self.changed.wait_for(lambda: test() or self.ended, TIMEOUT)
            assert test(), self.said[-2000:]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
