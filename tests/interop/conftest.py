"""Servers that the tests here share: the first test that wants one starts it, the end of the run stops it."""

from __future__ import annotations

import pytest
import servers


@pytest.fixture(scope="session")
def redis_address():
    with servers.redis_server() as address:
        yield address


@pytest.fixture(scope="session")
def postgresql_address():
    with servers.postgresql(password="for tests") as address:
        yield address
