#!/usr/bin/env python3
"""Run every test of this tree in stages, each into a log of its own, and sum up at the end.

The stages are core, asan, ubsan, tsan (C and C++), lint (ruff, mypy), python (every interpreter) and suite
(CPython's own tests of asyncio, on every CPython). If some are named on the command line, only those run.
The last line is `N passed, N failed, N skipped`; the exit status is 0 only if nothing failed.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from junit import Counts, failure, read
from pythons import Python, choose, probe

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "logs"
TAIL = 60
# The programs of others that run on every interpreter; all of them run on the default one and on one more.
INTEROP_EVERYWHERE = ("test_aiohttp_http.py", "test_aiohttp_websocket.py", "test_uvicorn.py")
# The CPythons that csp has wheels for, as pyproject.toml says.
CSP_FROM, CSP_BEFORE = (3, 11), (3, 14)
# What runs once more with Trio as the loop's driver: the bodies about I/O, processes and signals.
INSIDE_TRIO = (
    "bad_peers buffered_protocol call_soon connect context ctrl_c datagram datagram_endpoint executor"
    " flow_control large_transfer pause_reading pipes sendfile server server_life signals sock_datagrams"
    " sock_methods start_tls stream_contract streams subprocess subprocess_life tasks threadsafe timers tls"
    " unix watchers write"
)
# Tests on the loops that ours are compared with. What fails there now and then, as asyncio and uvloop do on
# busy machines, is no finding, nor is what it does to the tests after it: only what fails once more counts.
COMPARATOR = re.compile(r"[\[-](asyncio|uvloop)\b")
# Well above what two slow cores need; a stage that takes longer hangs.
STAGE_SECONDS = 1500


@dataclass
class Result:
    stage: str
    seconds: float
    counts: Counts


class Stage:
    """Runs the commands of one stage and keeps their output in a log."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log = LOGS / f"{name.lower().replace(' ', '-')}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        self.deadline = time.monotonic() + STAGE_SECONDS

    def run(self, *command: str | Path, env: dict[str, str] | None = None) -> bool:
        with self.log.open("a", encoding="utf-8") as log:
            print("$", *command, file=log, flush=True)
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
            try:
                return process.wait(max(1.0, self.deadline - time.monotonic())) == 0
            except subprocess.TimeoutExpired:
                print(f"stopped: the stage took more than {STAGE_SECONDS} s", file=log)
                return False
            finally:
                # Also what the command left behind, and on Ctrl-C; its process group is its own.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def show_end(self) -> None:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        print(*(f"    | {line}" for line in lines[-TAIL:]), sep="\n")
        print(f"    all of it: {self.log.relative_to(ROOT)}", flush=True)


def counted(
    stage: Stage, report: Path, *command: str | Path, env: dict[str, str] | None = None
) -> Counts:
    """Runs a command that writes a JUnit report. One without a failure does not excuse its exit status."""
    report.unlink(missing_ok=True)
    worked = stage.run(*command, env=env)
    if not report.exists():
        return failure(f"{stage.name}: died without a report")
    counts = read(report)
    if not worked and counts.failed == 0:
        counts.add(failure(f"{stage.name}: ended with an error"))
    if counts.passed + counts.failed == 0:
        counts.add(failure(f"{stage.name}: ran no tests"))
    return counts


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
        report = LOGS / f"{preset}.xml"
        return counted(stage, report, "ctest", "--preset", preset, "-j", jobs, "--output-junit", report)

    return run


def lint(stage: Stage) -> Counts:
    counts = Counts()
    for command in (["ruff", "check", "."], ["mypy"]):
        if stage.run(sys.executable, "-m", *command):
            counts.passed += 1
        else:
            counts.add(failure(command[0]))
    return counts


