"""install() and uninstall(): the documented names on csp, and csp exactly as it was."""

import importlib
import importlib.util
import pkgutil
import sys
import types
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

csp = pytest.importorskip("csp", reason="csp has no wheel for this Python")

import csploop.csp
from csp import ts
from csp.impl.wiring.node_parser import NodeParser
from csp.impl.wiring.runtime import GraphRunInfo

csp_run = csp.run


def picture() -> dict[str, Any]:
    """All that install() may change."""
    return {
        "csp": dict(vars(csp)),
        "impl": dict(vars(csp.impl)),
        "wiring": {name: dict(vars(module)) for name, module in csp_modules().items()},
        "modules": sorted(name for name in sys.modules if name.partition(".")[0] == "csp"),
        "parser": dict(vars(NodeParser)),
        "methods": dict(NodeParser.METHOD_MAP),
        "info": dict(vars(GraphRunInfo)),
    }


def csp_modules() -> dict[str, types.ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.startswith("csp.impl.wiring")}


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = picture()
    try:
        yield
    finally:
        csploop.csp.uninstall()
    after = picture()
    assert after == before


NAMES = ["async_alarm", "async_for", "async_in", "async_node", "async_out", "await_", "schedule_async_alarm"]


def test_csp_has_the_names_between_install_and_uninstall() -> None:
    csploop.csp.install()
    for name in NAMES:
        assert getattr(csp, name) is getattr(csploop.csp, name)
    assert csp.run is csploop.csp.run
    csploop.csp.uninstall()
    assert not [name for name in NAMES if hasattr(csp, name)]
    assert csp.run is csp_run


def test_the_modules_can_be_imported() -> None:
    csploop.csp.install()
    event_loop = importlib.import_module("csp.event_loop")
    adapter = importlib.import_module("csp.impl.async_adapter")
    assert csp.event_loop is event_loop
    assert event_loop.CspEventLoop is importlib.import_module("csploop.csp.event_loop").CspEventLoop
    assert adapter.AsyncContext is csploop.csp.AsyncContext
    assert adapter.is_csp_asyncio_mode is csploop.csp.is_csp_asyncio_mode
    csploop.csp.uninstall()
    for name in ("csp.event_loop", "csp.impl.async_adapter"):
        with pytest.raises(ImportError):
            importlib.import_module(name)


SUBMODULES = {
    "csp.event_loop.bridge": {"AsyncioBridge", "BidirectionalBridge"},
    "csp.event_loop.loop": {"CspEventLoop", "CspEventLoopPolicy", "new_event_loop", "run"},
}


@pytest.mark.parametrize("name", SUBMODULES)
def test_the_event_loop_is_a_package(name: str) -> None:
    csploop.csp.install()
    module = importlib.import_module(name)
    package = importlib.import_module("csp.event_loop")
    assert getattr(csp.event_loop, name.rpartition(".")[2]) is module
    assert SUBMODULES[name] <= set(module.__all__)
    for public in SUBMODULES[name]:
        assert getattr(module, public) is getattr(package, public)
    csploop.csp.uninstall()
    with pytest.raises(ImportError):
        importlib.import_module(name)


@pytest.mark.parametrize(
    "statement",
    [
        "import csp.event_loop.bridge; made = csp.event_loop.bridge.AsyncioBridge",
        "import csp.event_loop.bridge as bridge; made = bridge.AsyncioBridge",
        "from csp.event_loop import bridge; made = bridge.AsyncioBridge",
        "from csp.event_loop.bridge import AsyncioBridge as made",
        "from csp.event_loop.bridge import *; made = AsyncioBridge",
        "from csp.event_loop import *; made = AsyncioBridge",
    ],
)
def test_however_it_is_imported(statement: str) -> None:
    csploop.csp.install()
    names: dict[str, Any] = {}
    exec(statement, names)
    assert names["made"] is csploop.csp.AsyncioBridge


def test_what_is_in_the_package_is_found_by_tools() -> None:
    csploop.csp.install()
    package = importlib.import_module("csp.event_loop")
    found = {f"csp.event_loop.{module.name}" for module in pkgutil.iter_modules(package.__path__)}
    assert found == set(SUBMODULES)
    for name in found:
        assert importlib.util.find_spec(name) is not None


def test_twice_is_once() -> None:
    csploop.csp.install()
    installed = picture()
    csploop.csp.install()
    assert picture() == installed
    csploop.csp.uninstall()
    assert csp.run is csp_run
    csploop.csp.uninstall()
    assert csp.run is csp_run


def test_run_is_replaced_where_it_was_imported_before_and_given_back_where_it_was_imported_since() -> None:
    before = types.ModuleType("imported_before")
    since = types.ModuleType("imported_since")
    sys.modules.update({"imported_before": before, "imported_since": since})
    try:
        exec("from csp import run as go", vars(before))
        csploop.csp.install()
        assert before.go is csploop.csp.run
        exec("from csp import run", vars(since))
        assert since.run is csploop.csp.run
        csploop.csp.uninstall()
        assert before.go is csp_run
        assert since.run is csp_run
    finally:
        del sys.modules["imported_before"], sys.modules["imported_since"]


