"""Make the CFFI module's inputs from the public C headers, which are the only contract.

Three files follow from the headers:

* ``csploop.cdef.h``: the declarations as CFFI reads them. Committed, so that a change of the ABI shows in
  review and a machine without a C preprocessor can still build.
* ``_csploop.pyi``: the types of the module. Committed, for type checkers.
* the module's C source: written at build time, never committed.

Run as a script: ``build.py --write`` renews the committed files, ``build.py --check`` fails if they have
drifted, and ``build.py --source FILE`` is what the build calls. Nothing here may import the package: it is
not built yet.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent.parent / "include"
CDEF = HERE / "csploop.cdef.h"
STUB = HERE / "_csploop.pyi"
MODULE = "csploop._ffi._csploop"

# What a Python without a GIL needs. Before cffi's part, which asks for the limited API: such a Python has
# none before 3.15. After it: cffi's runtime declares that each of its modules does without a GIL, and this
# one declares nothing that no run has shown.
BEFORE_CFFI = """\
#include <pyconfig.h>
#ifdef Py_GIL_DISABLED
#  define _CFFI_NO_LIMITED_API
#endif
"""
AFTER_CFFI = """\
#include <csploop.h>
#ifdef Py_GIL_DISABLED
static PyObject *csploop_init(const char *name, Py_ssize_t version,
                              const struct _cffi_type_context_s *context)
{
    PyObject *module = _cffi_init(name, version, context);
    if (module != NULL && PyUnstable_Module_SetGIL(module, Py_MOD_GIL_USED) < 0)
        Py_CLEAR(module);
    return module;
}
#  define _cffi_init csploop_init
#endif
"""

NOTE = "/* Written by build.py --write from the headers below include/. */\n"
# CFFI knows their types, and errno's values are the compiler's business, so their contents must not be
# expanded.
SYSTEM_HEADERS = ("errno.h", "stddef.h", "stdint.h")


class NoPreprocessor(Exception):
    """There is no C compiler here that could expand the headers."""


def preprocessed(cc: str | None) -> str:
    """The headers with everything expanded that CFFI does not understand."""
    command = shlex.split(cc or os.environ.get("CC", "")) or [
        shutil.which("cc") or shutil.which("gcc") or "clang"
    ]
    if not INCLUDE.is_dir():
        raise NoPreprocessor("the headers are not beside this file")
    if shutil.which(command[0]) is None:
        raise NoPreprocessor(f"no C compiler ({command[0]})")
    with tempfile.TemporaryDirectory() as directory:
        for name in SYSTEM_HEADERS:
            (Path(directory) / name).touch()
        command += ["-E", "-P", "-x", "c", "-nostdinc", "-I", directory, "-I", str(INCLUDE)]
        command += ["-DCSPLOOP_CDEF", "-DCSPLOOP_STATIC", str(INCLUDE / "csploop.h")]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def declarations(text: str) -> list[str]:
    """Splits C text at the semicolons outside braces; each piece on one line, without the semicolon."""
    pieces, depth, current = [], 0, ""
    for character in " ".join(text.split()):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == ";" and depth == 0:
            pieces.append(current.strip())
            current = ""
        else:
            current += character
    if current.strip():
        raise SystemExit(f"the headers end in the middle of: {current.strip()[:80]}")
    return pieces


def layout(piece: str) -> str:
    """One declaration in the committed form, the same whatever the compiler's spacing."""
    piece = re.sub(r"\s*\*\s*", " *", piece).replace("* *", "**")
    match = re.fullmatch(r"(.*?)\s*\{(.*)\}\s*(\w*)", piece)
    if match is None:
        return re.sub(r"\(\s*", "(", re.sub(r"\s*\)", ")", re.sub(r"\s*,\s*", ", ", piece))) + ";"
    head, body, name = match.groups()
    separator = "," if head.startswith("enum") else ";"
    members = [member.strip() for member in body.split(separator) if member.strip()]
    if separator == ",":
        members = [enumerator(member) for member in members]
    lines = [
        f"{head} {{",
        *(f"    {member}{separator}" for member in members),
        f"}}{' ' + name if name else ''};",
    ]
    return "\n".join(lines)


def enumerator(member: str) -> str:
    """Values that are not plain numbers (errno's) are left to the compiler."""
    name, _, value = (part.strip() for part in member.partition("="))
    return f"{name} = {value if re.fullmatch(r'-?[0-9]+', value) else '...'}"


def cdef_text(cc: str | None) -> str:
    return NOTE + "\n".join(layout(piece) for piece in declarations(preprocessed(cc))) + "\n"


# -- the type stub ------------------------------------------------------------

STUB_HEAD = """\
# Written by build.py --write from the headers below include/.
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from typing_extensions import Buffer, TypeAlias

# What CFFI hands out. Which pointer goes where is told by the alias's name; CFFI itself checks it at each
# call.
cdata: TypeAlias = Any
ctype: TypeAlias = Any
"""

