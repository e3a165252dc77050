#!/usr/bin/env python3
"""Run every test of this tree in stages, each into a log of its own, and sum up at the end.

The stages are core, asan, ubsan, tsan (C and C++), lint (ruff, mypy), python (every interpreter) and suite
(CPython's own tests of asyncio, on every CPython). If some are named on the command line, only those run.
The last line is `N passed, N failed, N skipped`; the exit status is 0 only if nothing failed.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from junit import Counts, failure
from pythons import Python, choose, probe
from stage import LOGS, ROOT, Stage, ask_again

# The programs of others that run on every interpreter; all of them run on the default one and on one more.
INTEROP_EVERYWHERE = ("test_aiohttp_http.py", "test_aiohttp_websocket.py", "test_uvicorn.py")
# What is about this tree and its programs, and hardly about the Python: on the default one and on one more.
ABOUT_THIS_TREE = ("market_service", "pythons", "stages", "suite_itself", "supported_pythons")
# The CPythons that csp has wheels for, as pyproject.toml says.
CSP_FROM, CSP_BEFORE = (3, 11), (3, 15)
# What runs once more with Trio as the loop's driver: the bodies about I/O, processes and signals.
INSIDE_TRIO = (
    "bad_peers buffered_protocol call_soon connect context ctrl_c datagram datagram_endpoint executor"
    " flow_control large_transfer pause_reading pipes sendfile server server_life signals sock_datagrams"
    " sock_methods start_tls stream_contract streams subprocess subprocess_life tasks threadsafe timers tls"
    " unix watchers write"
)
GIL_IS_OFF = "import sys, csploop; sys.exit(sys._is_gil_enabled())"
# One environment is set up by one stage at a time.
VENVS: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


@dataclass
class Result:
    stage: str
    seconds: float
    counts: Counts


def native(preset: str) -> Callable[[Stage], Counts]:
    """Configures, builds and tests one CMake preset."""

    def run(stage: Stage) -> Counts:
        jobs = str(os.cpu_count() or 1)
        # Only a default for a new tree: an existing one keeps the generator that it was made with.
        generator = {"CMAKE_GENERATOR": "Ninja"} if shutil.which("ninja") else {}
        if not stage.run("cmake", "--preset", preset, env=generator):
            return failure(f"{preset}: configuring")
        if not stage.run("cmake", "--build", "--preset", preset, "-j", jobs):
            return failure(f"{preset}: building")
        report, again = LOGS / f"{preset}.xml", LOGS / f"{preset}-again.xml"
        command = ["ctest", "--preset", preset, "-j", jobs, "--output-junit"]
        counts = stage.counted(report, *command, report)
        failed = "|".join(re.escape(name) for name in counts.failures)
        ask_again(counts, [*command, again, "-R", f"^({failed})$"], partial(stage.counted, again))
        return counts

    return run


def lint(stage: Stage) -> Counts:
    counts = Counts()
    for command in (["ruff", "check", "."], ["mypy"]):
        if stage.run(sys.executable, "-m", *command):
            counts.passed += 1
        else:
            counts.add(failure(command[0]))
    return counts


def set_up(stage: Stage, python: Python, venv: Path) -> bool:
    # Stages that go on at the same time may share an environment.
    with VENVS[venv]:
        return stage.run(*python.command("tools/venv.sh", python.executable, venv))


def pytest(python: Python, venv: Path, *options: str, suffix: str = "") -> Callable[[Stage], Counts]:
    def run(stage: Stage) -> Counts:
        if not set_up(stage, python, venv):
            return failure(f"{python.name}: setting up {venv.name}")
        cache = ROOT / "build" / "pytest" / f"{python.slug}{suffix}"
        command = python.command(venv / "bin" / "python", "-m", "pytest", "--color=no")
        command += ["-o", f"cache_dir={cache}"]
        name = f"pytest-{python.slug}{suffix}"
        report, again = LOGS / f"{name}.xml", LOGS / f"{name}-again.xml"
        # csploop's module declares nothing, so such a Python would take its GIL back for it.
        env = {} if python.has_gil else {"PYTHON_GIL": "0"}
        if not python.has_gil and stage.run(venv / "bin" / "python", "-c", GIL_IS_OFF, env=env):
            print(f"    {python.name}: csploop runs without a GIL here", flush=True)
        counts = stage.counted(report, *command, f"--junitxml={report}", *options, env=env)
        last_failed = cache / "v" / "cache" / "lastfailed"
        if last_failed.exists() and len(tests := json.loads(last_failed.read_text())) == counts.failed:
            loops = [option for option in options if option.startswith("--")]
            once_more = [*command, f"--junitxml={again}", *loops, *tests]
            ask_again(counts, once_more, partial(stage.counted, again, env=env))
        return counts

    return run


def comparison(python: Python, venv: Path) -> Callable[[Stage], Counts]:
    """The test bodies on the loops that ours are compared with.

    asyncio and uvloop fail, hang or die now and then on busy machines, and spoil what comes after. That is no
    finding of ours, so only what fails in a second session, too, counts; and both are kept out of the stages
    that test csploop.
    """

    def run(stage: Stage) -> Counts:
        session = pytest(python, venv, "--comparators=only", suffix="-comparators")
        first = session(stage)
        if not first.failed:
            return first
        second = session(stage)
        for name in first.failures.keys() - second.failures.keys():
            second.unsteady[name] = first.failures[name]
        return second

    return run


def python_asan(stage: Stage) -> Counts:
    """The Python tests on a core built with AddressSanitizer, whose runtime is preloaded."""
    configured = stage.run("cmake", "--preset", "asan")
    if not configured or not stage.run("cmake", "--build", "--preset", "asan", "--target", "csploop"):
        return failure("building the sanitized core")
    runtime = subprocess.run(
        ["c++", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    report = LOGS / "python-asan.xml"
    env = {
        "LD_PRELOAD": runtime,
        "LD_LIBRARY_PATH": str(ROOT / "build" / "asan"),
        # The interpreter leaves memory to the end of the process; leaks of the core are the C tests' matter.
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
        "PYTHONMALLOC": "malloc",
    }
    command = [sys.executable, "-m", "pytest", "--color=no", "--loops=csploop,csploop-uv", "--seconds=120"]
    # Here, and only here, the library in use is not the package's own.
    command += ["--deselect", "tests/python/test_ffi.py::test_library_beside_the_module_is_the_one_in_use"]
    return stage.counted(report, *command, f"--junitxml={report}", "tests/python", env=env)


def install(packages: str) -> bool:
    script = ROOT / "tools" / "system_packages.sh"
    return subprocess.run([script, packages], stdin=subprocess.DEVNULL, check=False).returncode == 0


def asyncio_suite(python: Python, venv: Path) -> Callable[[Stage], Counts]:
    """CPython's own tests of asyncio, with csploop as the loop."""

    def run(stage: Stage) -> Counts:
        if not set_up(stage, python, venv):
            return failure(f"{python.name}: setting up {venv.name}")
        if not stage.run(*python.command(venv / "bin" / "python", "-c", "import test.test_asyncio")):
            reason = f"{python.name} came without its own tests (Debian: libpython{python.version}-testsuite)"
            print(f"    {reason}", flush=True)
            return Counts(skipped=1, reasons=Counter([reason]))
        report = LOGS / f"asyncio-suite-{python.slug}.xml"
        again = LOGS / f"asyncio-suite-{python.slug}-again.xml"
        keep = ROOT / "build" / "asyncio-suite" / python.slug
        program = ROOT / "tests" / "asyncio_suite" / "run.py"
        command = python.command(venv / "bin" / "python", program, "--keep", keep, "--junit")
        counts = stage.counted(report, *command, report)
        # As test.test_asyncio.test_streams.StreamTests.test_read, or test_streams if the process died.
        modules = {re.sub(r"^test\.test_asyncio\.|\..*", "", name) for name in counts.failures}
        ask_again(counts, [*command, again, *sorted(modules)], partial(stage.counted, again))
        # The last lines of the log say what ran on which loop, and what the list of the left out lacks.
        for line in stage.log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("warning: ", python.implementation)):
                print(f"    {line}")
        return counts

    return run


