"""Find the compiled module and check that it fits the library, the interpreter and the Python code.

A mismatch (a stale build, a library of another release picked up by the linker) would otherwise show as a
crash far away from its cause; here it is one ImportError that says what was found where.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from csploop._compat import is_spoilt_by_modules

if TYPE_CHECKING:
    from csploop._ffi._csploop import FFI, Lib

HERE = Path(__file__).resolve().parent

# The turn packs and unpacks these with struct formats of its own (csploop._loop), so their sizes are part of
# the deal.
SIZES = {"csploop_record": 32, "csploop_submission": 40}


# What CPython says of a module of the old kind, which CFFI's are, where there may be none.
REFUSED = "does not support loading in subinterpreters"
ISOLATED = (
    "csploop cannot be imported in an isolated sub-interpreter (concurrent.interpreters,"
    " InterpreterPoolExecutor), because CFFI's modules cannot; run its loops in threads or processes"
)


def _missing(error: ImportError) -> ImportError:
    if REFUSED in str(error):
        return ImportError(f"{ISOLATED} ({error})")
    implementation = f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}"
    found = sorted(path.name for path in HERE.iterdir() if path.name.startswith(("_csploop.", "libcsploop")))
    found = [name for name in found if not name.endswith(".pyi")]
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("csploop"):
        reason = f"it needs the package {error.name!r}, which is not installed"
    elif found:
        reason = f"beside it lie {', '.join(found)}, built for another interpreter or damaged"
    else:
        reason = "this is a source tree or an incomplete installation; run `pip install .` at its top"
    return ImportError(
        f"csploop's compiled module _csploop cannot be loaded by {implementation} from {HERE}:"
        f" {reason} ({error})"
    )


def _version(number: int) -> str:
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"


def handshake(ffi: FFI, lib: Lib) -> None:
    """Raises ImportError unless the library fits the release that the module was compiled for."""
    built = lib.CSPLOOP_VERSION_MAJOR * 1000000 + lib.CSPLOOP_VERSION_MINOR * 1000 + lib.CSPLOOP_VERSION_PATCH
    loaded = lib.csploop_version()
    # Before 1.0 a minor release may change anything, after it only a major one.
    promise = 1000000 if built >= 1000000 else 1000
    if loaded // promise != built // promise or loaded < built:
        raise ImportError(
            f"csploop was compiled for libcsploop {_version(built)}, but the one loaded is {_version(loaded)}"
            f" ({library_path() or 'its path is unknown'}); reinstall csploop, or remove the other library"
        )
    for struct, size in SIZES.items():
        if ffi.sizeof(struct) != size:
            raise ImportError(
                f"{struct} has {ffi.sizeof(struct)} bytes in the compiled module,"
                f" but this Python code expects {size}; reinstall csploop"
            )


def library_path() -> str:
    """The file of the loaded libcsploop, or '' where the system does not tell."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            for line in maps:
                path = line.rstrip("\n").partition("/")[2]
                if os.path.basename(path).startswith("libcsploop."):
                    return "/" + path
    except OSError:  # no such file here: other systems have other ways
        pass
    beside = sorted(HERE.glob("libcsploop.*"))
    return str(beside[0]) if beside else ""


if is_spoilt_by_modules():
    raise ImportError(ISOLATED)
try:
    from csploop._ffi._csploop import ffi as ffi
    from csploop._ffi._csploop import lib as lib
except ImportError as error:
    raise _missing(error) from error

handshake(ffi, lib)
