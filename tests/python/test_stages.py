"""How `make test` counts: what fails is asked again, and has failed whatever comes of that."""

from __future__ import annotations

import pathlib
import sys

import pytest

TOOLS = pathlib.Path(__file__).parents[2] / "tools"


@pytest.fixture
def tools(monkeypatch):
    """The modules of `tools`, which is no package."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import junit
    import stage

    yield junit, stage
    for name in ("junit", "stage"):
        del sys.modules[name]


def outcomes(junit, *failed):
    """A run for each, with so many failures."""
    remaining = list(failed)

    def run(*command):
        number = remaining.pop(0)
        return junit.Counts(passed=1 - number, failed=number)

    return run, remaining


def one_failure(junit):
    return junit.Counts(passed=5, failed=1, failures={"test": "why"})


def test_what_passes_each_time_it_is_asked_again_is_unsteady_and_has_failed(tools):
    junit, stage = tools
    counts = one_failure(junit)
    run, remaining = outcomes(junit, 0, 0, 0)
    stage.ask_again(counts, ["command"], run)
    assert (counts.passed, counts.failed) == (5, 1)
    assert counts.failures == counts.unsteady == {"test": "why"}
    assert remaining == []


@pytest.mark.parametrize("later", [(1,), (0, 1), (0, 0, 1)], ids=str)
def test_what_fails_once_more_is_not_unsteady(tools, later):
    junit, stage = tools
    counts = one_failure(junit)
    run, remaining = outcomes(junit, *later)
    stage.ask_again(counts, ["command"], run)
    assert (counts.passed, counts.failed, counts.failures, counts.unsteady) == (5, 1, {"test": "why"}, {})
    assert remaining == []


def test_many_failures_are_no_accident(tools):
    junit, stage = tools
    counts = junit.Counts(failed=4, failures=dict.fromkeys("abcd", ""))
    stage.ask_again(counts, ["command"], lambda *command: pytest.fail("asked again"))
    assert counts.failed == 4


def test_a_report_tells_what_went_wrong(tools, tmp_path):
    junit, _ = tools
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testsuite>"
        "<testcase classname='tests.python.test_it' name='test_good'/>"
        "<testcase classname='tests.python.test_it' name='test_bad'><failure message='1 &gt; 2'/></testcase>"
        "<testcase classname='tests.python.test_it' name='test_left'><skipped message='no'/></testcase>"
        "<testcase classname='pytest' name='internal'>"
        f"<error message='internal error'>{'A frame' * 100}\n  Its cause\n</error></testcase>"
        "</testsuite></testsuites>"
    )
    counts = junit.read(report)
    assert (counts.passed, counts.failed, counts.skipped) == (1, 2, 1)
    assert counts.failures == {
        "tests.python.test_it.test_bad": "1 > 2",
        "pytest.internal": ("A frame" * 100 + " Its cause")[-junit.SHOWN :],
    }


def test_a_command_that_ends_with_an_error_has_failed_whatever_its_report_says(tools, tmp_path, monkeypatch):
    _, stage = tools
    monkeypatch.setattr(stage, "LOGS", tmp_path)
    report = tmp_path / "report.xml"
    text = "<testsuites><testcase name='test_good'/></testsuites>"
    code = f"import pathlib; pathlib.Path({str(report)!r}).write_text({text!r}); raise SystemExit(%d)"
    one = stage.Stage("one")
    assert one.counted(report, sys.executable, "-c", code % 0).failed == 0
    assert one.counted(report, sys.executable, "-c", code % 3).failures == {"one: ended with an error": ""}
    died = one.counted(report, sys.executable, "-c", "raise SystemExit(0)")
    assert died.failures == {"one: died without a report": ""}
