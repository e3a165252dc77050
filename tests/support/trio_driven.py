"""A loop whose every run is a Trio run that drives it, so that test bodies for any loop run inside Trio."""

from __future__ import annotations

import csploop
import trio
from csploop.trio._driving import Driving


class TrioDrivenLoop(csploop.Loop):
    def run_forever(self):
        self._check_closed()
        self._check_running()

        async def main():
            driving = Driving(self)
            driving.open()
            if self._stopping:
                driving.stop()  # stop() before a run gives it one turn
            await driving.run()

        trio.run(main)
