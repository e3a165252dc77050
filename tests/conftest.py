"""One body, every loop: parametrization, running of coroutine tests, bounds, leak checks."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import inspect
import os
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from support import inside
from support.departures import ABORTS, DEPARTURES, HANGS, LEAVES
from support.kinds import KINDS, Kind, choose
from support.leaks import PYPY, Snapshot, collect_garbage, let_go, open_fds, shut_down_sockets
from support.reports import Reports
from support.tracebacks import number_lines

# A signal fails the test and lets the others go on; a thread can only end the process.
TIMEOUT_METHOD = "signal" if hasattr(signal, "SIGALRM") else "thread"
SETTLE = 5  # seconds that what a test has closed may take to end
DEPARTED = 5  # seconds of a test that is expected to fail
AGAIN = 2  # seconds until a bound whose exception went nowhere raises it again
GRACE = 10  # seconds that a test which swallows its timeout has until the process dies
NOWHERE = "on-none-of-the-chosen-loops"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--loops",
        metavar="NAMES",
        help=f"comma-separated loops to run on, of {', '.join(KINDS)} (default: all that are installed)",
    )
    parser.addoption(
        "--comparators",
        choices=("with", "without", "only"),
        default="with",
        help="where --loops does not say: run on the loops that csploop is compared with, too (with), or not"
        " (without), or on these alone (only; tests without a loop are left out)",
    )
    parser.addoption(
        "--seconds", type=float, default=60, help="bound of each test without one of its own (60)"
    )


_stderr_fd = pytest.StashKey[int]()
_failed = pytest.StashKey[bool]()
_bounded = pytest.StashKey[bool]()  # a test's bound has not been taken away yet
_strikes = pytest.StashKey[bool]()  # a test's bound may raise its exception now
_struck = pytest.StashKey[bool]()  # it has, in this phase or one before


def pytest_configure(config: pytest.Config) -> None:
    # A shell that starts us in the background has SIGINT ignored, for our children too.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Taken before pytest puts its capture in place of descriptor 2.
    config.stash[_stderr_fd] = os.dup(2)
    for line in (
        "io: the body does I/O, so it runs on both pollers",
        "heavy: on csploop only, unless --loops asks for a comparator",
        "ours(reason): about csploop only",
    ):
        config.addinivalue_line("markers", line)
    for line in (
        "error::ResourceWarning",
        "error::RuntimeWarning",
        # Its own test says so, and by name what a newer Python has changed.
        "default:csploop does not know the asyncio:RuntimeWarning",
        "error::pytest.PytestUnraisableExceptionWarning",
        "error::pytest.PytestUnhandledThreadExceptionWarning",
    ):
        config.addinivalue_line("filterwarnings", line)


def pytest_report_header(config: pytest.Config) -> str:
    chosen = ", ".join(kind.name for kind in _chosen(config))
    absent = [kind.name for kind in KINDS.values() if not kind.installed and not kind.only_by_name]
    return f"loops: {chosen}" + (f" (not installed: {', '.join(absent)})" if absent else "")


def _chosen(config: pytest.Config) -> list[Kind]:
    return choose(config.getoption("--loops"), config.getoption("--comparators"))


def _expect_departure(item: pytest.Item) -> None:
    """Marks a test that departures.py lists for its loop, by name or by name and parameters."""
    callspec = getattr(item, "callspec", None)
    kind = callspec.params.get("loop_kind") if callspec else None
    if kind is None:
        return
    name = f"{item.path.name}::{item.originalname}"
    parameters = callspec.id.replace(kind.name, "").strip("-")
    for key in (f"{name}[{parameters}]", name):
        reason = DEPARTURES.get(key, {}).get(kind.name)
        if reason is not None:
            run = not reason.startswith((HANGS, ABORTS, LEAVES))
            item.add_marker(pytest.mark.xfail(reason=reason, run=run, strict=False))
            # Where it fails, it leaves things open.
            for warning in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{warning}"))
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(DEPARTED, method=TIMEOUT_METHOD))
            return


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "loop_kind" not in metafunc.fixturenames:
        return
    explicit = metafunc.config.getoption("--loops")
    kinds = _chosen(metafunc.config)
    definition = metafunc.definition
    if definition.get_closest_marker("io") is None:
        kinds = [kind for kind in kinds if kind.name != "csploop-uv"]
    if definition.get_closest_marker("heavy") is not None and not explicit:
        kinds = [kind for kind in kinds if kind.ours]
    if definition.get_closest_marker("ours") is not None:
        kinds = [kind for kind in kinds if kind.ours]
    params = [pytest.param(kind, id=kind.name) for kind in kinds]
    params = params or [pytest.param(None, id=NOWHERE)]
    metafunc.parametrize("loop_kind", params, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seen = Counter((type(item), item.nodeid) for item in items)
    twice = [nodeid for (_, nodeid), count in seen.items() if count > 1]
    if twice:
        raise pytest.UsageError(f"test names used twice: {', '.join(twice)}")
    nowhere = [item for item in items if NOWHERE in item.name]
    if config.getoption("--comparators") == "only":
        nowhere += [item for item in items if "loop_kind" not in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=nowhere)
    left_out = set(nowhere)
    items[:] = [item for item in items if item not in left_out]
    for item in items:
        _expect_departure(item)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(config.getoption("--seconds"), method=TIMEOUT_METHOD))


def pytest_collection_finish(session: pytest.Session) -> None:
    # What was imported so far need not be walked in the collection after each test.
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()


def _die_after(seconds: float, config: pytest.Config) -> None:
    """Bounds what pytest-timeout cannot: code that swallows or blocks its exception."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=config.stash[_stderr_fd])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    mark = item.get_closest_marker("timeout")
    assert mark is not None  # pytest_collection_modifyitems gave it one
    _die_after(float(mark.args[0]) + GRACE, item.config)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item) -> Iterator[Any]:
    """Lets a bound's exception strike only in a test and its fixtures: elsewhere it would end the session."""
    result = yield
    if TIMEOUT_METHOD == "signal":
        fail = signal.getsignal(signal.SIGALRM)
        assert callable(fail)

        def strike(signum: int, frame: Any) -> None:
            if item.stash.get(_strikes, False):
                item.stash[_struck] = True
                # asyncio's handles swallow it, as they do any exception of a callback.
                signal.setitimer(signal.ITIMER_REAL, AGAIN)
                fail(signum, frame)
            elif item.stash[_bounded] and not item.stash.get(_struck, False):
                signal.setitimer(signal.ITIMER_REAL, 0.05)

        item.stash[_bounded] = True
        signal.signal(signal.SIGALRM, strike)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> Iterator[Any]:
    # A bound that runs out just now must not come back when SIGALRM has its own effect again.
    item.stash[_bounded] = False
    return (yield)


