"""Whether somebody may end csp's engine without waking it.

Push adapters and adapter managers can end a run from threads of their own (shutdown_engine, and the same in
C++). That sets a flag at which an engine that sleeps does not look: csp counts on its waking ten times a
second. So where such an adapter may be in the graph, it goes on doing so; without one it sleeps.
"""

from __future__ import annotations

from typing import Any

from csp.impl.wiring.adapters import AdapterDef, OutputAdapterDef
from csp.impl.wiring.dynamic import DynamicNodeDef

__all__ = ["may_end_the_engine"]

# Input adapters by csp's names for them: those without threads, and those that only push.
HARMLESS = {"csp.const", "csp.timer", "csp.curve", "GenericPushAdapter", "_EngineStopSignal"}
OURS = "csploop_"


def may_end_the_engine(context: Any) -> bool:
    """Looks through a graph that is built."""
    todo: list[Any] = list(context.roots)
    seen: set[int] = set()
    while todo:
        definition = todo.pop()
        if id(definition) in seen:
            continue
        seen.add(id(definition))
        if _is_suspect(definition):
            return True
        todo.extend(edge.nodedef for _, edge in definition.ts_inputs())
    return False


def _is_suspect(definition: Any) -> bool:
    if isinstance(definition, DynamicNodeDef):
        return True  # whatever its sub-graphs will hold
    if not isinstance(definition, AdapterDef):
        return False
    if definition._managerDef is not None:
        return True
    name = type(definition).__name__
    return not (isinstance(definition, OutputAdapterDef) or name in HARMLESS or name.startswith(OURS))
