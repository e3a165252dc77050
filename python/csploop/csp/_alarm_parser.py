"""How csp's node parser learns of `csp.async_alarm`, `csp.schedule_async_alarm` and `csp.await_`.

    with csp.alarms():                               with csp.alarms():
        a: ts[int] = csp.async_alarm(int)                a: ts[int] = csp.alarm(int)
                                                     with csp.state():
                                                         #async_a = NodeAlarm("a", #inp_0)
                                              ->     with csp.stop():
                                                         #async_a.stop()
                                                     if csp.ticked(a):
                                                         #async_a.landed()
    csp.schedule_async_alarm(a, coro)                #async_a.schedule(coro)

Names that begin with # are the parser's own habit: no source can spell them. Nodes that were defined while
the parser knew keep what they got.
"""

from __future__ import annotations

import ast
import copy
from typing import Any, Callable

from csp.impl.types.common_definitions import ArgKind
from csp.impl.wiring.base_parser import CspParseError
from csp.impl.wiring.node_parser import NodeParser

from csploop.csp._alarms import NodeAlarm

__all__ = ["ParserChange"]

MAKE = "#csploop_node_alarm"


class ParserChange:
    """What is different in csp's NodeParser between `apply()` and `undo()`."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def apply(self) -> None:
        self._replace("_parse_alarms", _parse_alarms)
        self._replace("_parse_special_blocks", _parse_special_blocks)
        for name, method in METHODS.items():
            self._add(name, method)

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()

    def _replace(self, name: str, make: Callable[[Any], Any]) -> None:
        original = NodeParser.__dict__[name]
        setattr(NodeParser, name, make(original))
        self._undo.append(lambda: setattr(NodeParser, name, original))

    def _add(self, name: str, method: Callable[[Any, Any], Any]) -> None:
        methods = NodeParser.METHOD_MAP
        missing = object()
        original = methods.get(name, missing)
        methods[name] = method
        self._undo.append(
            lambda: methods.pop(name) if original is missing else methods.__setitem__(name, original)
        )


def _parse_alarms(original: Any) -> Any:
    def parse_alarms(self: Any, node: Any) -> Any:
        names: list[str] = []
        if isinstance(node, ast.With):
            node = copy.copy(node)
            node.body = [_plain(statement, names) for statement in node.body]
        result = original(self, node)
        inputs = {definition.name: definition.ts_idx for definition in self._inputs}
        self._csploop_async_alarms = {name: inputs[name] for name in names}
        return result

    return parse_alarms


def _plain(statement: Any, names: list[str]) -> Any:
    """The statement with csp.alarm where it has csp.async_alarm."""
    call = getattr(statement, "value", None)
    if not isinstance(call, ast.Call) or not _is_async_alarm(call.func):
        return statement
    target: Any = statement.target if isinstance(statement, ast.AnnAssign) else None
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    if not isinstance(target, ast.Name):
        raise CspParseError("exactly one async alarm can be assigned per line", statement.lineno)
    if call.keywords or len(call.args) > 1:
        raise CspParseError("csp.async_alarm takes one argument, the type", statement.lineno)
    names.append(target.id)
    plain = copy.copy(call)
    plain.func = ast.copy_location(
        ast.Attribute(value=ast.Name(id="csp", ctx=ast.Load()), attr="alarm", ctx=ast.Load()), call.func
    )
    plain.args = call.args or [ast.copy_location(ast.Name(id="object", ctx=ast.Load()), call)]
    changed = copy.copy(statement)
    changed.value = plain
    return ast.fix_missing_locations(changed)


def _is_async_alarm(function: Any) -> bool:
    if isinstance(function, ast.Attribute):
        return (
            function.attr == "async_alarm"
            and isinstance(function.value, ast.Name)
            and function.value.id == "csp"
        )
    return isinstance(function, ast.Name) and function.id == "async_alarm"


def _parse_special_blocks(original: Any) -> Any:
    def parse_special_blocks(self: Any, body: list[Any]) -> Any:
        self._csploop_async_alarms = {}
        index = original(self, body)
        alarms = self._csploop_async_alarms
        if alarms:
            self._func_globals_modified[MAKE] = NodeAlarm
            line = body[0]
            made = [
                f"{_variable(name)} = {_spell(MAKE)}({name!r}, {_spell(f'#inp_{ts_idx}')})"
                for name, ts_idx in alarms.items()
            ]
            self._stateblock = [*_statements(made, line), *self._stateblock]
            stopped = [f"{_variable(name)}.stop()" for name in alarms]
            self._stopblock = [*_statements(stopped, line), *self._stopblock]
            landed = [f"if csp.ticked({name}):\n    {_variable(name)}.landed()" for name in alarms]
            body[index:index] = _statements(landed, line)
        return index

    return parse_special_blocks


def _spell(name: str) -> str:
    """A name with # in it, as source can have it until _Respell has seen it."""
    return name.replace("#", "__csploop_hash_")


def _variable(name: str) -> str:
    return _spell(f"#async_{name}")


class _Respell(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = node.id.replace("__csploop_hash_", "#")
        return node


def _statements(sources: list[str], where: Any) -> list[Any]:
    statements = _Respell().visit(ast.parse("\n".join(sources))).body
    for statement in statements:
        for node in ast.walk(statement):
            if "lineno" in node._attributes:
                ast.copy_location(node, where)
    return list(statements)


def _schedule_async_alarm(self: Any, node: Any) -> Any:
    alarms = getattr(self, "_csploop_async_alarms", {})
    name = node.args[0].id if node.args and isinstance(node.args[0], ast.Name) else None
    if name not in alarms:
        raise CspParseError(
            "csp.schedule_async_alarm expects an alarm made by csp.async_alarm as first argument", node.lineno
        )
    if len(node.args) > 2:
        raise CspParseError("csp.schedule_async_alarm takes on_error= and loop= by name", node.lineno)
    keywords = []
    for keyword in node.keywords:
        if keyword.arg == "on_error" and not _is_none(keyword.value):
            keyword = ast.keyword(arg="on_error", value=_alarm_proxy(self, keyword.value))
        keywords.append(keyword)
    alarm = ast.Name(id=f"#async_{name}", ctx=ast.Load())
    return ast.Call(
        func=ast.Attribute(value=alarm, attr="schedule", ctx=ast.Load()),
        args=node.args[1:],
        keywords=keywords,
    )


def _is_none(node: Any) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _alarm_proxy(self: Any, node: Any) -> Any:
    definition = self._signature.input(node.id, allow_missing=True) if isinstance(node, ast.Name) else None
    if definition is None or definition.kind != ArgKind.ALARM:
        raise CspParseError("on_error= of csp.schedule_async_alarm expects an alarm of the node", node.lineno)
    return self._ts_inproxy_expr(node)


def _async_alarm(self: Any, node: Any) -> Any:
    raise CspParseError("csp.async_alarm belongs in the node's `with csp.alarms():`", node.lineno)


def _as_it_is(self: Any, node: Any) -> Any:
    """A function of the module csp that nodes may call."""
    return node


METHODS: dict[str, Callable[[Any, Any], Any]] = {
    "csp.async_alarm": _async_alarm,
    "csp.await_": _as_it_is,
    "csp.schedule_async_alarm": _schedule_async_alarm,
}
