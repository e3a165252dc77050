"""Servers that the tests here share: the first test that wants one starts it, the end of the run stops it."""

from __future__ import annotations

import pytest
import servers


@pytest.fixture(scope="session")
def redis_address():
    with servers.redis_server() as address:
        yield address


@pytest.fixture(scope="session")
def postgresql_address(certificate):
    with servers.postgresql(password="for tests", certificate=certificate) as address:
        yield address


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """PEM files, (certificate, key), of a server at 127.0.0.1 that vouches for itself."""
    directory = tmp_path_factory.mktemp("certificate")
    return servers.make_certificate(directory / "certificate.pem", directory / "key.pem")
