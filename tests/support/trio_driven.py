"""A loop whose every run is a Trio run that drives it, so that test bodies for any loop run inside Trio."""

from __future__ import annotations

import csploop
import trio
from csploop.trio._driving import Driving


class TrioDrivenLoop(csploop.Loop):
    def run_forever(self):
        self._check_closed()
        self._check_running()

        async def drive(driving, ended):
            try:
                await driving.run()
            finally:
                ended.set()

        async def main():
            driving = Driving(self)
            driving.open()
            if self._stopping:
                driving.stop()  # stop() before a run gives it one turn
            ended = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(drive, driving, ended)
                try:
                    await ended.wait()
                except BaseException:  # Ctrl-C, which Trio raises in its main task
                    driving.stop()
                    raise

        try:
            trio.run(main)
        except BaseException as exc:
            # What one task raised, as a loop without Trio raises it.
            while len(getattr(exc, "exceptions", ())) == 1:
                exc = exc.exceptions[0]
            raise exc from exc.__cause__
