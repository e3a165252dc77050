"""aiofiles and aiosqlite: libraries that do their work in threads and come back to the loop."""

from __future__ import annotations

import asyncio
import sqlite3

import aiofiles
import aiofiles.os
import aiofiles.tempfile
import aiosqlite
import pytest

pytestmark = pytest.mark.timeout(60)


async def test_a_file_is_written_and_read(loop, tmp_path):
    path = tmp_path / "file"
    async with aiofiles.open(path, "w") as file:
        await file.writelines(f"line {number}\n" for number in range(100))
        await file.flush()
        assert await file.tell() == path.stat().st_size
    async with aiofiles.open(path) as file:
        assert [line async for line in file] == [f"line {number}\n" for number in range(100)]
    async with aiofiles.open(path, "rb") as file:
        await file.seek(-3, 2)
        assert await file.read() == b"99\n"
    await aiofiles.os.remove(path)
    assert not await aiofiles.os.path.exists(path)


async def test_many_files_at_once(loop, tmp_path):
    async def write(number):
        async with aiofiles.open(tmp_path / str(number), "wb") as file:
            for _ in range(10):
                await file.write(b"%d\n" % number)

    await asyncio.gather(*(write(number) for number in range(50)))
    assert all((tmp_path / str(number)).read_bytes() == b"%d\n" % number * 10 for number in range(50))


async def test_a_missing_file(loop, tmp_path):
    with pytest.raises(FileNotFoundError):
        async with aiofiles.open(tmp_path / "missing"):
            pass


async def test_a_temporary_directory(loop):
    async with aiofiles.tempfile.TemporaryDirectory() as directory:
        async with aiofiles.open(f"{directory}/file", "w") as file:
            await file.write("text")
        assert await aiofiles.os.listdir(directory) == ["file"]
    assert not await aiofiles.os.path.exists(directory)


async def test_rows_come_back_in_order(loop, tmp_path):
    async with aiosqlite.connect(tmp_path / "database") as database:
        await database.execute("create table numbers (n integer primary key, text text)")
        rows = [(number, f"row {number}") for number in range(1000)]
        await database.executemany("insert into numbers values (?, ?)", rows)
        await database.commit()
        async with database.execute("select * from numbers order by n") as cursor:
            assert [row async for row in cursor] == rows


async def test_tasks_share_a_connection(loop):
    async with aiosqlite.connect(":memory:") as database:
        await database.execute("create table numbers (n integer)")

        async def insert(number):
            await database.execute("insert into numbers values (?)", (number,))

        await asyncio.gather(*(insert(number) for number in range(100)))
        async with database.execute("select count(*), sum(n) from numbers") as cursor:
            assert await cursor.fetchone() == (100, sum(range(100)))


async def test_two_connections_see_each_others_commits(loop, tmp_path):
    path = tmp_path / "database"
    async with aiosqlite.connect(path) as writer, aiosqlite.connect(path) as reader:
        await writer.execute("create table numbers (n integer)")
        await writer.commit()
        for number in range(10):
            await writer.execute("insert into numbers values (?)", (number,))
            await writer.commit()
            async with reader.execute("select max(n) from numbers") as cursor:
                assert await cursor.fetchone() == (number,)


async def test_an_error_of_the_database(loop):
    async with aiosqlite.connect(":memory:") as database:
        with pytest.raises(sqlite3.OperationalError):
            await database.execute("select * from nothing")
        async with database.execute("select 1") as cursor:
            assert await cursor.fetchone() == (1,)


async def test_a_function_of_ours_in_the_query(loop):
    async with aiosqlite.connect(":memory:") as database:
        await database.create_function("twice", 1, lambda number: number * 2)
        async with database.execute("select twice(21)") as cursor:
            assert await cursor.fetchone() == (42,)
