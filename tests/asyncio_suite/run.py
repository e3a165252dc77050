#!/usr/bin/env python3
"""Run CPython's own tests of asyncio, those of the running interpreter, with csploop as the loop.

    python run.py [--junit FILE] [--keep DIRECTORY] [MODULE …]

Each module has a process of its own, so that a test that kills or hangs one spoils no other. At the end
stands how many tests ran and passed, and how many were left out and why (left_out.py). The exit status is 0
only if nothing failed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# The longest module takes about half a minute on an idle machine.
MODULE_SECONDS = 420


@dataclass
class Module:
    """What came of one module. `tests` are the lines that child.py told, one for each test."""

    name: str
    tests: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, verdict: str) -> int:
        return sum(test["verdict"] == verdict for test in self.tests)


def find_modules() -> dict[str, int]:
    """The suite's modules and their sizes, or {} where this interpreter came without them."""
    try:
        spec = importlib.util.find_spec("test.test_asyncio")
    except ModuleNotFoundError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        return {}
    directory = Path(next(iter(spec.submodule_search_locations)))
    return {path.stem: path.stat().st_size for path in directory.glob("test_*.py")}


def run_module(name: str, directory: Path) -> Module:
    module = Module(name)
    report = directory / f"{name}.json"
    log = directory / f"{name}.log"
    report.unlink(missing_ok=True)
    scratch = directory / name
    scratch.mkdir(exist_ok=True)
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "child.py"), name, str(report)],
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            end = describe_end(process.wait(MODULE_SECONDS))
        except subprocess.TimeoutExpired:
            end = f"took more than {MODULE_SECONDS} s"
        finally:
            with contextlib.suppress(ProcessLookupError):  # nothing was left
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    module.seconds = time.monotonic() - started
    read_report(module, report, end, log)
    return module


def describe_end(code: int) -> str:
    return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"


def read_report(module: Module, report: Path, end: str, log: Path) -> None:
    begun = None
    ended = False
    lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
    for line in lines:
        told = json.loads(line)
        if "begins" in told:
            begun = told["begins"]
        elif "warning" in told:
            module.warnings.append(told["warning"])
        elif "ended" in told:
            ended = True
        else:
            module.tests.append(told)
            begun = None
    if not ended:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:])
        why = f"the process of {module.name} {end}; what came after this test did not run\n{tail}"
        module.tests.append({"test": begun or module.name, "verdict": "failed", "why": why})


def write_junit(modules: list[Module], path: Path) -> None:
    root = ElementTree.Element("testsuites")
    for module in modules:
        suite = ElementTree.SubElement(root, "testsuite", name=module.name)
        for test in module.tests:
            case = ElementTree.SubElement(
                suite, "testcase", name=test["test"], time=f"{test.get('seconds', 0.0):.3f}"
            )
            verdict, why = test["verdict"], test.get("why", "")
            if verdict == "failed":
                ElementTree.SubElement(case, "failure", message=printable(why.strip().rpartition("\n")[2]))
            elif verdict == "skipped":
                ElementTree.SubElement(case, "skipped", message=printable(f"asyncio suite itself: {why}"))
            elif verdict != "passed":
                ElementTree.SubElement(case, "skipped", message=printable(f"asyncio suite, {verdict}: {why}"))
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def printable(text: str) -> str:
    """XML has no control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def summarise(modules: list[Module]) -> bool:
    """Prints what became of the tests; whether nothing failed."""
    verdicts = ("passed", "failed", "left out", "skipped")
    print(f"\n{'module':<26}" + "".join(f"{verdict:>10}" for verdict in verdicts) + f"{'seconds':>10}")
    for module in modules:
        numbers = "".join(f"{module.count(verdict):>10}" for verdict in verdicts)
        print(f"{module.name:<26}{numbers}{module.seconds:>10.1f}")
    tests = [test for module in modules for test in module.tests]
    for verdict, title in (
        ("left out", "left out, for they test something else than the public interface of a loop"),
        ("skipped", "skipped by the suite itself"),
    ):
        reasons = Counter(test.get("why", "") for test in tests if test["verdict"] == verdict)
        if reasons:
            print(f"\n{title}:")
            for reason, times in reasons.most_common():
                print(f"  {times:>5} × {' '.join(reason.split())}")
    for module in modules:
        for warning in module.warnings:
            print(f"\nwarning: {warning}", end="")
    failed = [test for test in tests if test["verdict"] == "failed"]
    for test in failed:
        print(f"\nfailed: {test['test']}\n{test.get('why', '')}")
    total = Counter(test["verdict"] for test in tests)
    ran = total["passed"] + total["failed"]
    ours = sum(bool(test.get("on_csploop")) for test in tests if test["verdict"] in ("passed", "failed"))
    print(
        f"\n{platform.python_implementation()} {platform.python_version()}'s test.test_asyncio on csploop: "
        f"{ran} ran ({ours} of them on csploop's loop, {ran - ours} need no loop or bring a mock one), "
        f"{total['passed']} passed, {total['failed']} failed, {total['left out']} left out, "
        f"{total['skipped']} skipped by the suite itself"
    )
    return not failed and ours > 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--junit", type=Path, help="also write a JUnit report")
    parser.add_argument("--keep", type=Path, help="where reports and output of the modules go")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="as test_streams; none: all")
    options = parser.parse_args()
    sizes = find_modules()
    if not sizes:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        print(
            f"{sys.executable} came without its own tests (test.test_asyncio). Debian has them in "
            f"libpython{version}-testsuite; Pythons built from source or by pyenv bring them."
        )
        return 2
    unknown = set(options.modules) - set(sizes)
    if unknown:
        parser.error(f"there is no module {', '.join(sorted(unknown))}")
    # The long ones first, so that none of them is alone at the end.
    names = sorted(options.modules or sizes, key=lambda name: -sizes[name])
    with tempfile.TemporaryDirectory(prefix="csploop-suite-") as temporary:
        directory = (options.keep or Path(temporary)).resolve()
        directory.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(2) as pool:
            modules = list(pool.map(lambda name: run_module(name, directory), names))
    modules.sort(key=lambda module: module.name)
    good = summarise(modules)
    if options.junit is not None:
        write_junit(modules, options.junit)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