STUB_FFI = """\

class FFI:
    NULL: Final[cdata]
    CData: Final[type]
    CType: Final[type]
    buffer: Final[type]
    error: Final[type[Exception]]
    errno: int
    def new(self, cdecl: str | ctype, init: object = None) -> cdata: ...
    def new_allocator(
        self,
        alloc: Callable[[int], cdata] | None = None,
        free: Callable[[cdata], None] | None = None,
        should_clear_after_alloc: bool = True,
    ) -> Callable[..., cdata]: ...
    def new_handle(self, obj: object) -> cdata: ...
    def from_handle(self, handle: cdata) -> Any: ...
    def from_buffer(self, cdecl: object, buf: Buffer = ..., require_writable: bool = False) -> cdata: ...
    def cast(self, cdecl: str | ctype, value: cdata) -> cdata: ...
    def typeof(self, cdecl: str | cdata) -> ctype: ...
    def sizeof(self, cdecl: str | cdata) -> int: ...
    def alignof(self, cdecl: str | ctype) -> int: ...
    def offsetof(self, cdecl: str | ctype, *fields: str | int) -> int: ...
    def addressof(self, data: cdata, *fields: str | int) -> cdata: ...
    def string(self, data: cdata, maxlen: int = -1) -> bytes: ...
    def unpack(self, data: cdata, length: int) -> Any: ...
    def memmove(self, dest: cdata | Buffer, src: cdata | Buffer, n: int) -> None: ...
    def gc(self, data: cdata, destructor: Callable[[cdata], object] | None, size: int = 0) -> cdata: ...
    def release(self, data: cdata) -> None: ...
    def callback(self, cdecl: str, python_callable: Callable[..., object] = ...) -> cdata: ...
    def def_extern(self, name: str = ..., error: object = ...) -> Callable[..., Any]: ...
    def getctype(self, cdecl: str | ctype, extra: str = "") -> str: ...

ffi: Final[FFI]
lib: Final[Lib]
"""

INTEGERS = re.compile(r"(unsigned|int|size_t|u?int\d+_t|csploop_id)$")
KEYWORDS = {"in", "from", "is", "lambda", "with", "pass", "None"}


def python_type(c_type: str, aliases: set[str]) -> str:
    """'const csploop_batch *' becomes 'csploop_batch_p', an alias noted in `aliases`; numbers become int."""
    bare = c_type.replace("const ", "").strip()
    if bare == "void":
        return "None"
    if INTEGERS.match(bare):
        return "int"
    alias = bare.replace(" ", "").replace("*", "_p").replace("_p_p", "_pp")
    aliases.add(alias)
    return alias


def signature(piece: str, aliases: set[str]) -> str:
    match = re.fullmatch(r"(.*?[ *])(\w+)\((.*)\)", piece)
    if match is None:
        raise SystemExit(f"cannot read: {piece}")
    result, name, parameters = match.groups()
    arguments = []
    for parameter in [] if parameters == "void" else parameters.split(", "):
        parts = re.fullmatch(r"(.*?[ *])(\w+)", parameter)
        if parts is None:
            raise SystemExit(f"{name}: the parameter '{parameter}' has no name")
        word = parts.group(2) + "_" * (parts.group(2) in KEYWORDS)
        arguments.append(f"{word}: {python_type(parts.group(1), aliases)}")
    # CFFI takes arguments by position only.
    parameter_list = ", ".join(["self", *arguments, "/"])
    return f"    def {name}({parameter_list}) -> {python_type(result, aliases)}: ..."


def stub_text(cdef: str) -> str:
    aliases: set[str] = set()
    constants: list[str] = []
    methods: list[str] = []
    for piece in declarations(cdef.replace(NOTE, "")):
        if piece.startswith("enum"):
            constants += [f"    {name}: Final[int]" for name in re.findall(r"(\w+) =", piece)]
        elif not piece.startswith("typedef"):
            methods.append(signature(piece, aliases))
    text = STUB_HEAD + "".join(f"{alias}: TypeAlias = cdata\n" for alias in sorted(aliases))
    return text + "\n".join(["\nclass Lib:", *constants, *methods, ""]) + STUB_FFI


# -- commands -----------------------------------------------------------------


def current_cdef(cc: str | None) -> str:
    """From the headers; the committed text where there is no way to read them."""
    try:
        return cdef_text(cc)
    except NoPreprocessor as reason:
        print(f"{reason}: using the committed {CDEF.name}", file=sys.stderr)
        return CDEF.read_text(encoding="utf-8")


def write_source(target: Path, cdef: str) -> None:
    from cffi import FFI

    builder = FFI()
    builder.cdef(cdef)
    builder.set_source(MODULE, AFTER_CFFI)
    builder.emit_c_code(str(target))
    target.write_text(BEFORE_CFFI + target.read_text(encoding="utf-8"), encoding="utf-8")


def drifted(cc: str | None) -> list[Path]:
    cdef = cdef_text(cc)
    wanted = {CDEF: cdef, STUB: stub_text(cdef)}
    return [
        path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="CFFI declarations from the C headers")
    parser.add_argument("--cc", help="the C compiler whose preprocessor is used (default: $CC, cc)")
    command = parser.add_mutually_exclusive_group(required=True)
    command.add_argument("--write", action="store_true", help=f"write {CDEF.name} and {STUB.name} anew")
    command.add_argument("--check", action="store_true", help="fail if they differ from the headers")
    command.add_argument("--source", type=Path, metavar="FILE", help="write the module's C source")
    options = parser.parse_args()
    if options.source:
        write_source(options.source, current_cdef(options.cc))
    elif options.write:
        cdef = cdef_text(options.cc)
        CDEF.write_text(cdef, encoding="utf-8")
        STUB.write_text(stub_text(cdef), encoding="utf-8")
    else:
        changed = drifted(options.cc)
        for path in changed:
            print(f"{path.name} differs from the headers: run {Path(__file__).name} --write", file=sys.stderr)
        return 1 if changed else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
