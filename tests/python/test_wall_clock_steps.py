"""Timers of the wall clock, and the others, when somebody sets that clock."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.wall_clock import needs_settable_wall_clock, run_with_wall_clock

pytestmark = [
    pytest.mark.ours("asyncio has no timers of the wall clock"),
    pytest.mark.timeout(120),
    needs_settable_wall_clock,
]


def test_wall_timers_follow_the_clock_forward(tmp_path: Path) -> None:
    """The loop sleeps when the clock is set: only its descriptor can tell."""
    run_with_wall_clock(
        tmp_path,
        """
        import asyncio, threading, time
        import csploop

        async def main():
            fired = asyncio.Event()
            asyncio.get_running_loop()._call_at_wall(time.time_ns() + 3600 * 10**9, fired.set)
            await asyncio.sleep(0.01)
            assert not fired.is_set()
            stepper = threading.Timer(0.05, step, (3601,))
            stepper.start()
            await asyncio.wait_for(fired.wait(), 60)
            stepper.join()

        csploop.run(main())
        """,
    )


def test_wall_timers_follow_the_clock_back(tmp_path: Path) -> None:
    """A timer that was nearly due waits again; one on the monotonic clock knows nothing of it."""
    run_with_wall_clock(
        tmp_path,
        """
        import asyncio, time
        import csploop

        async def main():
            loop = asyncio.get_running_loop()
            near, far = asyncio.Event(), asyncio.Event()
            loop._call_at_wall(time.time_ns() + 1800 * 10**9, far.set)
            await asyncio.sleep(0.01)
            loop._call_at_wall(time.time_ns() + 10**8, near.set)
            step(-3600)
            await asyncio.sleep(0.2)
            assert not near.is_set() and not far.is_set()
            step(3601)
            await asyncio.wait_for(near.wait(), 60)
            assert not far.is_set()
            step(1801)
            await asyncio.wait_for(far.wait(), 60)

        csploop.run(main())
        """,
    )
