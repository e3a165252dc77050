"""The nodes of bridges, in csp's own language: its parser rewrites their bodies.

A bridge's values leave in batches, which csp.unroll makes one tick a cycle of: so Python runs once a batch on
the engine's thread. `wake` is a push from any thread; csp drops pushes in simulation, where the alarm `again`
does the same. The lambdas reach into the engine: they must not be used after the node has stopped.
"""
# mypy: ignore-errors

from __future__ import annotations

from datetime import timedelta
from typing import List

import csp
import numpy as np
from csp import ts
from csp.impl.wiring import py_push_adapter_def

from csploop.csp._nodes import WakeInput

__all__ = ["bridge_values", "bridge_wake", "record_arrays", "record_structs"]


bridge_wake = py_push_adapter_def(
    "csploop_bridge_wake", WakeInput, ts[bool], force_memoize=True, owner=object
)


@csp.node(force_memoize=True, name="csploop_bridge")
def bridge_values(port: object, wake: ts[bool], otype: "T") -> ts[List["T"]]:
    with csp.alarms():
        again: ts[bool] = csp.alarm(bool)
        call: ts[object] = csp.alarm(object)
    with csp.start():
        port._engine_started(
            lambda: csp.now(),
            lambda: csp.schedule_alarm(again, timedelta(), True),
            lambda when, what: csp.schedule_alarm(call, when, what),
            lambda handle: csp.cancel_alarm(call, handle),
        )
    with csp.stop():
        port._engine_stopped()
    if csp.ticked(call):
        port._call_due(call)
    if csp.ticked(wake) or csp.ticked(again):
        values = port._take()
        if values:
            return values


@csp.node(force_memoize=True, name="csploop_records")
def record_arrays(port: object, wake: ts[bool]) -> ts[np.ndarray]:
    with csp.start():
        port._engine_started()
    with csp.stop():
        port._engine_stopped()
    if csp.ticked(wake):
        batch = port._take()
        if batch is not None:
            return batch


@csp.node(force_memoize=True, name="csploop_record_structs")
def record_structs(port: object, batch: ts[np.ndarray], otype: "T") -> ts[List["T"]]:
    if csp.ticked(batch):
        return port._structs(batch)
