"""Builds the load client and the C servers with the system's compiler."""

from __future__ import annotations

import glob
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from .failure import BenchError

BENCH = Path(__file__).resolve().parent.parent
BUILD = BENCH / "build"
FLAGS = ["-O2", "-g", "-std=c11", "-Wall", "-Wextra", "-D_GNU_SOURCE"]


def compiler() -> list[str]:
    found = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found is None:
        raise BenchError("no C compiler found; the load client and the C servers need one")
    return shlex.split(found)


def compiler_version() -> str:
    """The first line of what the compiler says of itself."""
    done = subprocess.run([*compiler(), "--version"], capture_output=True, text=True)
    return done.stdout.partition("\n")[0].strip()


def package_version(package: str) -> str:
    """As pkg-config knows it; empty when it does not."""
    try:
        done = subprocess.run(["pkg-config", "--modversion", package], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def compile_program(name: str, sources: list[Path], flags: list[str] | None = None) -> Path:
    """The program's path; built again only when something that it is made of is newer.

    Its name tells the command, so that runs against different libraries do not take each other's programs.
    """
    command = [*compiler(), *FLAGS, *map(str, sources), *(flags or [])]
    line = shlex.join(command)
    program = BUILD / f"{name}-{hashlib.sha256(line.encode()).hexdigest()[:8]}"
    newest = max(path.stat().st_mtime for path in with_headers(sources))
    if program.exists() and program.stat().st_mtime > newest:
        return program
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as directory:
        fresh = Path(directory, name)
        done = subprocess.run([*command, "-o", str(fresh)], capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"building {name} failed:\n{line}\n{done.stderr.strip()}")
        fresh.rename(program)
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
    """How to build against csploop: the library asked for, or the Python package's, or the installed one.

    The package's comes first, so that all contenders of a run use the same core.
    """
    top = BENCH.parent
    candidates = (
        [library] if library else sorted(glob.glob(os.path.join(package_directory or "", "libcsploop.so*")))
    )
    for candidate in candidates:
        path = Path(candidate).resolve()
        if path.exists():
            return [f"-I{top / 'include'}", str(path), f"-Wl,-rpath,{path.parent}"]
    if library:
        raise BenchError(f"there is no csploop library at {library}")
    return pkg_config("csploop")
