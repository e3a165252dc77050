"""The layer below the loop: generated files, loading, handshake, error codes."""

from __future__ import annotations

import errno
import os
import pickle
import re
import shutil
import subprocess
import sys
import sysconfig
import types
from pathlib import Path

import pytest
from csploop._ffi import _load, errors, ffi, lib

ROOT = Path(__file__).resolve().parent.parent.parent
FFI_SOURCES = ROOT / "python" / "csploop" / "_ffi"

OWN = {
    "EBUSY": errors.BusyError,
    "ECHILD": errors.ForkedError,
    "EBADID": errors.BadIdError,
    "ECLOSED": errors.ClosedError,
    "ETHREAD": errors.WrongThreadError,
    "EPENDING": errors.PendingError,
    "EINTERNAL": errors.InternalError,
}


def listed_errors() -> list[tuple[str, str]]:
    """Names and texts, read from the header itself."""
    text = (ROOT / "include" / "csploop" / "error.h").read_text(encoding="utf-8")
    return re.findall(r'XX\((\w+), -\w+, "([^"]+)"\)', text)


def run_build(*options: str, directory: Path = FFI_SOURCES) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(directory / "build.py"), *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_committed_declarations_follow_the_headers() -> None:
    result = run_build("--check")
    assert result.returncode == 0, result.stderr


def test_drift_is_noticed(tmp_path: Path) -> None:
    tree = tmp_path / "python" / "csploop" / "_ffi"
    shutil.copytree(FFI_SOURCES, tree, ignore=shutil.ignore_patterns("__pycache__", "*.so*"))
    shutil.copytree(ROOT / "include", tmp_path / "include")
    assert run_build("--check", directory=tree).returncode == 0
    header = tmp_path / "include" / "csploop" / "time.h"
    text = header.read_text(encoding="utf-8")
    header.write_text(text.replace("int64_t now_ns);", "int64_t now_ns, int how);"), encoding="utf-8")
    result = run_build("--check", directory=tree)
    assert result.returncode == 1
    assert "csploop.cdef.h differs" in result.stderr
    assert "_csploop.pyi differs" in result.stderr
    assert run_build("--write", directory=tree).returncode == 0
    assert run_build("--check", directory=tree).returncode == 0


def test_source_is_generated_without_a_compiler_from_the_committed_declarations(tmp_path: Path) -> None:
    wanted, got = tmp_path / "with.c", tmp_path / "without.c"
    assert run_build("--source", str(wanted)).returncode == 0
    result = run_build("--source", str(got), "--cc", "no-such-compiler")
    assert result.returncode == 0, result.stderr
    assert "using the committed csploop.cdef.h" in result.stderr
    assert got.read_text(encoding="utf-8") == wanted.read_text(encoding="utf-8")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="before Python 3.13 there is always a GIL")
