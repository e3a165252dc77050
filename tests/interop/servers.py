"""Database servers of the system, each with its data in a directory of its own, while tests run."""

from __future__ import annotations

import collections
import contextlib
import glob
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 30
STOP_SECONDS = 20
ATTEMPTS = 5
# The words that are waited for are English.
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


class PortTaken(Exception):
    """Somebody took the port between our look and the server's bind."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    directory: str
    """Where the server's Unix socket lies."""


def find(program: str, package: str) -> str:
    """The path of a server. Debian keeps PostgreSQL's out of PATH, in a directory for each version."""
    places = [shutil.which(program), *sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{program}"), reverse=True)]
    for place in places:
        if place and os.path.exists(place):
            return place
    raise FileNotFoundError(
        f"{program} is not installed; `tools/system_packages.sh tests` installs it (Debian: {package})"
    )


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running(command, ready, stop, **options):
    """Runs a server: up once its output has a line that matches `ready`, ended by the signal `stop`."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=ENVIRONMENT,
        **options,
    ) as process:
        output: collections.deque[str] = collections.deque(maxlen=50)
        up = threading.Event()
        is_ready = False

        def read():
            nonlocal is_ready
            for line in process.stdout:
                output.append(line)
                if re.search(ready, line):
                    is_ready = True
                    up.set()
            up.set()

        reader = threading.Thread(target=read, name=f"output of {command[0]}", daemon=True)
        reader.start()
        try:
            up.wait(START_SECONDS)
            if not is_ready:
                process.kill()
                reader.join(STOP_SECONDS)
                text = "".join(output)
                if "in use" in text:
                    raise PortTaken
                raise RuntimeError(f"{command[0]} did not start:\n{text}")
            yield
        finally:
            process.send_signal(stop)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            reader.join(STOP_SECONDS)


@contextlib.contextmanager
def on_a_free_port(command_for, ready, stop, directory, **options):
    for _ in range(ATTEMPTS):
        address = Address("127.0.0.1", free_port(), directory)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(running(command_for(address), ready, stop, **options))
            except PortTaken:
                continue
            yield address
            return
    raise RuntimeError(f"the ports of {ATTEMPTS} attempts were all taken")


@contextlib.contextmanager
def temporary_directory():
    """Not below pytest's own, which only the user who runs the tests may enter."""
    path = tempfile.mkdtemp(prefix="csploop-")
    try:
        yield path
    finally:
        shutil.rmtree(path)


def make_certificate(certificate, key):
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    extensions = [
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "keyUsage=critical,digitalSignature,keyCertSign",
    ]
    subprocess.run(
        [
            *(find("openssl", "openssl"), "req", *options, "-subj", "/CN=localhost"),
            *(word for extension in extensions for word in ("-addext", extension)),
            *("-out", certificate, "-keyout", key),
        ],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=START_SECONDS,
    )
    return str(certificate), str(key)  # PyPy's ssl takes no Path


def other_user():
    """Options for subprocess: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def redis_server():
    program = find("redis-server", "redis-server")
    with temporary_directory() as directory:

        def command(address):
            settings = {
                "port": address.port,
                "bind": address.host,
                "unixsocket": f"{directory}/redis.sock",
                "dir": directory,
                "save": "",
                "appendonly": "no",
            }
            return [program, *(str(word) for name in settings for word in (f"--{name}", settings[name]))]

        # Of Redis 7 and 8: its Unix socket is the last that it tells of.
        ready = "ccept connections (at|unix)"
        with on_a_free_port(command, ready, signal.SIGTERM, directory) as address:
            yield address


@contextlib.contextmanager
def postgresql(password, certificate):
    """A cluster whose user `tester` needs the password. It speaks TLS to those who ask for it."""
    programs = [find(name, "postgresql") for name in ("initdb", "postgres")]
    who = other_user()
    with temporary_directory() as directory:
        password_file = Path(directory, "password")
        password_file.write_text(password)
        settings = ["fsync=off", "listen_addresses=127.0.0.1", f"unix_socket_directories={directory}"]
        settings.append("ssl=on")
        for name, source in zip(("ssl_cert_file", "ssl_key_file"), certificate):
            copy = shutil.copy(source, directory)
            os.chmod(copy, 0o600)
            settings.append(f"{name}={copy}")
        if who:
            for path in (directory, *map(str, Path(directory).iterdir())):
                os.chown(path, who["user"], who["group"])
        data = f"{directory}/data"
        options = ["--username=tester", "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync"]
        subprocess.run(
            [programs[0], "-D", data, *options],
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=START_SECONDS,
            env=ENVIRONMENT,
            cwd=directory,
            **who,
        )

        def command(address):
            options = [word for setting in settings for word in ("-c", setting)]
            return [programs[1], "-D", data, "-p", str(address.port), *options]

        # SIGINT: end the sessions, then shut down.
        ready, stop = "ready to accept connections", signal.SIGINT
        with on_a_free_port(command, ready, stop, directory, cwd=directory, **who) as address:
            yield address
