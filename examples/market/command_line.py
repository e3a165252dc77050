"""What the command lines of both programs have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

RECORDING = Path(__file__).resolve().parent.parent / "data" / "ticks.csv.gz"


def number(kind: type, low: float, high: float, what: str) -> Any:
    """An argparse type: a number within limits, else one clear line."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} from {low:g} to {high:g}")
        return value

    return parse


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:  # argparse's own prints the usage too, and buries the reason
        self.exit(2, f"{self.prog}: {message} (--help tells more)\n")

    def real(
        self, option: str, low: float, high: float, default: float, what: str, metavar: str = "X"
    ) -> None:
        """Adds an option: a number from low to high."""
        kind = number(float, low, high, "a number")
        help_ = f"{what} (default: {default:g})"
        self.add_argument(option, type=kind, default=default, metavar=metavar, help=help_)

    def whole(self, option: str, low: int, high: int, default: int, what: str, metavar: str = "N") -> None:
        """Adds an option: a whole number from low to high."""
        kind = number(int, low, high, "a whole number")
        help_ = f"{what} (default: {default})"
        self.add_argument(option, type=kind, default=default, metavar=metavar, help=help_)


def parser(prog: str, description: str | None, epilog: str, until: str) -> Parser:
    """With the options that both programs have; until says what --seconds 0 means."""
    formatter = argparse.RawDescriptionHelpFormatter
    made = Parser(prog=prog, description=description, epilog=epilog, formatter_class=formatter)
    made.real("--seconds", 0, 1e6, 15.0, f"how long to run; 0: {until}", "S")
    made.whole("--port", 0, 65535, 0, "TCP port on 127.0.0.1; 0: any free one, the URL is printed")
    made.real("--speed", 0.01, 1e5, 150.0, "times the recorded day's pace; at 150, some 400 ticks a second")
    made.add_argument(
        "--ticks",
        type=Path,
        default=RECORDING,
        metavar="FILE",
        help="another recording, CSV or CSV.gz in the format that market/make_ticks.py writes",
    )
    return made