def pytest(python: Python, venv: Path, *options: str, suffix: str = "") -> Callable[[Stage], Counts]:
    def run(stage: Stage) -> Counts:
        if not stage.run("tools/venv.sh", python.executable, venv):
            return failure(f"{python.name}: setting up {venv.name}")
        cache = f"cache_dir=build/pytest/{python.slug}{suffix}"
        command = [venv / "bin" / "python", "-m", "pytest", "--color=no", "-o", cache, *options]
        report = LOGS / f"pytest-{python.slug}{suffix}.xml"
        counts = counted(stage, report, *command, f"--junitxml={report}")
        if any(COMPARATOR.search(name) for name in counts.failures):
            again = LOGS / f"pytest-{python.slug}{suffix}-again.xml"
            counts.settle(counted(stage, again, *command, "--last-failed", f"--junitxml={again}"))
        return counts

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
    command = [sys.executable, "-m", "pytest", "--color=no", "--loops=csploop,csploop-uv", "--seconds=60"]
    # Here, and only here, the library in use is not the package's own.
    command += ["--deselect", "tests/python/test_ffi.py::test_library_beside_the_module_is_the_one_in_use"]
    return counted(stage, report, *command, f"--junitxml={report}", "tests/python", env=env)


def install(packages: str) -> bool:
    script = ROOT / "tools" / "system_packages.sh"
    return subprocess.run([script, packages], stdin=subprocess.DEVNULL, check=False).returncode == 0


def asyncio_suite(python: Python, venv: Path) -> Callable[[Stage], Counts]:
    """CPython's own tests of asyncio, with csploop as the loop."""

    def run(stage: Stage) -> Counts:
        if not stage.run("tools/venv.sh", python.executable, venv):
            return failure(f"{python.name}: setting up {venv.name}")
        if not stage.run(venv / "bin" / "python", "-c", "import test.test_asyncio"):
            reason = f"{python.name} came without its own tests (Debian: libpython{python.version}-testsuite)"
            print(f"    {reason}", flush=True)
            return Counts(skipped=1, reasons=Counter([reason]))
        report = LOGS / f"asyncio-suite-{python.slug}.xml"
        keep = ROOT / "build" / "asyncio-suite" / python.slug
        program = ROOT / "tests" / "asyncio_suite" / "run.py"
        counts = counted(stage, report, venv / "bin" / "python", program, "--junit", report, "--keep", keep)
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
    if wanted == "all" and not install("pypy"):
        print("PyPy could not be installed", flush=True)
    if not install("tests"):
        print("what some tests use could not be installed (see above): they will fail", flush=True)
    others, lacking = choose(wanted, default)
    print(f"default interpreter: {default.name}")
    print(f"others: {', '.join(f'{python.name} ({python.executable})' for python in others) or 'none'}")
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
    stages = [(default.name, pytest(default, ROOT / ".venv"))]
    if default.implementation == "CPython":
        files = [f"tests/python/test_{name}.py" for name in INSIDE_TRIO.split()]
        inside = pytest(default, ROOT / ".venv", "--loops=csploop-trio", *files, suffix="-trio")
        stages.append((f"{default.name} inside Trio", inside))
    # The newest CPython: on PyPy the programs take minutes.
    newest = max((each for each in others if each.implementation == "CPython"), key=version_key, default=None)
    for python in others:
        # The comparison with other loops has been made on the default interpreter.
        options = ["--loops=csploop,csploop-uv"]
        if python is not newest:
            options += ["tests/python", "tests/with_trio"]
            options += [f"tests/interop/{name}" for name in INTEROP_EVERYWHERE]
            if python.implementation == "CPython" and CSP_FROM <= version_key(python) < CSP_BEFORE:
                options.append("tests/with_csp")
        stages.append((python.name, pytest(python, ROOT / ".venvs" / python.slug, *options)))
    return stages


def version_key(python: Python) -> tuple[int, ...]:
    return tuple(int(part) for part in python.version.split("."))


NATIVE = {"core": "dev", "asan": "asan", "ubsan": "ubsan", "tsan": "tsan"}


def perform(stages: list[tuple[str, Callable[[Stage], Counts]]]) -> list[Result]:
    results = []
    for number, (name, run) in enumerate(stages, 1):
        print(f"[{number}/{len(stages)}] {name} …", flush=True)
        stage = Stage(name)
        start = time.monotonic()
        counts = run(stage)
        results.append(Result(name, time.monotonic() - start, counts))
        print(f"    {counts} in {results[-1].seconds:.0f} s", flush=True)
        if counts.failed:
            stage.show_end()
    return results


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
    if total.failures:
        print("\nfailed:")
        for result in results:
            for name in result.counts.failures:
                print(f"  {result.stage}: {name}")
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
    names = parser.parse_args().stages or [*NATIVE, "lint", "python", "suite"]
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
    total = summarise(perform(stages))
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
