"""Wrong arguments raise exactly what asyncio raises for the same call."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

pytestmark = pytest.mark.io


def factory():
    return asyncio.Protocol()


# name: call(loop, stream socket, datagram socket); the calls that are coroutines are awaited.
CALLS = {
    "call_later_text": lambda loop, s, d: loop.call_later("1", print),
    "call_later_none": lambda loop, s, d: loop.call_later(None, print),
    "call_soon_nothing": lambda loop, s, d: loop.call_soon(),
    "call_soon_unknown_keyword": lambda loop, s, d: loop.call_soon(print, sep=""),
    "call_later_nothing": lambda loop, s, d: loop.call_later(),
    "create_task_of_a_number": lambda loop, s, d: loop.create_task(5),
    "run_until_complete_of_a_number": lambda loop, s, d: loop.run_until_complete(5),
    "set_exception_handler_number": lambda loop, s, d: loop.set_exception_handler(5),
    "set_task_factory_number": lambda loop, s, d: loop.set_task_factory(5),
    "add_reader_nothing": lambda loop, s, d: loop.add_reader(),
    "add_reader_no_callback": lambda loop, s, d: loop.add_reader(s),
    "remove_reader_text": lambda loop, s, d: loop.remove_reader("x"),
    "remove_writer_negative": lambda loop, s, d: loop.remove_writer(-1),
    "create_server_host_and_sock": lambda loop, s, d: loop.create_server(factory, "127.0.0.1", 0, sock=s),
    "create_server_nothing": lambda loop, s, d: loop.create_server(factory),
    "create_server_datagram": lambda loop, s, d: loop.create_server(factory, sock=d),
    "create_server_bool_ssl": lambda loop, s, d: loop.create_server(factory, "127.0.0.1", 0, ssl=True),
    "create_server_timeout_without_ssl": lambda loop, s, d: loop.create_server(
        factory, "127.0.0.1", 0, ssl_handshake_timeout=1
    ),
    "create_server_bad_port": lambda loop, s, d: loop.create_server(factory, "127.0.0.1", "no port"),
    "create_server_big_port": lambda loop, s, d: loop.create_server(factory, "127.0.0.1", 70_000),
    "create_connection_nothing": lambda loop, s, d: loop.create_connection(factory),
    "create_connection_host_and_sock": lambda loop, s, d: loop.create_connection(
        factory, "127.0.0.1", 1, sock=s
    ),
    "create_connection_datagram": lambda loop, s, d: loop.create_connection(factory, sock=d),
    "create_connection_server_hostname": lambda loop, s, d: loop.create_connection(
        factory, "127.0.0.1", 1, server_hostname="x"
    ),
    "create_connection_bad_local": lambda loop, s, d: loop.create_connection(
        factory, "127.0.0.1", 1, local_addr=("not-an-address.invalid", 0)
    ),
    "connect_accepted_socket_datagram": lambda loop, s, d: loop.connect_accepted_socket(factory, d),
    "connect_accepted_socket_number": lambda loop, s, d: loop.connect_accepted_socket(factory, 5),
    "unix_server_tcp_socket": lambda loop, s, d: loop.create_unix_server(factory, sock=s),
    "unix_server_nothing": lambda loop, s, d: loop.create_unix_server(factory),
    "unix_connection_tcp_socket": lambda loop, s, d: loop.create_unix_connection(factory, sock=s),
    "unix_connection_both": lambda loop, s, d: loop.create_unix_connection(factory, "x", sock=s),
    "unix_connection_hostname": lambda loop, s, d: loop.create_unix_connection(
        factory, "x", server_hostname="x"
    ),
    "unix_server_number": lambda loop, s, d: loop.create_unix_server(factory, 5.5),
    "sock_recv_number": lambda loop, s, d: loop.sock_recv(5, 10),
    "sock_recv_text": lambda loop, s, d: loop.sock_recv(s, "10"),
    "sock_recv_negative": lambda loop, s, d: loop.sock_recv(s, -1),
    "sock_recv_into_bytes": lambda loop, s, d: loop.sock_recv_into(s, b"read-only"),
    "sock_sendall_text": lambda loop, s, d: loop.sock_sendall(s, "text"),
    "sock_sendall_none": lambda loop, s, d: loop.sock_sendall(s, None),
    "sock_connect_none": lambda loop, s, d: loop.sock_connect(s, None),
    "sock_accept_not_listening": lambda loop, s, d: loop.sock_accept(s),
    "getaddrinfo_number": lambda loop, s, d: loop.getaddrinfo(5, 5),
}

if sys.version_info >= (3, 11):
    # Before, asyncio checked the one by an assert statement and only warned of the other.
    CALLS["call_at_none"] = lambda loop, s, d: loop.call_at(None, print)
    CALLS["set_default_executor_number"] = lambda loop, s, d: loop.set_default_executor(5)


def outcome(loop, call):
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        stream.setblocking(False)
        datagram.setblocking(False)

        async def main():
            made = call(loop, stream, datagram)
            return await made if asyncio.iscoroutine(made) or isinstance(made, asyncio.Future) else made

        try:
            value = loop.run_until_complete(main())
        except Exception as error:
            return type(error)
        if hasattr(value, "cancel"):
            value.cancel()
        return type(value).__mro__[-2 if value is not None else -1]


@pytest.mark.parametrize("name", CALLS)
def test_the_exception_is_asyncios(loop, reports, name):
    reference = asyncio.SelectorEventLoop()
    reference.set_exception_handler(lambda loop, context: None)
    try:
        expected = outcome(reference, CALLS[name])
        reference.run_until_complete(reference.shutdown_default_executor())
    finally:
        reference.close()
    assert outcome(loop, CALLS[name]) is expected
    assert issubclass(expected, Exception), f"asyncio allows {name}: this tests nothing"


TRANSPORT_CALLS = {
    "write_text": lambda transport: transport.write("text"),
    "write_none": lambda transport: transport.write(None),
    "writelines_of_numbers": lambda transport: transport.writelines([1]),
    "writelines_of_none": lambda transport: transport.writelines([None]),
    "writelines_of_text": lambda transport: transport.writelines(["text"]),
    "limits_high_negative": lambda transport: transport.set_write_buffer_limits(high=-1),
    "limits_low_over_high": lambda transport: transport.set_write_buffer_limits(high=1, low=2),
    "limits_text": lambda transport: transport.set_write_buffer_limits(high="1"),
    "write_after_eof": lambda transport: (transport.write_eof(), transport.write(b"x")),
    "writelines_after_eof": lambda transport: (transport.write_eof(), transport.writelines([b"x"])),
}


@pytest.mark.parametrize("name", TRANSPORT_CALLS)
def test_the_exception_of_a_transport_is_asyncios(loop, name):
    from support.peers import adopt
    from support.protocols import Recorder

    async def main(loop):
        transport, recorder, peer = await adopt(loop, Recorder)
        try:
            TRANSPORT_CALLS[name](transport)
        except Exception as error:
            return type(error)
        finally:
            transport.abort()
            await recorder.until_lost()
            peer.close()

    reference = asyncio.SelectorEventLoop()
    try:
        expected = reference.run_until_complete(main(reference))
    finally:
        reference.close()
    found = loop.run_until_complete(main(loop))
    if name == "writelines_after_eof" and expected is None:
        pytest.skip("before Python 3.12 asyncio's writelines did not look")
    if name == "writelines_of_none" and expected is None:
        expected = (
            TypeError  # from Python 3.14 on asyncio's passes over whatever is false, which promises nothing
        )
    assert found is expected and issubclass(expected, Exception)
