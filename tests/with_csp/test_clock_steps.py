"""What a change of the wall clock does to runs in realtime and to bridges. csp itself lives on that clock."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.wall_clock import needs_settable_wall_clock, run_with_wall_clock

pytestmark = [pytest.mark.timeout(120), needs_settable_wall_clock]


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_coroutine_sleeps_as_long_as_it_said(tmp_path: Path, seconds: int) -> None:
    """The engine is idle when the clock is set: its alarm for the loop is then at the wrong time."""
    run_with_wall_clock(
        tmp_path,
        f"""
        import asyncio, threading, time
        from datetime import timedelta
        import csp
        import csploop.csp

        async def sleeper():
            begun = time.monotonic()
            stepper = threading.Timer(0.05, step, ({seconds},))
            stepper.start()
            await asyncio.sleep(0.5)
            stepper.join()
            assert time.monotonic() - begun >= 0.5
            csploop.csp.stop_engine()

        csploop.csp.run(
            lambda: csploop.csp.async_in(sleeper(), output_type=object),
            realtime=True,
            endtime=timedelta(days=1),
        )
        """,
    )


def test_bridges_call_at_follows_the_clock_and_call_later_does_not(tmp_path: Path) -> None:
    run_with_wall_clock(
        tmp_path,
        """
        import threading
        from datetime import datetime, timedelta, timezone
        from csploop.csp import AsyncioBridge

        def now():
            return datetime.now(timezone.utc)

        with AsyncioBridge() as bridge:
            at, offset, later = threading.Event(), threading.Event(), threading.Event()
            bridge.call_at(now() + timedelta(hours=1), at.set)
            bridge.call_at_offset(timedelta(hours=1), offset.set)
            bridge.call_later(0.2, later.set)
            step(-1800)
            assert later.wait(60)
            assert not at.is_set() and not offset.is_set()
            step(1800 + 3601)
            assert at.wait(60) and offset.wait(60)
            assert bridge.elapsed_since_start() >= timedelta(hours=1)
        """,
    )