def _while_it_may_strike(item: pytest.Item) -> Iterator[Any]:
    item.stash[_strikes] = not item.stash.get(_struck, False)
    try:
        return (yield)
    finally:
        item.stash[_strikes] = False


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[Any]:
    return (yield from _while_it_may_strike(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[Any]:
    return (yield from _while_it_may_strike(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[Any]:
    # pytest takes the bound away when a test fails.
    _die_after(SETTLE + GRACE, item.config)
    return (yield from _while_it_may_strike(item))


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Before 3.11.8 a finalizer that parses, as the report of a warning does, breaks a parse under way."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[Any]:
    if call.excinfo is not None:
        number_lines(call.excinfo.value)
    with _no_collection():  # pytest parses the sources of a failure
        report = yield
    if report.failed or report.outcome == "skipped":
        item.stash[_failed] = True
    if call.excinfo is not None:
        let_go(call.excinfo.value)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Any:
    """A coroutine test runs on its `loop`, and must leave no task behind."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    loop = pyfuncitem.funcargs["loop"]
    names = inspect.signature(pyfuncitem.obj).parameters
    loop.run_until_complete(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session", autouse=True)
def warmed_up() -> None:
    """Runs each kind once: some open descriptors for the process, not for a loop, at the first."""
    for kind in KINDS.values():
        if kind.installed and not kind.only_by_name:
            loop = kind.new()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()


@pytest.fixture
def loop_kind(request: pytest.FixtureRequest) -> Kind:
    kind = request.param
    assert isinstance(kind, Kind)
    return kind


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest, warmed_up: None) -> Iterator[None]:
    before = Snapshot()
    yield
    collect_garbage()
    if request.node.stash.get(_failed, False):
        # pytest keeps the frames of a failed test, and with them what they hold, for some time.
        Snapshot.unsure.update(open_fds().items() - before.fds.items())
        return
    leaks = before.leaks()
    if leaks and PYPY:
        collect_garbage(thorough=True)
        leaks = before.leaks()
    assert not leaks, "\n".join(leaks)


@pytest.fixture
def reports(request: pytest.FixtureRequest) -> Iterator[Reports]:
    """What the loop told its exception handler. A report that the test does not take fails it."""
    kept = Reports()
    yield kept
    failed = request.node.stash.get(_failed, False)
    assert failed or not kept.waiting, f"unexpected reports to the exception handler: {kept.waiting}"


@pytest.fixture
def loop(
    request: pytest.FixtureRequest, loop_kind: Kind, nothing_leaks: None, reports: Reports
) -> Iterator[asyncio.AbstractEventLoop]:
    """A fresh loop. After the test it must hold no tasks and nothing of its own any more."""
    loop = loop_kind.new()
    loop.set_exception_handler(reports)
    leftovers: list[str] = []
    before = open_fds()
    try:
        yield loop
    finally:
        failed = request.node.stash.get(_failed, False)
        if failed:
            # A thread of the test may wait for what will not come now, and the executor's end for the thread.
            shut_down_sockets(before)
        if not loop.is_closed():
            leftovers = _wind_up(loop)
            loop.close()
        asyncio.set_event_loop(None)
        collect_garbage()
    assert failed or not leftovers, "\n".join(leftovers)


def _wind_up(loop: asyncio.AbstractEventLoop) -> list[str]:
    """Gives what is ending the turns to end, ends the rest, and says what that was."""

    async def finish() -> list[str]:
        me = asyncio.current_task()
        tasks: set[asyncio.Task[Any]] = set()
        deadline = loop.time() + SETTLE
        while loop.time() < deadline:
            tasks = asyncio.all_tasks() - {me}
            if not tasks and not inside.leftovers(loop) and not inside.open_transports(loop):
                break
            await asyncio.sleep(0)
        left = [f"task left: {task!r}" for task in tasks] + inside.leftovers(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=SETTLE)
        await loop.shutdown_asyncgens()
        await loop.shutdown_default_executor()
        return left

    return loop.run_until_complete(finish())