def test_the_source_compiles_without_a_gil_and_declares_nothing(tmp_path: Path) -> None:
    # As far as it goes where there is a GIL: what the headers say then can be compiled and not run.
    headers = sysconfig.get_path("include")
    compiler = shutil.which("cc")
    if compiler is None or not (Path(headers) / "Python.h").is_file():
        pytest.skip("needs a C compiler and this Python's headers")
    source = tmp_path / "module.c"
    assert run_build("--source", str(source)).returncode == 0
    command = [compiler, "-DPy_GIL_DISABLED=1", "-I", headers, "-I", str(ROOT / "include"), str(source)]
    result = subprocess.run(
        [*command, "-fsyntax-only"], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    text = subprocess.run(
        [*command, "-E", "-P"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    init = re.search(r"PyInit__csploop\(void\)\s*\{\s*return (\w+)\(", text)
    assert init is not None
    made = re.search(rf"{init[1]}\(const char \*.*?\n\}}", text, re.DOTALL)
    assert made is not None
    # Py_MOD_GIL_USED, which is also what a module has that declares nothing; cffi itself has set the other.
    assert "PyUnstable_Module_SetGIL(module, ((void *)0))" in made[0]


def test_stub_tells_every_name_of_lib() -> None:
    stub = (FFI_SOURCES / "_csploop.pyi").read_text(encoding="utf-8").partition("class FFI")[0]
    told = set(re.findall(r"^    (?:def )?(\w+)[:(]", stub, re.MULTILINE))
    assert told == set(dir(lib))


def test_every_listed_error_becomes_its_exception() -> None:
    listed = listed_errors()
    assert len(listed) > 30
    for name, text in listed:
        code = getattr(lib, f"CSPLOOP_{name}")
        error = errors.error_from_code(code)
        assert errors.error_name(code) == name
        assert errors.error_text(code) == text
        if name in OWN:
            assert type(error) is OWN[name]
            assert isinstance(error, RuntimeError)
            assert (error.code, error.name, str(error)) == (code, name, text)
        else:
            number = getattr(errno, name)
            assert code == -number
            assert type(error) is type(OSError(number, ""))
            assert (error.errno, error.strerror) == (number, os.strerror(number))


def test_system_errors_outside_the_list_keep_their_errno() -> None:
    error = errors.error_from_code(-errno.EXDEV)
    assert isinstance(error, OSError)
    assert error.errno == errno.EXDEV


def test_check_passes_results_and_raises_codes() -> None:
    assert errors.check(0) == 0
    assert errors.check(17) == 17
    with pytest.raises(ConnectionResetError):
        errors.check(lib.CSPLOOP_ECONNRESET)
    with pytest.raises(ValueError, match="no error code"):
        errors.error_from_code(0)


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(errors.ClosedError(lib.CSPLOOP_ECLOSED)))
    assert type(error) is errors.ClosedError
    assert error.code == lib.CSPLOOP_ECLOSED


def test_a_real_call_answers_with_a_listed_code() -> None:
    with pytest.raises(OSError) as caught:
        errors.check(lib.csploop_turn(ffi.NULL, ffi.NULL, 0))
    assert caught.value.errno == errno.EINVAL


class OtherLibrary:
    """A lib whose library is of another release than the module was compiled for."""

    def __init__(self, built: tuple[int, int, int], loaded: int) -> None:
        self.CSPLOOP_VERSION_MAJOR, self.CSPLOOP_VERSION_MINOR, self.CSPLOOP_VERSION_PATCH = built
        self.csploop_version = lambda: loaded


@pytest.mark.parametrize(
    ("built", "loaded"),
    [((0, 1, 0), 2000), ((0, 1, 2), 1001), ((1, 2, 0), 2000000), ((1, 2, 0), 1001000), ((1, 0, 0), 1000)],
)
def test_handshake_refuses_another_release(built: tuple[int, int, int], loaded: int) -> None:
    with pytest.raises(ImportError, match=r"compiled for libcsploop .* but the one loaded is"):
        _load.handshake(ffi, OtherLibrary(built, loaded))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("built", "loaded"), [((0, 1, 0), 1000), ((0, 1, 0), 1004), ((1, 2, 0), 1002000), ((1, 2, 0), 1003000)]
)
def test_handshake_takes_compatible_releases(built: tuple[int, int, int], loaded: int) -> None:
    _load.handshake(ffi, OtherLibrary(built, loaded))  # type: ignore[arg-type]


def test_handshake_refuses_structs_of_another_size() -> None:
    grown = types.SimpleNamespace(sizeof=lambda struct: ffi.sizeof(struct) + 8)
    with pytest.raises(ImportError, match="csploop_record has 40 bytes"):
        _load.handshake(grown, lib)  # type: ignore[arg-type]


def test_a_source_tree_without_the_module_says_what_to_do(tmp_path: Path) -> None:
    shutil.copytree(FFI_SOURCES.parent, tmp_path / "csploop", ignore=shutil.ignore_patterns("*.so*"))
    result = subprocess.run(
        [sys.executable, "-c", "import csploop"],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: csploop's compiled module _csploop cannot be loaded by")
    assert "pip install ." in last


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells which files are mapped")
def test_library_beside_the_module_is_the_one_in_use() -> None:
    assert _load.library_path() == str(Path(_load.__file__).resolve().parent / "libcsploop.so.0")
