"""Element types: what a generator yields or a coroutine returns, by its annotations, as csp takes types.

A function without annotations makes a series of `object`. An annotation that cannot be evaluated is an error
and not `object`, because a misspelt type would change the graph silently.
"""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import functools
import gc
import inspect
import sys
import types
import typing
from collections.abc import Awaitable, Coroutine
from typing import Any

from csp.impl.types.container_type_normalizer import ContainerTypeNormalizer

from csploop._compat import get_annotations

__all__ = ["checked_type", "iterated_type", "result_type", "returned_type"]

ITERATED = (
    collections.abc.AsyncGenerator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncIterator,
)


def checked_type(typ: Any) -> Any:
    """A type that the user names. TypeError for what csp has no type for: it would end the process."""
    if not _is_csp_type(typ):
        raise TypeError(f"csp has no time series of {typ!r}")
    return typ


def returned_type(function: Any) -> Any:
    """What awaiting a call of this function gives."""
    function, evaluated = _annotation(function)
    if evaluated is None:
        return object
    if not inspect.iscoroutinefunction(function):
        origin = typing.get_origin(evaluated)
        if isinstance(origin, type) and issubclass(origin, Awaitable):
            args = typing.get_args(evaluated)
            evaluated = args[2 if issubclass(origin, Coroutine) and len(args) == 3 else 0] if args else object
        elif isinstance(evaluated, type) and issubclass(evaluated, Awaitable):
            return object
    return _series_type(evaluated)


def result_type(awaitable: Any) -> Any:
    """What awaiting this object gives."""
    if isinstance(awaitable, asyncio.Task):
        awaitable = awaitable.get_coro()
    if not isinstance(awaitable, types.CoroutineType):
        return object
    function = _function(awaitable, awaitable.cr_code, awaitable.cr_frame)
    return object if function is None else returned_type(function)


def iterated_type(source: Any) -> Any:
    """What this async generator or other async iterable gives."""
    if isinstance(source, types.AsyncGeneratorType):
        function = _function(source, source.ag_code, source.ag_frame)
        if function is None:
            return object
    else:
        function = type(source).__aiter__
        if not _elements(_annotation(function)[1]) and hasattr(type(source), "__anext__"):
            return returned_type(type(source).__anext__)
    return _series_type((_elements(_annotation(function)[1]) or (object,))[0])


def _elements(annotation: Any) -> tuple[Any, ...]:
    """The arguments of AsyncIterator[T] and its kin."""
    origin = typing.get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, ITERATED):
        return typing.get_args(annotation)
    return ()


def _series_type(typ: Any) -> Any:
    return typ if _is_csp_type(typ) else object


def _is_csp_type(typ: Any) -> bool:
    if typ is None or typ is Any:
        return False
    try:
        actual = ContainerTypeNormalizer.normalized_type_to_actual_python_type(
            ContainerTypeNormalizer.normalize_type(typ)
        )
    except Exception:
        return False
    # [int] stands for list[int].
    while isinstance(actual, list):
        if len(actual) != 1:
            return False
        actual = actual[0]
    return isinstance(actual, type)


def _annotation(function: Any) -> tuple[Any, Any]:
    """The function behind a callable, and its evaluated return annotation, None if there is none."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType):
            function = function.__func__
        elif hasattr(function, "__wrapped__") and "return" not in get_annotations(function):
            function = function.__wrapped__
        elif not isinstance(function, (types.FunctionType, type)) and isinstance(
            inspect.getattr_static(type(function), "__call__", None), types.FunctionType
        ):
            function = type(function).__call__
        else:
            break
    annotation = get_annotations(function).get("return")
    return function, None if annotation is None else _evaluate(function, annotation)


def _evaluate(function: Any, annotation: Any) -> Any:
    # What the function sees, and failing that what those see who wire the graph: a class that is local to
    # them is in the function's closure only if its code uses it, and an annotation is not code.
    names = _names_of_callers()
    names.update(getattr(function, "__globals__", {}))
    names.update(_names_in_closure(function))
    holder = types.SimpleNamespace(__annotations__={"return": annotation})
    try:
        return typing.get_type_hints(holder, names)["return"]
    except Exception as exc:
        name = getattr(function, "__qualname__", function)
        text = get_annotations(function, as_text=True)["return"]
        raise TypeError(
            f"cannot tell the type of the series from {name}'s annotation {text!r} ({exc}): pass output_type="
        ) from exc


def _names_in_closure(function: Any) -> dict[str, Any]:
    names = {}
    # What only an annotation names is, from Python 3.14 on, in the closure of the function that evaluates it.
    for each in (getattr(function, "__annotate__", None), function):
        if isinstance(each, types.FunctionType):
            for name, cell in zip(each.__code__.co_freevars, each.__closure__ or ()):
                with contextlib.suppress(ValueError):  # not assigned yet
                    names[name] = cell.cell_contents
    return names


def _names_of_callers() -> dict[str, Any]:
    """Local classes of the functions in whose midst the graph is wired. The nearest one wins."""
    names: dict[str, Any] = {}
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_locals is not frame.f_globals:
            for name, value in frame.f_locals.items():
                if isinstance(value, type):
                    names.setdefault(name, value)
        frame = frame.f_back
    return names


def _function(made: Any, code: types.CodeType, frame: types.FrameType | None) -> Any:
    """The function that made a generator or coroutine, None if it cannot be found."""
    if frame is not None:
        found: Any = frame.f_globals.get(made.__qualname__.split(".")[0])
        for name in made.__qualname__.split(".")[1:]:
            found = inspect.getattr_static(found, name, None)
        function = _with_code(found, code)
        if function is not None:
            return function
    # A closure, or a function whose name means something else by now: whoever has its code.
    for holder in gc.get_referrers(code):
        if isinstance(holder, types.FunctionType) and holder.__code__ is code:
            return holder
    return None


def _with_code(found: Any, code: types.CodeType) -> Any:
    if isinstance(found, (staticmethod, classmethod)):
        found = found.__func__
    while found is not None:
        if getattr(found, "__code__", None) is code:
            return found
        found = getattr(found, "__wrapped__", None)
    return None
