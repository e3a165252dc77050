"""asyncssh: its server and its client on one loop."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import pytest

if sys.implementation.name == "pypy":
    pytest.skip("asyncssh needs cryptography, which has no wheel for this PyPy", allow_module_level=True)

import asyncssh

pytestmark = pytest.mark.timeout(60)
# Made once: RSA would take its time.
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
CLIENT_KEY = asyncssh.generate_private_key("ssh-ed25519")


class Server(asyncssh.SSHServer):
    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return password == "for tests"

    def connection_requested(self, *addresses):
        return True  # port forwarding

    def unix_connection_requested(self, path):
        return True


async def command(process):
    """What the server does for the commands that the tests send."""
    name, _, argument = process.command.partition(" ")
    if name == "echo":
        process.stdout.write(argument.encode())
    elif name == "cat":
        while data := await process.stdin.read(65536):
            process.stdout.write(data)
            await process.stdout.drain()
    elif name == "many":
        for _ in range(int(argument)):
            process.stdout.write(b"m" * 65536)
            await process.stdout.drain()
    elif name == "wait":
        process.stdout.write(b"waiting")
        await process.stdin.read()
    elif name == "drop":
        process.channel.get_connection().abort()
    else:
        process.stderr.write(b"no such command")
        process.exit(127)
        return
    process.exit(0)


@contextlib.asynccontextmanager
async def serving(**options):
    keys = asyncssh.import_authorized_keys(CLIENT_KEY.export_public_key().decode())
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Server,
        server_host_keys=[HOST_KEY],
        authorized_client_keys=keys,
        process_factory=command,
        encoding=None,
        **options,
    )
    async with server:
        yield server.get_port()


def connect(port, **options):
    known = asyncssh.import_known_hosts(f"[127.0.0.1]:{port} {HOST_KEY.export_public_key().decode()}")
    settings = {
        "username": "tester",
        "client_keys": [CLIENT_KEY],
        "known_hosts": known,
        "config": None,
        **options,
    }
    return asyncssh.connect("127.0.0.1", port, **settings)


@contextlib.asynccontextmanager
async def connected(**options):
    async with serving(**options) as port, connect(port) as connection:
        yield connection


async def test_a_command_and_its_exit_status(loop):
    async with connected() as connection:
        done = await connection.run("echo hello", encoding=None)
        assert (done.exit_status, done.stdout, done.stderr) == (0, b"hello", b"")
        done = await connection.run("unheard of", encoding=None)
        assert (done.exit_status, done.stdout, done.stderr) == (127, b"", b"no such command")


async def test_a_password(loop):
    async with serving() as port:
        async with connect(port, client_keys=None, password="for tests") as connection:
            assert (await connection.run("echo in", encoding=None)).stdout == b"in"
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(port, client_keys=None, password="guessed")


async def test_a_host_key_that_is_not_the_known_one(loop):
    async with serving() as port:
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            await connect(port, known_hosts=asyncssh.import_known_hosts(f"[127.0.0.1]:{port} {other}"))


async def test_much_output(loop):
    async with connected() as connection:
        done = await connection.run("many 128", encoding=None)
    assert done.stdout == b"m" * 65536 * 128


async def test_much_input_comes_back(loop):
    payload = bytes(range(256)) * (16 << 10)
    async with connected() as connection:
        done = await connection.run("cat", input=payload, encoding=None)
    assert done.stdout == payload


async def test_many_sessions_over_one_connection(loop):
    async with connected() as connection:
        done = await asyncio.gather(*(connection.run(f"echo {n}", encoding=None) for n in range(50)))
    assert [each.stdout for each in done] == [b"%d" % number for number in range(50)]


async def test_many_connections(loop):
    async with serving() as port:

        async def ask(number):
            async with connect(port) as connection:
                return (await connection.run(f"echo {number}", encoding=None)).stdout

        assert await asyncio.gather(*map(ask, range(20))) == [b"%d" % number for number in range(20)]


async def test_files_by_sftp(loop, tmp_path):
    payload = bytes(range(256)) * (8 << 10)
    (tmp_path / "local").write_bytes(payload)
    async with connected(sftp_factory=True) as connection, connection.start_sftp_client() as client:
        await client.put(tmp_path / "local", tmp_path / "remote")
        await client.get(tmp_path / "remote", tmp_path / "back")
        assert (await client.stat(str(tmp_path / "remote"))).size == len(payload)
        assert {"local", "remote", "back"} <= set(await client.listdir(str(tmp_path)))
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await client.get(tmp_path / "missing", tmp_path / "x")
    assert (tmp_path / "back").read_bytes() == payload


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def talk(reader, writer):
    payload = bytes(range(256)) * 1024
    writer.write(payload)
    writer.write_eof()
    assert await reader.read() == payload
    writer.close()
    await writer.wait_closed()


async def test_a_forwarded_port(loop):
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as target, connected() as connection:
        port = target.sockets[0].getsockname()[1]
        async with connection.forward_local_port("127.0.0.1", 0, "127.0.0.1", port) as forwarder:
            for _ in range(5):
                await talk(*await asyncio.open_connection("127.0.0.1", forwarder.get_port()))


async def test_a_forwarded_path(loop, tmp_path):
    near, far = str(tmp_path / "near"), str(tmp_path / "far")
    async with await asyncio.start_unix_server(echo, far), connected() as connection:
        forwarder = await connection.forward_local_path(near, far)
        await talk(*await asyncio.open_unix_connection(near))
        forwarder.close()
        await forwarder.wait_closed()


async def test_a_cancelled_command_leaves_a_usable_connection(loop):
    async with connected() as connection:
        process = await connection.create_process("wait", encoding=None)
        assert await process.stdout.readexactly(7) == b"waiting"
        task = loop.create_task(process.wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        process.close()
        assert (await connection.run("echo on", encoding=None)).stdout == b"on"


async def test_a_server_that_drops_the_connection(loop):
    async with connected() as connection:
        done = await connection.run("drop", encoding=None)
        assert done.exit_status is None
        await connection.wait_closed()
        with pytest.raises(asyncssh.Error):
            await connection.run("echo", encoding=None)
