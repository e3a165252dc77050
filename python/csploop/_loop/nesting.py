"""Tools that let a loop run inside itself, such as nest_asyncio, are refused before they change one.

They replace the methods that run a loop with Python versions of asyncio's turn, on the class of the loop that
they are given, and so on every loop of that class. csploop's turn is not asyncio's: no loop of the process
would run afterwards. So their question whether a loop is one of theirs already, the first that they ask,
is answered with the reason, and so is the attempt to make a single turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from csploop._loop.state import LoopState

__all__ = ["NestingMixin"]

MARK = "_nest_patched"


class NestingMixin(LoopState):
    def _refuse_nesting(self) -> NoReturn:
        # Not an AttributeError, which would mean "no, not yet".
        raise RuntimeError(
            "a csploop loop cannot run inside itself, which is what nest_asyncio and its kin are for: await"
            " instead, run the inner code on a loop in another thread, or use asyncio's own loop"
        )

    def __dir__(self) -> Iterable[str]:
        # Whoever looks at all attributes must not meet the refusal.
        return [name for name in super().__dir__() if name != MARK]

    def _run_once(self) -> None:
        self._refuse_nesting()


setattr(NestingMixin, MARK, property(NestingMixin._refuse_nesting))
