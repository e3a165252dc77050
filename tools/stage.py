"""One stage of the tests: commands whose output goes into one log, and what their reports count."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from junit import Counts, failure, read

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "logs"
TAIL = 60
# Well above what two slow cores need; a stage that takes longer hangs.
STAGE_SECONDS = 2400
# What fails is asked again if it is not much, to tell who looks for the cause which kind it is. A test that
# passes then, so many times in a row, is unsteady. It has failed all the same: such a one was a lost Ctrl-C.
UNSTEADY_AT_MOST = 3
STEADY = 3


class Stage:
    """Runs the commands of one stage and keeps their output in a log."""

    _running: set[int] = set()  # process groups, of all stages
    _stopped = threading.Event()

    def __init__(self, name: str) -> None:
        self.name = name
        self.log = LOGS / f"{name.lower().replace(' ', '-').replace(',', '')}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        self.deadline = time.monotonic() + STAGE_SECONDS

    def run(self, *command: str | Path, env: dict[str, str] | None = None) -> bool:
        with self.log.open("a", encoding="utf-8") as log:
            print("$", *command, file=log, flush=True)
            if self._stopped.is_set():
                return False
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
            self._running.add(process.pid)
            try:
                return process.wait(max(1.0, self.deadline - time.monotonic())) == 0
            except subprocess.TimeoutExpired:
                print(f"stopped: the stage took more than {STAGE_SECONDS} s", file=log)
                return False
            finally:
                # Also what the command left behind; its process group is its own.
                _end_group(process.pid)
                self._running.discard(process.pid)
                process.wait()

    def counted(self, report: Path, *command: str | Path, env: dict[str, str] | None = None) -> Counts:
        """Runs a command that writes a JUnit report. One without failures does not excuse its exit status."""
        report.unlink(missing_ok=True)
        worked = self.run(*command, env=env)
        if not report.exists():
            return failure(f"{self.name}: died without a report")
        counts = read(report)
        if not worked and counts.failed == 0:
            counts.add(failure(f"{self.name}: ended with an error"))
        if counts.passed + counts.failed == 0:
            counts.add(failure(f"{self.name}: ran no tests"))
        return counts

    def show_end(self) -> None:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        print(*(f"    | {line}" for line in lines[-TAIL:]), sep="\n")
        print(f"    all of it: {self.log.relative_to(ROOT)}", flush=True)

    @classmethod
    def stop_all(cls) -> None:
        """Ends what all stages run now, and keeps them from starting more."""
        cls._stopped.set()
        for group in list(cls._running):
            _end_group(group)


def _end_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def ask_again(counts: Counts, command: Sequence[str | Path] | None, run: Callable[..., Counts]) -> None:
    """Runs the command, which has nothing but the failed tests, to note whether they are unsteady."""
    if command is None or not 0 < counts.failed <= UNSTEADY_AT_MOST:
        return
    for _ in range(STEADY):
        if run(*command).failed:
            return
    counts.unsteady.update(counts.failures)