def test_a_graph_that_was_built_before_gets_its_loop() -> None:
    seen = []

    @csp.node
    def asking(x: ts[int]) -> ts[int]:
        if csp.ticked(x):
            seen.append(csploop.csp.get_csp_asyncio_loop())
            return x

    built = csp.build_graph(lambda: csp.add_graph_output("x", asking(csp.const(1))))
    csploop.csp.install()
    result = csp.run(built, starttime=datetime(2020, 1, 1), endtime=timedelta(seconds=1))
    assert [value for _, value in result["x"]] == [1]
    assert None not in seen


@pytest.mark.parametrize("on_thread", [False, True])
def test_run_info_tells_of_asyncio(on_thread: bool) -> None:
    seen = []

    @csp.node
    def asking(x: ts[int]) -> ts[int]:
        if csp.ticked(x):
            info = GraphRunInfo.get_cur_run_times_info()
            seen.append((info.is_asyncio, info.asyncio_loop is csploop.csp.get_csp_asyncio_loop()))
            return x

    def graph() -> None:
        csp.stop_engine(asking(csp.const(1)))

    csploop.csp.install()
    csp.run(graph, realtime=True, endtime=timedelta(seconds=30), asyncio_on_thread=on_thread)
    assert seen == [(not on_thread, True)]
    assert not GraphRunInfo(None, None, False).is_asyncio


def test_await_in_a_node_under_csps_name() -> None:
    async def double(x: int) -> int:
        return 2 * x

    csploop.csp.install()

    @csp.node
    def doubling(x: ts[int]) -> ts[int]:
        if csp.ticked(x):
            return csp.await_(double(x), block=True)

    result = csp.run(doubling(csp.const(4)), starttime=datetime(2020, 1, 1), endtime=timedelta(seconds=1))
    csploop.csp.shutdown_shared_loop()
    assert [value for _, value in result[0]] == [8]


def test_csp_run_on_thread_has_a_loop_too() -> None:
    async def once() -> int:
        return 7

    def graph() -> None:
        x = csp.async_in(once())
        csp.add_graph_output("x", x)
        csp.stop_engine(x)

    csploop.csp.install()
    result = csp.run_on_thread(graph, realtime=True, endtime=timedelta(seconds=30)).join()
    assert [value for _, value in result["x"]] == [7]


def test_without_install_nodes_cannot_have_async_alarms() -> None:
    with pytest.raises(csp.CspParseError):

        @csp.node
        def node() -> ts[int]:
            with csp.alarms():
                done = csp.async_alarm(int)
            if csp.ticked(done):
                return done


@pytest.fixture
def csp_with_names(monkeypatch: pytest.MonkeyPatch, as_it_was: None) -> Iterator[Any]:
    """A csp that has some of the names of its own."""
    own = object()
    csp.async_for = own
    sys.modules["csp.event_loop"] = types.ModuleType("csp.event_loop")
    try:
        yield own
    finally:
        csploop.csp.uninstall()
        assert csp.async_for is own
        del csp.async_for, sys.modules["csp.event_loop"]


def test_on_a_csp_that_has_the_names_it_refuses(csp_with_names: Any) -> None:
    with pytest.raises(RuntimeError, match=r"csp\.async_for, csp\.event_loop of its own"):
        csploop.csp.install()
    assert csp.run is csp_run


def test_on_a_csp_that_has_the_names_it_covers_them_when_told(csp_with_names: Any) -> None:
    csploop.csp.install(replace=True)
    assert csp.async_for is csploop.csp.async_for
    assert sys.modules["csp.event_loop"].__name__ == "csploop.csp.event_loop"


def test_a_failing_install_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "csploop.csp.event_loop", None)
    with pytest.raises(ImportError):
        csploop.csp.install()
    assert csp.run is csp_run
    assert not hasattr(csp, "async_for")


def test_submodules_of_its_own_are_covered_and_given_back() -> None:
    theirs = {name: types.ModuleType(name) for name in ("csp.event_loop", *SUBMODULES)}
    sys.modules.update(theirs)
    try:
        with pytest.raises(
            RuntimeError, match=r"csp\.event_loop, csp\.event_loop\.bridge, csp\.event_loop\.loop"
        ):
            csploop.csp.install()
        csploop.csp.install(replace=True)
        for name in theirs:
            assert sys.modules[name].__name__ == f"csploop.{name}"
        csploop.csp.uninstall()
        for name, module in theirs.items():
            assert sys.modules[name] is module
    finally:
        for name in theirs:
            del sys.modules[name]
