"""Which tests of CPython's suite are left out, in groups, each with its reason.

Only what tests something else than the loop's public interface may be here. A test that fails on csploop is a
bug of csploop and stays in.

An entry is a pattern for module.Class.test; `@ 3.12+`, `@ -3.11` or `@ 3.11-3.13` behind it names the
versions that have it.
An entry that matches no test of such a version is warned of.
"""

from __future__ import annotations

import fnmatch
import sys
from dataclasses import dataclass

__all__ = ["Entry", "entries_for"]

LEFT_OUT: dict[str, str] = {
    "Windows only": """
        test_windows_events.*
        test_windows_utils.*
        test_buffered_proto.BufferedProtocolProactorTests.*
        test_server.ProactorStartServerTests.*
        test_sslproto.ProactorStartTLSTests.*
    """,
    "the proactor loop of Windows, on mocks": """
        test_proactor_events.*
    """,
    "the selector loop's and its transports' insides, on mocks": """
        test_selector_events.*
        test_base_events.BaseEventLoopWithSelectorTests.test_accept_connection_exception
        test_base_events.BaseEventLoopWithSelectorTests.test_accept_connection_retry
    """,
    "the insides of asyncio's pipe transports, on mocks": """
        test_unix_events.UnixReadPipeTransportTests.*
        test_unix_events.UnixWritePipeTransportTests.*
    """,
    "child watchers, which csploop does without": """
        test_unix_events.AbstractChildWatcherTests.* @ -3.13
        test_unix_events.BaseChildWatcherTests.* @ -3.13
        test_unix_events.SafeChildWatcherTests.* @ -3.13
        test_unix_events.FastChildWatcherTests.* @ -3.13
        test_unix_events.PolicyTests.test_child_watcher_replace_mainloop_existing @ -3.13
        test_unix_events.PolicyTests.test_get_child_watcher_thread @ -3.13
        test_unix_events.PolicyTests.test_get_default_child_watcher @ -3.13
        test_subprocess.GenericWatcherTests.test_create_subprocess_fails_with_inactive_watcher @ 3.11-3.13
        test_subprocess.SubprocessPidfdWatcherTests.test_watcher_implementation @ 3.14+
        test_subprocess.SubprocessThreadedWatcherTests.test_watcher_implementation @ 3.14+
        test_subprocess.SubprocessThreadedWatcherTests.test_pid_not_reaped_before_exit_published @ 3.14+
    """,
    "a mock stands for the socket module, and no core can poll its sockets": """
        test_base_events.BaseEventLoopWithSelectorTests.test_create_connection_ip_addr
        test_base_events.BaseEventLoopWithSelectorTests.test_create_connection_ipv6_scope
        test_base_events.BaseEventLoopWithSelectorTests.test_create_connection_no_inet_pton
        test_base_events.BaseEventLoopWithSelectorTests.test_create_connection_service_name
        test_base_events.BaseEventLoopWithSelectorTests.test_create_server_soreuseport_only_defined
        test_base_events.BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_ip_addr
        test_base_events.BaseEventLoopTests.test_create_connection_happy_eyeballs @ 3.15+
        test_base_events.BaseEventLoopTests.test_create_connection_happy_eyeballs_ipv4_only @ 3.15+
        test_sslproto.SslProtoHandshakeTests.test_connection_lost_when_busy @ 3.14+
        test_unix_events.SelectorEventLoopUnixSocketTests.test_create_unix_server_bind_error
    """,
    "mocks in asyncio.unix_events, whose signal handling is the selector loop's": """
        test_unix_events.SelectorEventLoopSignalTests.test_add_signal_handler
        test_unix_events.SelectorEventLoopSignalTests.test_add_signal_handler_install_error*
        test_unix_events.SelectorEventLoopSignalTests.test_add_signal_handler_setup_error
        test_unix_events.SelectorEventLoopSignalTests.test_check_signal
        test_unix_events.SelectorEventLoopSignalTests.test_close
        test_unix_events.SelectorEventLoopSignalTests.test_close_on_finalizing
        test_unix_events.SelectorEventLoopSignalTests.test_handle_signal_*
        test_unix_events.SelectorEventLoopSignalTests.test_remove_signal_handler*
    """,
    "puts something into the insides of asyncio's TLS and its transport": """
        test_ssl.TestSSL.test_remote_shutdown_receives_trailing_data_on_slow_socket @ 3.14+
        test_sslproto.SelectorStartTLSTests.test_create_connection_ssl_failed_certificate_no_cycles @ 3.14+
    """,
    "the selector loop's private steps of sock_sendfile": """
        test_unix_events.SelectorEventLoopUnixSockSendfileTests.*
    """,
    "counts the calls of a private method, _run_once": """
        test_events.*EventLoopTests.test_timeout_rounding
    """,
}


@dataclass(frozen=True)
class Entry:
    """One pattern, for the running Python."""

    pattern: str
    reason: str

    def matches(self, name: str) -> bool:
        return fnmatch.fnmatchcase(name, self.pattern)


def _applies(versions: str) -> bool:
    """Whether "3.12+", "-3.11", "3.11-3.13" or "" includes the running Python."""
    first, _, last = versions.replace("+", "-").partition("-")
    return (not first or sys.version_info[:2] >= _number(first)) and (
        not last or sys.version_info[:2] <= _number(last)
    )


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def entries_for(module: str) -> list[Entry]:
    """What is left out of one module."""
    entries = []
    for reason, lines in LEFT_OUT.items():
        for line in lines.split("\n"):
            pattern, _, versions = (word.strip() for word in line.partition("@"))
            if pattern.startswith(f"{module}.") and _applies(versions):
                entries.append(Entry(pattern, reason))
    return entries
