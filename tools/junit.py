"""Count what a JUnit file reports, whether CTest or pytest wrote it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SHOWN = 300  # characters of what went wrong


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: dict[str, str] = field(default_factory=dict)  # name -> what went wrong, in a line
    unsteady: dict[str, str] = field(default_factory=dict)  # so too; failed, but not when asked again
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures.update(other.failures)
        self.unsteady.update(other.unsteady)
        self.reasons.update(other.reasons)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def failure(name: str) -> Counts:
    """A stage that broke before any test could tell."""
    return Counts(failed=1, failures={name: ""})


# How GoogleTest tells why a test skipped itself; CTest only reports that it did.
GTEST_SKIPPED = re.compile(r": Skipped\n(.+)")


def skip_reason(case: ElementTree.Element, skipped: ElementTree.Element) -> str:
    told = GTEST_SKIPPED.search(case.findtext("system-out") or "")
    return told.group(1) if told else skipped.get("message") or "no reason given"


def what_went_wrong(case: ElementTree.Element) -> str:
    for kind in ("failure", "error"):
        told = case.find(kind)
        if told is not None:
            message = told.get("message") or ""
            if message == "internal error":  # pytest's own breakdown: the cause is the end of the text
                return " ".join((told.text or message).split())[-SHOWN:]
            return " ".join(message.split())[:SHOWN]
    return ""


def read(path: Path) -> Counts:
    """Test by test, not from the sums in the head: there CTest calls a test without a program skipped."""
    counts = Counts()
    names: dict[str, str] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name, suite = case.get("name") or "?", case.get("classname") or ""
        # CTest's suite is the test itself.
        if suite not in ("", name):
            name = f"{suite}.{name}"
        skipped = case.find("skipped")
        reason = "" if skipped is None else skip_reason(case, skipped)
        broken = case.find("failure") is not None or case.find("error") is not None
        # CTest files a test whose program is missing under skipped.
        not_started = reason.startswith("Unable to find executable")
        if broken or not_started or case.get("status") == "fail":
            verdict = "failed"
        elif skipped is not None or case.get("status") == "disabled":
            verdict = "skipped"
            counts.reasons[reason] += 1
        else:
            verdict = "passed"
        # pytest writes a second case for an error at teardown; the worse verdict counts, once.
        if names.get(name) != "failed":
            if name in names:
                setattr(counts, names[name], getattr(counts, names[name]) - 1)
            names[name] = verdict
            setattr(counts, verdict, getattr(counts, verdict) + 1)
            if verdict == "failed":
                counts.failures[name] = what_went_wrong(case)
    return counts
