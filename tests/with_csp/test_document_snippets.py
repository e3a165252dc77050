"""The listings of csp's own document on event loops run as they are written, after install().

They are in `snippets/`, unchanged; a test gives each the names that the document has introduced before it,
runs it and looks at what comes of it. Only hosts on the internet are replaced by a local server.
"""

import asyncio
import contextlib
import importlib
import socket
import sys
import threading
import time
import types
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

csp = pytest.importorskip("csp", reason="csp has no wheel for this Python")

import csploop.csp
from csp import ts
from csp.utils.datetime import utc_now

SNIPPETS = Path(__file__).parent / "snippets"


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    csploop.csp.install()
    try:
        yield
    finally:
        csploop.csp.uninstall()


def execute(name: str, *, replacing: tuple[str, str] = ("", ""), **names: Any) -> dict[str, Any]:
    """Runs the snippet as a module of its own, with `names` in it before; returns its globals."""
    path = SNIPPETS / f"{name}.py"
    source = path.read_text()
    if replacing[0]:
        assert replacing[0] in source
        source = source.replace(*replacing)
    module = types.ModuleType(f"snippet_{name}")
    module.__dict__.update(names, __file__=str(path))
    exec(compile(source, path, "exec"), module.__dict__)
    return module.__dict__


def event_loop() -> Any:
    return importlib.import_module("csp.event_loop")


def printed(out: str) -> list[str]:
    """What csp.print has printed, without times."""
    return [line.split(":")[-1] for line in out.splitlines()]


# Part 0.


def test_same_thread_mode(capsys: pytest.CaptureFixture[str]) -> None:
    execute("01_part_0_same_thread_asyncio_mode_default")
    assert printed(capsys.readouterr().out) == ["0", "10", "20", "30", "40"]


def test_background_thread_mode(capsys: pytest.CaptureFixture[str]) -> None:
    threads = []

    async def data() -> int:
        threads.append(threading.get_ident())
        return 5

    @csp.graph
    def my_graph():
        x = csp.async_in(data())
        csp.print("data", x)
        csp.stop_engine(x)

    execute("02_how_it_works", csp=csp, my_graph=my_graph, timedelta=timedelta)
    assert printed(capsys.readouterr().out) == ["5"]
    assert threads != [threading.get_ident()]


def test_detecting_asyncio_mode() -> None:
    node = execute("03_detecting_asyncio_mode", csp=csp, ts=ts)["my_node"]
    result = csp.run(node(csp.const(4)), realtime=True, endtime=timedelta(milliseconds=1))
    assert [value for _, value in result[0]] == [8]


# Part 1.


def test_basic_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute("04_basic_usage", asyncio=asyncio)["result"] == "done"
    assert capsys.readouterr().out == "Hello from CSP asyncio!\ndone\n"


@pytest.mark.filterwarnings("ignore:.*policy.*:DeprecationWarning")
@pytest.mark.skipif(sys.version_info >= (3, 16), reason="Python has no event loop policies any more")
def test_as_event_loop_policy() -> None:
    before = asyncio.get_event_loop_policy()
    try:
        assert execute("05_using_as_event_loop_policy")["result"] == "Hello!"
    finally:
        asyncio.set_event_loop_policy(before)


def test_loops_by_hand() -> None:
    async def my_coroutine() -> int:
        return 3

    names = execute("06_creating_event_loops_manually", my_coroutine=my_coroutine)
    assert names["result"] == 3
    assert names["loop"].is_closed()


# Features.


def test_full_compatibility(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute("13_full_asyncio_compatibility")["results"] == [0, 1, 2, 3, 4]
    assert capsys.readouterr().out == "[0, 1, 2, 3, 4]\n"


def test_synchronization_primitives(capsys: pytest.CaptureFixture[str]) -> None:
    execute("14_synchronization_primitives")
    assert capsys.readouterr().out == "Holding lock\nAcquired semaphore\n"


def test_concurrent_operations() -> None:
    results = execute("15_concurrent_operations")["results"]
    assert results == ["data from url1", "data from url2", "data from url3"]


def test_timeouts() -> None:
    assert execute("16_timeouts")["result"] == "timeout"


def test_thread_pool() -> None:
    assert execute("17_thread_pool_executor")["result"] == "data"


def test_io_operations() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        requests = []

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                requests.append(peer.recv(1024))
                peer.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100)

        thread = threading.Thread(target=serve)
        thread.start()
        names = execute("18_i_o_operations", replacing=("('example.com', 80)", str(server.getsockname())))
        # Its last line is a comment.
        result = event_loop().run(names["main"]())
        thread.join()
    assert result.startswith(b"HTTP/1.0 200 OK")
    assert requests == [b"GET / HTTP/1.0\r\n\r\n"]


def test_callback_scheduling(capsys: pytest.CaptureFixture[str]) -> None:
    names = execute("19_callback_scheduling")
    assert names["results"] == ["immediate"]
    assert capsys.readouterr().out == "['immediate']\n"


def test_exception_handling(capsys: pytest.CaptureFixture[str]) -> None:
    execute("20_exception_handling")
    # The handler is told when the task is collected.
    importlib.import_module("gc").collect()
    assert capsys.readouterr().out.startswith("Caught exception: oops, message: Task exception was never")


