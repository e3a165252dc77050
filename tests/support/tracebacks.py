"""Tracebacks that pytest can show."""

from __future__ import annotations

import types


def number_lines(error: BaseException | None) -> None:
    """Gives each entry a line. From CPython 3.11 on there are jumps without, at which a bound may strike."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        error = waiting.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        waiting += [error.__cause__, error.__context__, *getattr(error, "exceptions", ())]
        before: types.TracebackType | None = None
        entry = error.__traceback__
        while entry is not None:
            if entry.tb_lineno is None:
                first = entry.tb_frame.f_code.co_firstlineno
                entry = types.TracebackType(entry.tb_next, entry.tb_frame, entry.tb_lasti, first)
                if before is None:
                    error.__traceback__ = entry
                else:
                    before.tb_next = entry
            before, entry = entry, entry.tb_next
