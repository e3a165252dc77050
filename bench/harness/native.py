"""Builds the load client and the C servers with the system's compiler."""

from __future__ import annotations

import glob
import os
import shlex
import shutil
import subprocess
from pathlib import Path

from .failure import BenchError

BENCH = Path(__file__).resolve().parent.parent
BUILD = BENCH / "build"
FLAGS = ["-O2", "-g", "-std=c11", "-Wall", "-Wextra", "-D_GNU_SOURCE"]


def compile_program(name: str, sources: list[Path], flags: list[str] | None = None) -> Path:
    """The program's path; built again only when something it is made of is newer, or the flags differ."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise BenchError("no C compiler found; the load client and the C servers need one")
    program = BUILD / name
    stamp = BUILD / f"{name}.command"
    command = [*shlex.split(compiler), *FLAGS, "-o", str(program), *map(str, sources), *(flags or [])]
    newest = max(path.stat().st_mtime for path in with_headers(sources))
    line = shlex.join(command)
    if program.exists() and stamp.exists() and stamp.read_text() == line and program.stat().st_mtime > newest:
        return program
    BUILD.mkdir(exist_ok=True)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"building {name} failed:\n{line}\n{done.stderr.strip()}")
    stamp.write_text(line)
    return program


def with_headers(sources: list[Path]) -> list[Path]:
    headers = {header for source in sources for header in source.parent.glob("*.h")}
    return [*sources, *headers]


def load_client() -> Path:
    return compile_program("load", sorted((BENCH / "client").glob("*.c")))


def pkg_config(package: str) -> list[str]:
    """Compiler and linker flags of an installed library."""
    try:
        done = subprocess.run(["pkg-config", "--cflags", "--libs", package], capture_output=True, text=True)
    except FileNotFoundError:
        raise BenchError("pkg-config is not installed") from None
    if done.returncode != 0:
        raise BenchError(f"pkg-config does not know {package}")
    return shlex.split(done.stdout)


def csploop_flags(library: str | None, package_directory: str | None) -> list[str]:
    """How to build against csploop: the library asked for, or the one of the Python package, or of a build tree, or
    the installed one, in this order: all contenders of a run should use the same core."""
    top = BENCH.parent
    candidates = [library] if library else []
    if not library:
        for place in [package_directory, *sorted(glob.glob(str(top / "build*"))), *sorted(glob.glob(str(top / "build/*")))]:
            if place:
                candidates += sorted(glob.glob(os.path.join(place, "libcsploop.so*")))
    for candidate in candidates:
        path = Path(candidate).resolve()
        if path.exists():
            return [f"-I{top / 'include'}", str(path), f"-Wl,-rpath,{path.parent}"]
    if library:
        raise BenchError(f"there is no csploop library at {library}")
    return pkg_config("csploop")
