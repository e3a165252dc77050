"""The hard rules of the core (docs/architecture.md): each has a test named for it, and rule 14's are here.

Rules 1 to 12 are tested in tests/capi/hard_rules_test.cpp. Rule 13 is about a loop in Python so far; its
parts are in tests/with_csp/test_csp_simulation.py. Rule 14: how the library is built and found.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from csploop._ffi import _load, ffi, lib
from csploop._loop.simulated import SimulatedLoop

ROOT = Path(__file__).resolve().parent.parent.parent
LIBRARY = "libcsploop.so.0"

on_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="how libraries are found differs on other systems"
)


def test_each_rule_has_a_test_named_for_it() -> None:
    document = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = document.partition("## Hard rules")[2].partition("\n## ")[0]
    rules = {int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    native = (ROOT / "tests" / "capi" / "hard_rules_test.cpp").read_text(encoding="utf-8")
    tested = {int(number) for number in re.findall(r"TEST_P\(HardRule, Rule(\d+)_", native)}
    tested |= {int(match.group(1)) for name in globals() if (match := re.match(r"test_rule(\d+)_", name))}
    assert len(rules) >= 13
    assert rules == tested


def test_rule13_simulated_time_is_held_by_what_is_under_way_and_not_by_what_idles() -> None:
    loop = SimulatedLoop()

    async def main() -> None:
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        hour = loop.create_task(asyncio.sleep(3600))
        # Nothing else is to be done meanwhile, so nothing but the job can hold time.
        await loop.run_in_executor(None, threading.Event().wait, 0.05)
        assert (loop.time(), hour.done()) == (0, False)
        await hour
        assert loop.time() == 3600
        server.close()
        await server.wait_closed()
        await loop.shutdown_default_executor()

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@on_linux
@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""), reason="a core built with a sanitizer takes its place"
)
def test_rule14_whoever_asks_for_the_library_in_this_process_gets_the_one_beside_the_module() -> None:
    beside = Path(_load.__file__).resolve().parent / LIBRARY
    assert beside.is_file()
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape")
    mapped = {line.split(maxsplit=5)[5] for line in maps.splitlines() if "/libcsploop" in line}
    assert mapped == {str(beside)}
    # As another module that is linked with it would ask: by its name. One core has one static text.
    other = ctypes.CDLL(LIBRARY)
    other.csploop_version_string.restype = ctypes.c_void_p
    assert other.csploop_version_string() == int(ffi.cast("uintptr_t", lib.csploop_version_string()))


@on_linux
@pytest.mark.skipif(not shutil.which("nm"), reason="needs nm, from binutils")
def test_rule14_the_installed_library_shows_what_the_headers_declare_and_no_libuv() -> None:
    result = subprocess.run(
        [sys.executable, ROOT / "tools" / "symbol_check.py", "--library", _load.HERE / LIBRARY],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_rule14_public_constants_are_no_macros() -> None:
    headers = [ROOT / "include" / "csploop.h", *(ROOT / "include" / "csploop").glob("*.h")]
    assert len(headers) > 8
    for header in headers:
        text = header.read_text(encoding="utf-8")
        assert not re.findall(r"^\s*#\s*define\s+(\w+)\s+\(?[-\d\"]", text, re.MULTILINE), header.name


def test_rule14_each_suppression_of_a_sanitizer_says_why() -> None:
    lines = (ROOT / "tools" / "tsan.supp").read_text(encoding="utf-8").splitlines()
    kept = [index for index, line in enumerate(lines) if line and not line.startswith("#")]
    assert kept
    for index in kept:
        assert index > 0 and lines[index - 1].startswith("#"), lines[index]