@functools.cache
def interpreters() -> tuple[Python, list[Python]]:
    """The default one and the others to test on; says which those are."""
    # The interpreter below .venv is the default one: tools/venv.sh made it so.
    default = probe(sys.executable)
    if isinstance(default, str):
        raise SystemExit(f"{sys.executable}: {default}")
    wanted = os.environ.get("PYTHONS", "found")
    if wanted == "all":
        if not install("pypy"):
            print("PyPy could not be installed", flush=True)
        if not install("root"):
            print("what makes a root of Debian's unstable suite could not be installed", flush=True)
    if not install("tests"):
        print("what some tests use could not be installed (see above): they will fail", flush=True)
    others, lacking = choose(wanted, default)
    print(f"default interpreter: {default.name}")
    print(f"others: {', '.join(f'{python.name} ({python.where})' for python in others) or 'none'}")
    for name, reason in lacking.items():
        print(f"not tested on {name}: {reason}")
    sys.stdout.flush()
    return default, others


def suite_stages() -> list[tuple[str, Callable[[Stage], Counts]]]:
    default, others = interpreters()
    return [
        (
            f"asyncio suite {python.version}",
            asyncio_suite(python, ROOT / (".venv" if python is default else f".venvs/{python.slug}")),
        )
        for python in (default, *others)
        if python.implementation == "CPython"
    ]


