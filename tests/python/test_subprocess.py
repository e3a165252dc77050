"""asyncio.create_subprocess_exec and its kin: what goes in, what comes out, how a child ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile

import pytest

pytestmark = pytest.mark.io

PIPE = subprocess.PIPE
DEVNULL = subprocess.DEVNULL
STDOUT = subprocess.STDOUT
QUICK = ["-I", "-S", "-c"]  # as little Python as there is


async def run(*args, data=None, **kwargs):
    """Runs a program to its end: (return code, output, errors)."""
    process = await asyncio.create_subprocess_exec(*args, **kwargs)
    out, err = await process.communicate(data)
    return process.returncode, out, err


async def shell(command, data=None, **kwargs):
    process = await asyncio.create_subprocess_shell(command, **kwargs)
    out, err = await process.communicate(data)
    return process.returncode, out, err


async def test_output_errors_and_status(loop):
    assert await shell("echo out; echo err >&2; exit 3", stdout=PIPE, stderr=PIPE) == (3, b"out\n", b"err\n")


async def test_exec_passes_arguments_as_they_are(loop):
    words = ["a b", "$HOME", "*", "", "\u00e9"]
    code, out, _ = await run("printf", "%s|", *words, stdout=PIPE)
    assert code == 0
    assert out.decode() == "".join(f"{word}|" for word in words)


async def test_communicate_with_much_more_than_a_pipe_holds(loop):
    data = os.urandom(1 << 16) * 64
    assert await run("cat", data=data, stdin=PIPE, stdout=PIPE) == (0, data, None)


async def test_input_that_is_not_read_is_no_error(loop):
    process = await asyncio.create_subprocess_exec("true", stdin=PIPE)
    await process.communicate(b"x" * 1_000_000)
    assert process.returncode == 0
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await process.stdin.wait_closed()  # before Python 3.11 an error that nobody asked for is reported


async def test_a_child_can_open_its_input_by_name(loop):
    if not os.path.exists("/dev/stdin"):
        pytest.skip("the system has no /dev/stdin")
    assert await run("cat", "/dev/stdin", data=b"hello", stdin=PIPE, stdout=PIPE) == (0, b"hello", None)


async def test_errors_can_join_the_output(loop):
    assert await shell("echo 1; echo 2 >&2; echo 3", stdout=PIPE, stderr=STDOUT) == (0, b"1\n2\n3\n", None)


async def test_the_null_device(loop):
    assert await shell("cat; echo gone", stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL) == (0, None, None)


async def test_files_and_descriptors_as_standard_streams(loop):
    with (
        tempfile.TemporaryFile() as source,
        tempfile.TemporaryFile() as sink,
        tempfile.TemporaryFile() as log,
    ):
        source.write(b"from a file")
        source.seek(0)
        code, out, err = await shell("cat; echo noise >&2", stdin=source, stdout=sink.fileno(), stderr=log)
        assert (code, out, err) == (0, None, None)
        sink.seek(0)
        log.seek(0)
        assert sink.read() == b"from a file"
        assert log.read() == b"noise\n"


async def test_directory_and_environment(loop, tmp_path):
    env = {"PATH": os.environ["PATH"], "WORD": "ours"}
    code, out, _ = await shell("pwd -P; echo $WORD", cwd=tmp_path, env=env, stdout=PIPE)
    assert (code, out.decode()) == (0, f"{os.path.realpath(tmp_path)}\nours\n")


async def test_pass_fds(loop):
    inner, outer = os.pipe()
    try:
        code, _, _ = await shell(f"echo through >/dev/fd/{outer}", pass_fds=(outer,))
        assert code == 0
        assert os.read(inner, 100) == b"through\n"
    finally:
        os.close(inner)
        os.close(outer)


async def test_other_descriptors_are_not_inherited(loop):
    inner, outer = os.pipe()
    os.set_inheritable(outer, True)
    try:
        code, _, _ = await shell(f"echo x >/dev/fd/{outer}", stderr=DEVNULL)
        assert code != 0
    finally:
        os.close(inner)
        os.close(outer)


async def test_preexec_fn_runs_in_the_child(loop):
    code, out, _ = await shell("umask", preexec_fn=lambda: os.umask(0o027), stdout=PIPE)
    assert code == 0
    assert int(out, 8) == 0o027


async def test_a_new_session(loop):
    process = await asyncio.create_subprocess_exec("sleep", "100", start_new_session=True)
    assert os.getsid(process.pid) == process.pid
    process.kill()
    assert await process.wait() == -signal.SIGKILL


@pytest.mark.skipif(sys.version_info < (3, 11), reason="process_group is new in Python 3.11")
async def test_process_group(loop):
    process = await asyncio.create_subprocess_exec("sleep", "100", process_group=0)
    assert os.getpgid(process.pid) == process.pid
    os.killpg(process.pid, signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change users")
async def test_user_and_groups(loop):
    code, out, _ = await shell(
        "id -u; id -g; id -G", user=12345, group=12346, extra_groups=[12347], umask=0o77, stdout=PIPE
    )
    assert code == 0
    assert out.split() == [b"12345", b"12346", b"12346", b"12347"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
async def test_a_child_that_a_signal_ends(loop, number):
    process = await asyncio.create_subprocess_exec("sleep", "100")
    process.send_signal(number)
    assert await process.wait() == -number
    assert process.returncode == -number


async def test_terminate_and_kill(loop):
    for how, number in (("terminate", signal.SIGTERM), ("kill", signal.SIGKILL)):
        process = await asyncio.create_subprocess_exec("sleep", "100")
        assert process.returncode is None
        getattr(process, how)()
        assert await process.wait() == -number


async def test_signals_to_a_finished_child(loop):
    process = await asyncio.create_subprocess_exec("true")
    assert await process.wait() == 0
    for _ in range(3):
        await asyncio.sleep(0)  # until the transport, too, has done with the child
    for call in (lambda: process.send_signal(signal.SIGTERM), process.terminate, process.kill):
        with pytest.raises(ProcessLookupError):
            call()


async def test_wait_by_many(loop):
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE)
    waiting = [asyncio.ensure_future(process.wait()) for _ in range(10)]
    await asyncio.sleep(0)
    process.stdin.close()
    assert await asyncio.gather(*waiting) == [0] * 10
    assert await process.wait() == 0


async def test_a_wait_that_times_out_leaves_the_child_alone(loop):
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(process.wait(), 0.01)
    assert process.returncode is None
    process.stdin.close()
    assert await process.wait() == 0


async def test_a_conversation_line_by_line(loop):
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    for number in range(100):
        process.stdin.write(b"%d\n" % number)
        await process.stdin.drain()
        assert await process.stdout.readline() == b"%d\n" % number
    process.stdin.close()
    assert await process.stdout.read() == b""
    assert await process.wait() == 0


async def test_a_limit_slows_a_child_that_writes_much(loop):
    process = await asyncio.create_subprocess_shell(
        "head -c 3000000 /dev/zero; echo end", stdout=PIPE, limit=4096
    )
    count = 0
    while True:
        data = await process.stdout.read(1000)
        if not data:
            break
        count += len(data)
    assert count == 3_000_004
    assert await process.wait() == 0


async def test_output_of_a_child_that_exits_before_anybody_reads(loop):
    process = await asyncio.create_subprocess_shell("echo early; exit 5", stdout=PIPE)
    if hasattr(os, "waitid"):
        # This leaves the status to whoever is to report it, unless that has happened.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert await process.stdout.read() == b"early\n"
    assert await process.wait() == 5


async def test_a_missing_program_is_an_error(loop):
    with pytest.raises(FileNotFoundError) as caught:
        await asyncio.create_subprocess_exec("/does/not/exist", stdin=PIPE, stdout=PIPE, stderr=PIPE)
    assert caught.value.filename == "/does/not/exist"
    assert (await shell("/does/not/exist", stderr=DEVNULL))[0] == 127


async def test_a_file_that_is_no_program_is_an_error(loop, tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"data")
    with pytest.raises(PermissionError):
        await asyncio.create_subprocess_exec(str(path))
    with pytest.raises(NotADirectoryError):
        await asyncio.create_subprocess_exec("true", cwd=path)


@pytest.mark.parametrize(
    "options",
    [
        {"universal_newlines": True},
        {"bufsize": 4096},
        {"text": True},
        {"encoding": "utf-8"},
        {"errors": "ignore"},
    ],
    ids=str,
)
async def test_options_that_asyncio_has_not(loop, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        await loop.subprocess_exec(asyncio.SubprocessProtocol, "true", **options)
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        await loop.subprocess_shell(asyncio.SubprocessProtocol, "true", **options)


async def test_shell_has_its_own_call(loop):
    with pytest.raises(ValueError, match="shell must be False"):
        await loop.subprocess_exec(asyncio.SubprocessProtocol, "true", shell=True)
    with pytest.raises(ValueError, match="shell must be True"):
        await loop.subprocess_shell(asyncio.SubprocessProtocol, "true", shell=False)
    with pytest.raises(ValueError, match="cmd must be a string"):
        await loop.subprocess_shell(asyncio.SubprocessProtocol, ["true"])


async def test_wrong_types_and_unknown_options_are_type_errors(loop):
    with pytest.raises(TypeError):
        await loop.subprocess_exec(asyncio.SubprocessProtocol, 1)
    with pytest.raises(TypeError):
        await loop.subprocess_exec(asyncio.SubprocessProtocol, "true", colour="red")


async def test_a_program_in_bytes_and_as_a_path(loop, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho run\n")
    script.chmod(0o700)
    assert await run(script, stdout=PIPE) == (0, b"run\n", None)
    assert await run(os.fsencode(script), stdout=PIPE) == (0, b"run\n", None)


async def test_python_children(loop):
    program = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.exit(9)"
    assert await run(sys.executable, *QUICK, program, data=b"abc", stdin=PIPE, stdout=PIPE) == (
        9,
        b"ABC",
        None,
    )
