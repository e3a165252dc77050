"""csp nodes, in csp's own language: its parser rewrites their bodies, which mean little to type checkers.

The pump is the hidden node in which a graph's engine turns the loop. It ticks on pushes, which only say that
something is to be done, and on one alarm for the loop's next deadline; all it does is the run's. The lambdas
reach into the engine: whoever gets them uses them between the node's start and stop blocks only.
"""
# mypy: ignore-errors

from __future__ import annotations

from datetime import timedelta

import csp
from csp import ts
from csp.impl.pushadapter import PushInputAdapter
from csp.impl.wiring import py_push_adapter_def

__all__ = ["WakeInput", "emitted_node", "pump", "simulated_pump", "wake_input"]


class WakeInput(PushInputAdapter):
    """Where pushes come in. The owner may push between the two calls and never outside of them."""

    def __init__(self, owner):
        self._owner = owner

    def start(self, starttime, endtime):
        self._owner._input_started(self.push_tick)

    def stop(self):
        self._owner._input_stopped()


wake_input = py_push_adapter_def("csploop_wake", WakeInput, ts[bool], memoize=False, owner=object)


@csp.node(memoize=False, name="csploop_pump")
def pump(run: object, wake: ts[bool]):
    with csp.alarms():
        alarm: ts[bool] = csp.alarm(bool)
    with csp.start():
        run._engine_started(
            lambda: csp.now(),
            lambda: csp.stop_engine(),
            lambda delay: csp.schedule_alarm(alarm, delay, True),
            lambda handle, delay: csp.reschedule_alarm(alarm, handle, delay),
            lambda handle: csp.cancel_alarm(alarm, handle),
        )
    with csp.stop():
        run._engine_stopped()
    if csp.ticked(alarm):
        run._alarm_fired()
    run._tick()


@csp.node(memoize=False, name="csploop_pump")
def simulated_pump(run: object):
    """In simulation csp drops pushes: alarms do all. Their value is the time that they are for."""
    with csp.alarms():
        alarm: ts[int] = csp.alarm(int)
    with csp.start():
        run._engine_started(
            lambda: csp.now(),
            lambda: csp.stop_engine(),
            lambda delay, at: csp.schedule_alarm(alarm, delay, at),
            lambda handle: csp.cancel_alarm(alarm, handle),
        )
    with csp.stop():
        run._engine_stopped()
    if csp.ticked(alarm):
        run._tick(alarm)


@csp.node(memoize=False, name="csploop_emitted")
def emitted_node(emitter: object, otype: "T") -> ts["T"]:
    with csp.alarms():
        value: ts["T"] = csp.alarm("T")
        kick: ts[bool] = csp.alarm(bool)
    with csp.start():
        emitter._bind(lambda when, what: csp.schedule_alarm(value, when, what))
        csp.schedule_alarm(kick, timedelta(), True)
    with csp.stop():
        emitter._unbind()
    if csp.ticked(kick):
        emitter._kick()
    if csp.ticked(value):
        emitter._landed()
        return value
