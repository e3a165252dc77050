"""grpc.aio's server and client in one process: `python grpc_program.py csploop|csploop-uv|asyncio`.

A process of its own, because gRPC keeps a thread and descriptors for the rest of the process's life.
"""

from __future__ import annotations

import asyncio
import sys

import csploop
import grpc

NEW_LOOP = {
    "csploop": csploop.new_event_loop,
    "csploop-uv": lambda: csploop.Loop(poller="uv"),
    "asyncio": asyncio.new_event_loop,
}


async def echo(request, context):
    if request == b"fail":
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "as planned")
    return request


async def wait(request, context):
    await asyncio.get_running_loop().create_future()


async def count(request, context):
    for number in range(int(request)):
        yield b"%d" % number


async def add_up(requests, context):
    total = 0
    async for request in requests:
        total += int(request)
    return b"%d" % total


async def answer_each(requests, context):
    async for request in requests:
        yield request.upper()


HANDLERS = {
    "Echo": grpc.unary_unary_rpc_method_handler(echo),
    "Wait": grpc.unary_unary_rpc_method_handler(wait),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "AddUp": grpc.stream_unary_rpc_method_handler(add_up),
    "AnswerEach": grpc.stream_stream_rpc_method_handler(answer_each),
}


async def check_all(channel):
    call = channel.unary_unary("/test/Echo")
    for number in range(100):
        assert await call(b"%d" % number) == b"%d" % number
    assert await asyncio.gather(*(call(b"%d" % n) for n in range(200))) == [b"%d" % n for n in range(200)]
    print("unary")

    large = bytes(3 << 20)
    assert await call(large) == large
    print("large")

    try:
        await call(b"fail")
    except grpc.aio.AioRpcError as error:
        assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "as planned")
        print("failure")

    try:
        await channel.unary_unary("/test/Wait")(b"", timeout=0.1)
    except grpc.aio.AioRpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        print("deadline")

    waiting = asyncio.ensure_future(channel.unary_unary("/test/Wait")(b""))
    await asyncio.sleep(0)
    waiting.cancel()
    try:
        await waiting
    except asyncio.CancelledError:
        print("cancellation")

    counted = [int(part) async for part in channel.unary_stream("/test/Count")(b"1000")]
    assert counted == list(range(1000))
    print("answers")

    async def numbers():
        for number in range(1000):
            yield b"%d" % number

    assert await channel.stream_unary("/test/AddUp")(numbers()) == b"%d" % sum(range(1000))
    print("requests")

    talk = channel.stream_stream("/test/AnswerEach")()
    for number in range(100):
        await talk.write(b"message %d" % number)
        assert await talk.read() == b"MESSAGE %d" % number
    await talk.done_writing()
    assert await talk.read() is grpc.aio.EOF
    print("dialogue")


async def main():
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", HANDLERS),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await check_all(channel)
    await server.stop(grace=None)
    print(type(asyncio.get_running_loop()).__module__.partition(".")[0])


if __name__ == "__main__":
    csploop.run(main(), loop_factory=NEW_LOOP[sys.argv[1]])