def python_stages() -> list[tuple[str, Callable[[Stage], Counts]]]:
    default, others = interpreters()
    stages = [(default.name, pytest(default, ROOT / ".venv", "--comparators=without"))]
    stages.append((f"{default.name}, comparators", comparison(default, ROOT / ".venv")))
    if default.implementation == "CPython":
        files = [f"tests/python/test_{name}.py" for name in INSIDE_TRIO.split()]
        inside = pytest(default, ROOT / ".venv", "--loops=csploop-trio", *files, suffix="-trio")
        stages.append((f"{default.name} inside Trio", inside))
    # The newest CPython: on PyPy the programs take minutes.
    newest = max(
        (each for each in others if each.implementation == "CPython" and each.has_gil),
        key=lambda each: each.numbers,
        default=None,
    )
    for python in others:
        # The comparison with other loops is made on the default interpreter.
        options = ["--comparators=without"]
        if not python.has_gil:
            options.append("tests/python")  # its environment has no programs of others
        elif python is not newest:
            options += ["tests/python", "tests/with_trio"]
            options += [f"tests/interop/{name}" for name in INTEROP_EVERYWHERE]
            options += [f"--ignore=tests/python/test_{name}.py" for name in ABOUT_THIS_TREE]
            if python.implementation == "CPython" and CSP_FROM <= python.numbers < CSP_BEFORE:
                options.append("tests/with_csp")
        stages.append((python.name, pytest(python, ROOT / ".venvs" / python.slug, *options)))
    return stages


NATIVE = {"core": "dev", "asan": "asan", "ubsan": "ubsan", "tsan": "tsan"}


def perform(stages: list[tuple[str, Callable[[Stage], Counts]]], jobs: int) -> list[Result]:
    """Native stages use all processors, one after the other; then the others go on, `jobs` at a time."""

    def one(number: int, name: str, run: Callable[[Stage], Counts]) -> Result:
        print(f"[{number}/{len(stages)}] {name} …", flush=True)
        stage = Stage(name)
        start = time.monotonic()
        counts = run(stage)
        result = Result(name, time.monotonic() - start, counts)
        with showing:
            print(f"    {name}: {counts} in {result.seconds:.0f} s", flush=True)
            if counts.failed:
                stage.show_end()
        return result

    showing = threading.Lock()
    numbered = [(number, name, run) for number, (name, run) in enumerate(stages, 1)]
    results = [one(*each) for each in numbered if each[1] in NATIVE]
    with ThreadPoolExecutor(jobs) as pool:
        others = [pool.submit(one, *each) for each in numbered if each[1] not in NATIVE]
        try:
            return results + [each.result() for each in others]
        except BaseException:  # Ctrl-C, above all: let nothing go on behind our back
            pool.shutdown(wait=False, cancel_futures=True)
            Stage.stop_all()
            raise


def summarise(results: list[Result]) -> Counts:
    total = Counts()
    width = max(len(result.stage) for result in results)
    print(f"\n{'stage':<{width}}  seconds  passed  failed  skipped")
    for result in results:
        counts = result.counts
        numbers = f"{counts.passed:>6}  {counts.failed:>6}  {counts.skipped:>7}"
        print(f"{result.stage:<{width}}  {result.seconds:>7.0f}  {numbers}")
        total.add(counts)
    if total.reasons:
        print("\nskipped:")
        for reason, times in total.reasons.most_common():
            print(f"  {times:>4} × {' '.join(reason.split())[:150]}")
    for title, kept in (
        ("unsteady (failed, but not when asked again)", "unsteady"),
        ("failed", "failures"),
    ):
        if getattr(total, kept):
            print(f"\n{title}:")
        for result in results:
            for name, why in getattr(result.counts, kept).items():
                print(f"  {result.stage}: {name}\n      {why}")
    print()
    return total


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "stages",
        nargs="*",
        metavar="STAGE",
        help="core, asan, ubsan, tsan, lint, python, suite (none: all of these); python-asan, by hand only",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=min(4, 1 + (os.cpu_count() or 1)),
        metavar="N",
        help="how many Python stages go on at a time; half of their time is waiting"
        " (default: one more than there are processors, at most four)",
    )
    options = parser.parse_args()
    if options.jobs < 1:
        parser.error("--jobs: at least one")
    # A shell that starts us in the background has SIGINT ignored, for our children too. Tests need it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    names = options.stages or [*NATIVE, "lint", "python", "suite"]
    stages: list[tuple[str, Callable[[Stage], Counts]]] = []
    for name in names:
        if name in NATIVE:
            stages.append((name, native(NATIVE[name])))
        elif name == "lint":
            stages.append((name, lint))
        elif name == "python":
            stages += python_stages()
        elif name == "python-asan":
            stages.append((name, python_asan))
        elif name == "suite":
            stages += suite_stages()
        else:
            parser.error(f"there is no stage {name!r}")
    total = summarise(perform(stages, options.jobs))
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