def test_debug_mode(capsys: pytest.CaptureFixture[str]) -> None:
    execute("21_debug_mode", asyncio=asyncio)
    assert capsys.readouterr().out == "Debug mode: True\n"


# Best practices.


def test_run_for_simple_scripts() -> None:
    assert "main" in execute("23_1_use_run_for_simple_scripts")


def test_always_close_loops() -> None:
    called = []

    async def main() -> None:
        called.append(True)

    names = execute("24_2_always_close_loops_and_stop_bridges", csp_event_loop=event_loop(), main=main)
    assert called == [True]
    assert names["loop"].is_closed()


def test_shutdown() -> None:
    shutdown = execute("26_3_handle_shutdown_gracefully")["shutdown"]
    closed = []

    async def main() -> None:
        async def numbers() -> Any:
            try:
                yield 1
            finally:
                closed.append(True)

        generator = numbers()
        await generator.__anext__()
        await shutdown(asyncio.get_running_loop())

    event_loop().run(main())
    assert closed == [True]


def test_context_managers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file.txt").write_text("text")
    monkeypatch.chdir(tmp_path)

    @contextlib.asynccontextmanager
    async def opened(name: str) -> Any:
        loop = asyncio.get_running_loop()
        with await loop.run_in_executor(None, open, name) as file:
            yield types.SimpleNamespace(read=lambda: loop.run_in_executor(None, file.read))

    aiofiles = types.SimpleNamespace(open=opened)
    main = execute("27_4_use_context_managers_for_resources", aiofiles=aiofiles)["main"]
    event_loop().run(main())


# Part 2.


def test_every_snippet_has_a_test() -> None:
    tested = Path(__file__).read_text()
    assert not [path.stem for path in SNIPPETS.glob("*.py") if f'"{path.stem}"' not in tested]


def running(bridge: Any, typ: Any, seconds: float) -> Any:
    """A graph with the bridge's adapter, on a thread."""

    @csp.graph
    def graph():
        csp.add_graph_output("data", bridge.adapter.out())

    runner = csp.run_on_thread(graph, realtime=True, endtime=timedelta(seconds=seconds))
    assert bridge.wait_for_adapter(timeout=40)
    return runner


def outputs(runner: Any) -> list[Any]:
    return [value for _, value in runner.join()["data"]]


@pytest.mark.timeout(90)
def test_bridge_quick_start(capsys: pytest.CaptureFixture[str]) -> None:
    names = execute("07_quick_start_with_asynciobridge")
    texts = [text.split(" at ")[0] for _, text in names["results"]["result"]]
    assert texts == ["Received 1", "Received 2", "Received 3"]
    assert "Received 3" in capsys.readouterr().out


@pytest.mark.timeout(90)
def test_bridge_scheduling() -> None:
    bridges = []

    def make(*args: Any) -> Any:
        bridges.append(event_loop().AsyncioBridge(*args))
        return bridges[0]

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*utcnow.*", DeprecationWarning)
        execute("08_scheduling_with_call_later_and_call_at", AsyncioBridge=make)
    (bridge,) = bridges
    try:
        runner = running(bridge, str, 3)
        assert "at specific time" in outputs(runner)
    finally:
        bridge.stop()


@pytest.mark.timeout(90)
def test_bridge_coroutines() -> None:
    bridge = event_loop().AsyncioBridge(object, "data", keep=True)
    bridge.start()
    try:
        runner = running(bridge, object, 3)
        execute("09_running_async_coroutines", asyncio=asyncio, time=time, bridge=bridge)
        assert [data["value"] for data in outputs(runner)] == [0, 1, 2, 3, 4]
    finally:
        bridge.stop()


@pytest.mark.timeout(90)
def test_bridge_and_csp_time() -> None:
    bridge = event_loop().AsyncioBridge(str, "marks", keep=True)
    try:
        names = execute(
            "10_coordinating_with_csp_time_csp_now",
            csp=csp,
            utc_now=utc_now,
            timedelta=timedelta,
            bridge=bridge,
        )
        start = names["start_time"]
        logged = names["log_with_time"]

        @csp.graph
        def graph():
            csp.add_graph_output("log", logged(bridge.adapter.out()))

        ((when, text),) = csp.run(graph, realtime=True, starttime=start, endtime=timedelta(seconds=3))["log"]
        assert text == f"[{when}] 1s mark"
        assert when >= start + timedelta(seconds=1)
    finally:
        bridge.stop()


@pytest.mark.timeout(90)
def test_bridge_and_timers() -> None:
    bridge = event_loop().AsyncioBridge(str, "events", keep=True)
    bridge.start()
    try:
        names = execute(
            "12_combining_csp_timers_with_async_callbacks", csp=csp, timedelta=timedelta, bridge=bridge
        )
        start = datetime.now().astimezone()
        result = csp.run(names["my_graph"], realtime=True, starttime=start, endtime=timedelta(seconds=2))
        events = [value for _, value in result["events"]]
    finally:
        bridge.stop()
    assert "timer tick" in events
    assert [event for event in events if event.startswith("async")][-1] == "async: late"
