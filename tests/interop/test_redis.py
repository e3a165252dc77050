"""redis-py's asyncio client against a redis-server."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
import redis.asyncio as redis
from support.peers import closed_port

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def client_of(redis_address):
    """A context manager: an empty database and a client for it."""

    @contextlib.asynccontextmanager
    async def client_of(**options):
        async with redis.Redis(host=redis_address.host, port=redis_address.port, **options) as client:
            await client.flushdb()
            yield client

    return client_of


async def test_values_come_back(loop, client_of):
    async with client_of(decode_responses=True) as client:
        assert await client.get("nothing") is None
        for number in range(100):
            assert await client.set(f"key {number}", f"value {number}")
            assert await client.get(f"key {number}") == f"value {number}"
        await client.hset("hash", mapping={"a": 1, "b": "two"})
        assert await client.hgetall("hash") == {"a": "1", "b": "two"}


async def test_over_its_unix_socket(loop, redis_address):
    async with redis.Redis(unix_socket_path=f"{redis_address.directory}/redis.sock") as client:
        assert await client.ping()


@pytest.mark.parametrize("size", [0, 1, 65536, 16 << 20])
async def test_values_of_all_sizes(loop, client_of, size):
    value = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with client_of(socket_timeout=30) as client:
        await client.set("large", value)
        assert await client.get("large") == value


async def test_a_pipeline_of_thousands_of_commands(loop, client_of):
    async with client_of() as client:
        async with client.pipeline(transaction=False) as pipeline:
            for number in range(5000):
                pipeline.rpush("list", number)
            assert await pipeline.execute() == list(range(1, 5001))
        assert [int(value) for value in await client.lrange("list", 0, -1)] == list(range(5000))


async def test_a_transaction_that_somebody_interferes_with_is_tried_again(loop, client_of):
    async with client_of() as client:
        await client.set("counter", 1)
        attempts = 0

        async def double(pipeline):
            nonlocal attempts
            attempts += 1
            value = int(await pipeline.get("counter"))
            if attempts == 1:
                await client.set("counter", 10)
            pipeline.multi()
            pipeline.set("counter", value * 2)

        await client.transaction(double, "counter")
        assert attempts == 2
        assert await client.get("counter") == b"20"


async def test_many_clients_at_once(loop, client_of):
    async with client_of() as client:

        async def count():
            async with client.client() as own:
                for _ in range(20):
                    await own.incr("counter")
                ready.release()
                await enough.wait()

        ready, enough = asyncio.Semaphore(0), asyncio.Event()
        tasks = [loop.create_task(count()) for _ in range(50)]
        for _ in tasks:
            await ready.acquire()
        assert await client.get("counter") == b"1000"
        assert len(await client.client_list()) >= len(tasks)
        enough.set()
        await asyncio.gather(*tasks)


async def test_subscribers_get_every_message_in_order(loop, client_of):
    async with client_of(decode_responses=True) as client:

        async def listen():
            received = []
            async with client.pubsub() as channel:
                await channel.subscribe("news")
                async for message in channel.listen():
                    if message["type"] == "subscribe":
                        subscribed.release()
                    elif message["data"] == "end":
                        break
                    else:
                        received.append(int(message["data"]))
            return received

        subscribed = asyncio.Semaphore(0)
        tasks = [loop.create_task(listen()) for _ in range(10)]
        for _ in tasks:
            await subscribed.acquire()
        for number in range(100):
            assert await client.publish("news", number) == 10
        await client.publish("news", "end")
        for received in await asyncio.gather(*tasks):
            assert received == list(range(100))


async def test_a_blocking_pop_wakes_up_when_something_comes(loop, client_of):
    async with client_of() as client:
        waiting = loop.create_task(client.blpop(["queue"], timeout=30))
        while not any(each["cmd"] == "blpop" for each in await client.client_list()):
            pass
        await client.rpush("queue", "work")
        assert list(await waiting) == [b"queue", b"work"]


async def test_a_cancelled_command_does_not_disturb_the_next(loop, client_of):
    async with client_of() as client:
        waiting = loop.create_task(client.blpop(["queue"], timeout=30))
        while not any(each["cmd"] == "blpop" for each in await client.client_list()):
            pass
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        for number in range(20):
            assert await client.echo(f"{number}") == b"%d" % number


async def test_a_timeout(loop, client_of):
    async with client_of(socket_timeout=0.1, retry=None) as client:
        with pytest.raises(redis.TimeoutError):
            await client.blpop(["queue"], timeout=0)
        assert await client.ping()


async def test_a_connection_that_the_server_cut_is_made_anew(loop, client_of):
    async with client_of() as admin, client_of(single_connection_client=True) as client:
        await admin.client_kill_filter(_id=await client.client_id(), skipme=False)
        assert await client.ping()


async def test_nobody_listens(loop):
    async with redis.Redis(host="127.0.0.1", port=closed_port(), retry=None) as client:
        with pytest.raises(redis.ConnectionError):
            await client.ping()
