"""asyncpg against a PostgreSQL server."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import decimal
import sys

import pytest

if sys.implementation.name == "pypy":
    pytest.skip("asyncpg is written for CPython's C API", allow_module_level=True)

import asyncpg

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def connect(postgresql_address):
    @contextlib.asynccontextmanager
    async def connect(host=None, password="for tests", **options):
        connection = await asyncpg.connect(
            host=host or postgresql_address.host,
            port=postgresql_address.port,
            user="tester",
            password=password,
            database="postgres",
            **options,
        )
        try:
            yield connection
        finally:
            await connection.close()

    return connect


VALUES = [
    ("int", 1 << 30),
    ("bigint", -(1 << 62)),
    ("numeric", decimal.Decimal("12345678901234567890.123456789")),
    ("float8", 0.1),
    ("text", "tëxt ✓"),
    ("bytea", bytes(range(256))),
    ("timestamptz", datetime.datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)),
    ("int[]", [1, 2, None]),
    ("bool", None),
]


async def test_values_of_many_types_come_back(loop, connect):
    async with connect() as connection:
        for name, value in VALUES:
            assert await connection.fetchval(f"select $1::{name}", value) == value


async def test_over_the_unix_socket(loop, connect, postgresql_address):
    async with connect(host=postgresql_address.directory) as connection:
        assert await connection.fetchval("select inet_server_addr()") is None
        assert await connection.fetchval("select 1") == 1


async def test_a_wrong_password(loop, connect):
    with pytest.raises(asyncpg.InvalidPasswordError):
        async with connect(password="guessed"):
            pass


async def test_a_large_result(loop, connect):
    async with connect() as connection:
        rows = await connection.fetch("select i, repeat('x', 1000) as t from generate_series(1, 10000) as i")
    assert [row["i"] for row in rows] == list(range(1, 10001))
    assert {row["t"] for row in rows} == {"x" * 1000}


async def test_a_cursor_fetches_bit_by_bit(loop, connect):
    async with connect() as connection, connection.transaction():
        cursor = connection.cursor("select i from generate_series(1, 2000) as i", prefetch=50)
        assert [row["i"] async for row in cursor] == list(range(1, 2001))


async def test_rows_are_copied_in_and_out(loop, connect):
    rows = [(number, f"row {number} " + "x" * 200) for number in range(20000)]
    async with connect() as connection:
        await connection.execute("create temp table copied (number int, text text)")
        assert await connection.copy_records_to_table("copied", records=rows) == "COPY 20000"
        received = bytearray()

        async def take(data):
            received.extend(data)

        await connection.copy_from_query("select * from copied order by number", output=take)
    assert received.decode().splitlines() == [f"{number}\t{text}" for number, text in rows]


async def test_a_failed_transaction_is_rolled_back(loop, connect):
    async with connect() as connection:
        await connection.execute("create temp table numbers (n int primary key)")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with connection.transaction():
                await connection.execute("insert into numbers values (1)")
                await connection.execute("insert into numbers values (1)")
        assert await connection.fetchval("select count(*) from numbers") == 0


async def test_a_pool_serves_more_tasks_than_it_has_connections(loop, postgresql_address):
    async with asyncpg.create_pool(
        host=postgresql_address.host,
        port=postgresql_address.port,
        user="tester",
        password="for tests",
        database="postgres",
        min_size=2,
        max_size=5,
    ) as pool:

        async def ask(number):
            async with pool.acquire() as connection:
                return await connection.fetchrow("select $1::int, pg_backend_pid() as pid", number)

        rows = await asyncio.gather(*(ask(number) for number in range(200)))
    assert [row[0] for row in rows] == list(range(200))
    assert 2 <= len({row["pid"] for row in rows}) <= 5


async def test_notifications_arrive_in_order(loop, connect):
    async with connect() as listener, connect() as sender:
        received, complete = [], loop.create_future()

        def take(connection, pid, channel, payload):
            received.append(payload)
            if payload == "99":
                complete.set_result(None)

        await listener.add_listener("news", take)
        for number in range(100):
            await sender.execute("select pg_notify('news', $1)", str(number))
        await complete
        assert received == [str(number) for number in range(100)]
        await listener.remove_listener("news", take)


async def test_a_query_that_takes_too_long_is_cancelled_on_the_server(loop, connect):
    async with connect() as connection, connect() as observer:
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetch("select pg_sleep(600)", timeout=0.1)
        # The connection is usable as soon as the server has obeyed.
        assert await connection.fetchval("select 1") == 1
        active = "select count(*) from pg_stat_activity where state = 'active' and query like '%sleep(600)'"
        assert await observer.fetchval(active + " and pid = $1", connection.get_server_pid()) == 0


async def test_a_cancelled_task_leaves_a_usable_connection(loop, connect):
    async with connect() as connection, connect() as observer:
        task = loop.create_task(connection.fetch("select pg_sleep(600)"))
        waits = "select wait_event = 'PgSleep' from pg_stat_activity where pid = $1"
        while not await observer.fetchval(waits, connection.get_server_pid()):
            pass
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await connection.fetchval("select 2") == 2


async def test_a_backend_that_is_terminated(loop, connect):
    async with connect() as admin, connect() as victim:
        lost = loop.create_future()
        victim.add_termination_listener(lambda connection: lost.set_result(connection))
        assert await admin.fetchval("select pg_terminate_backend($1)", victim.get_server_pid())
        assert await lost is victim
        assert victim.is_closed()
        with pytest.raises(asyncpg.InterfaceError):
            await victim.fetchval("select 1")
        assert await admin.fetchval("select 1") == 1
