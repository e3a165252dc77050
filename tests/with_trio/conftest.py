"""Coroutine tests here are Trio code inside an open loop, unless they ask for a loop of asyncio's."""

from __future__ import annotations

import asyncio
import inspect

import pytest

collect_ignore = []
try:
    import csploop.trio
except ModuleNotFoundError as missing:
    if missing.name not in ("trio", "sniffio", "outcome", "exceptiongroup"):
        raise
    csploop_trio = None
    collect_ignore_glob = ["test_[!w]*.py"]  # test_without_trio.py says why
else:
    csploop_trio = csploop.trio


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    function = pyfuncitem.obj
    if not inspect.iscoroutinefunction(function) or "loop" in pyfuncitem.fixturenames:
        return None
    names = inspect.signature(function).parameters

    async def main():
        await function(**{name: pyfuncitem.funcargs[name] for name in names})

    csploop_trio.run(main)
    return True


@pytest.fixture(autouse=True)
def thread_is_as_it_was(nothing_leaks):
    """No running loop, no Trio run and no flavour may stay behind in the thread."""
    yield
    if csploop_trio is not None:
        from sniffio import thread_local
        from trio.lowlevel import in_trio_run

        assert asyncio._get_running_loop() is None
        assert not in_trio_run()
        assert thread_local.name is None
        assert csploop_trio.current_loop.get() is None
