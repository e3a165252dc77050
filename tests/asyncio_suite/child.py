"""Runs one module of the suite in this process and tells of each test on a line of JSON.

    python child.py MODULE REPORT [WORD …]

With words, only the tests whose names contain one of them run.

A test's line is written when it begins and another when it has ended, so that also the death of this process
has a name.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import sys
import time
import traceback
import unittest
from pathlib import Path
from typing import Any, TextIO

import left_out
from loops import SuiteLoop, take_over

PACKAGE = "test.test_asyncio"
# The slowest of them takes some seconds on an idle machine.
TEST_SECONDS = 60


def name_of(test: unittest.TestCase) -> str:
    return test.id().removeprefix(f"{PACKAGE}.")


class Teller(unittest.TestResult):
    """Writes down what becomes of each test."""

    def __init__(self, report: TextIO) -> None:
        super().__init__()
        self.report = report
        self.verdict: dict[str, Any] = {}
        self.loops = 0
        self.started = 0.0
        self.parent = os.getppid()

    def tell(self, **facts: Any) -> None:
        print(json.dumps(facts), file=self.report, flush=True)

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        if os.getppid() != self.parent:
            sys.exit("nobody waits for this any more")
        print("#", name_of(test), flush=True)
        self.tell(begins=name_of(test))
        self.verdict = {"verdict": "passed"}
        self.loops = SuiteLoop.made
        self.started = time.monotonic()
        faulthandler.dump_traceback_later(TEST_SECONDS, exit=True)

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        faulthandler.cancel_dump_traceback_later()
        # Some Pythons leave startTest out for a test of a skipped class.
        seconds = time.monotonic() - self.started if self.started else 0.0
        self.started = 0.0
        self.tell(
            test=name_of(test),
            seconds=seconds,
            on_csploop=SuiteLoop.made > self.loops,
            **self.verdict,
        )

    def failed(self, test: Any, error: Any) -> None:
        text = "".join(traceback.format_exception(*error))
        print(text, flush=True)
        told = {"verdict": "failed", "why": text}
        if isinstance(test, unittest.TestCase):
            self.verdict = told
        else:  # setUpClass and the like, outside of any test
            self.tell(test=str(test), seconds=0.0, on_csploop=False, **told)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self.failed(test, err)

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self.failed(test, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.failed(test, err)

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        if isinstance(test, unittest.TestCase):
            if self.verdict.get("verdict") != "failed":
                self.verdict = {"verdict": "skipped", "why": reason}
        else:
            self.tell(test=str(test), seconds=0.0, on_csploop=False, verdict="skipped", why=reason)

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self.verdict = {"verdict": "failed", "why": "unexpected success"}


def keep(suite: unittest.TestSuite, module: str, teller: Teller) -> unittest.TestSuite:
    """The suite without what is left out, which is told of; warns of entries that name no test."""
    entries = left_out.entries_for(module)
    used: set[str] = set()

    def kept(item: Any) -> Any:
        if isinstance(item, unittest.TestSuite):
            return unittest.TestSuite(kept(inner) for inner in item)
        name = name_of(item)
        for entry in entries:
            if entry.matches(name):
                used.add(entry.pattern)
                teller.tell(test=name, verdict="left out", why=entry.reason)
                return unittest.TestSuite()
        return item

    result = kept(suite)
    for entry in entries:
        if entry.pattern not in used:
            teller.tell(warning=f"{entry.pattern} is left out, but no such test exists")
    return result


def chosen(item: Any, only: list[str]) -> unittest.TestSuite:
    """The tests whose names contain one of these words, for looking into one of them."""
    if isinstance(item, unittest.TestSuite):
        return unittest.TestSuite(chosen(inner, only) for inner in item)
    return unittest.TestSuite([item] if any(word in name_of(item) for word in only) else [])


def main() -> int:
    module, report, *only = sys.argv[1:]
    with Path(report).open("w", encoding="utf-8") as stream:
        teller = Teller(stream)
        take_over()
        try:
            loaded = importlib.import_module(f"{PACKAGE}.{module}")
        except unittest.SkipTest as reason:
            teller.tell(test=module, verdict="skipped", why=str(reason))
            teller.tell(ended=module)
            return 0
        suite = keep(unittest.defaultTestLoader.loadTestsFromModule(loaded), module, teller)
        if only:
            suite = chosen(suite, only)
        suite.run(teller)
        teller.tell(ended=module)
    return 0


if __name__ == "__main__":
    sys.exit(main())
