"""The live line: rewritten in place on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import asyncio
import shutil
import sys
from typing import Callable, TextIO

ON_TERMINAL, ELSEWHERE = 0.25, 3.0  # s between two lines


class Progress:
    def __init__(self, line: Callable[[], str], out: TextIO = sys.stdout) -> None:
        self._line = line
        self._out = out
        self._tty = out.isatty()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(ON_TERMINAL if self._tty else ELSEWHERE)
            self._show()

    def _show(self) -> None:
        text = self._line()
        if self._tty:
            width = shutil.get_terminal_size().columns - 1
            text = "\r\x1b[K" + text[:width]
        else:
            text += "\n"
        self._out.write(text)
        self._out.flush()

    def clear(self) -> None:
        if self._tty:
            self._out.write("\r\x1b[K")
            self._out.flush()
