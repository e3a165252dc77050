"""Certificates for the TLS tests, made when first asked for by the openssl command."""

from __future__ import annotations

import atexit
import functools
import shutil
import ssl
import subprocess
import tempfile
import threading
from pathlib import Path

# Two threads may ask for the first time at once, and a cache alone would let both make it.
_making = threading.RLock()


@functools.cache
def directory() -> Path:
    path = Path(tempfile.mkdtemp(prefix="csploop-tls-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def certificate(name: str, *addresses: str) -> tuple[str, str]:
    """A self-signed certificate for the addresses (as in subjectAltName): its file and its key's."""
    with _making:
        return _made_once(name, *addresses)


@functools.cache
def _made_once(name: str, *addresses: str) -> tuple[str, str]:
    # Texts: PyPy's ssl takes no Path.
    pem, key = str(directory() / f"{name}.pem"), str(directory() / f"{name}.key")
    options = [f"-addext=subjectAltName={','.join(addresses)}"] if addresses else []
    options.append("-addext=keyUsage=critical,digitalSignature,keyCertSign")
    arguments = [word for option in options for word in option.split("=", 1)]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-keyout", key, "-out", pem, "-days", "2", "-subj", f"/CN={name}", *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )
    return pem, key


def server_certificate() -> tuple[str, str]:
    return certificate("server", "DNS:localhost", "IP:127.0.0.1")


def server_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*server_certificate())
    return context


def client_context() -> ssl.SSLContext:
    """One that trusts the server's certificate and nothing else."""
    return ssl.create_default_context(cafile=server_certificate()[0])
