"""Where a comparator is known to differ from a test body, and why.

Keys are `file::test`, or `file::test[parameters]` without the loop's name, then
the comparator. A listed test runs there as an expected failure, but not at all
with HANGS in front of the reason (uvloop swallows the exception with which a
test's bound would end it), ABORTS (the process) or LEAVES (something behind, at
which later tests fail). csploop has no entries: what it does differently is a
bug, or a documented difference with a test of its own.
"""

from __future__ import annotations

HANGS = "hangs: "
ABORTS = "aborts: "
LEAVES = "leaves something behind: "

_EXITS_STOP = HANGS + "uvloop stops the loop but swallows the exit when a stream's callback raised it"
_NO_CHECKS = "debug mode does not check what it is given; the report comes too late for the test"
_WRITE_AFTER_CLOSE = "write on a closed transport raises"
_ERROR_KEEPS = "an error in these leaves the connection open"
_REMOVE_IS_MUTE = "remove_reader and remove_writer return None, and closed files stay registered"
_NO_PATHS = "Unix endpoints by path are refused"
_ABORT_REPORTS = "each datagram that abort drops is a report"
_CONTEXT_COPIES = "before Python 3.15 each callback has a copy of the context in which it was asked for"
_LITERALS_ONLY = "sendto takes literal addresses only"
_AFTER_CLOSE = "what a peer sends after close() is an error"
_BAD_ADDRESS = "test_datagram.py::test_what_is_no_address_ends_the_transport_with_the_sockets_exception"
_NO_CLOSING = "a server has no close_clients and abort_clients"
_BUFFER_COPIED = "decrypts into a slice of the buffer, which is a copy if that is a bytearray"
_HANDSHAKE_UNREAD = "who has paused reading does not read a handshake either"
_INNER_LOST = "the outer layer's end ends the inner one, whatever that still has"
_HUNDRED_YEARS = "delays are clamped to a hundred years, and when() tells the clamped one"
_MILLISECONDS = "timers count whole milliseconds of a clock that stands still during a turn"
_PIPE_EOF = "a writing transport reads, too, and tells eof_received or data_received"
_PIPE_TYPE = "pipe transports refuse what is no bytes with TypeError, and are not closed by it"
_KEEPS_SOCKETS = "a socket that is closed while the loop has it stays open"
_FEW_OPTIONS = "has not these options"
_NO_POPEN = "the extra information has no Popen"
_PSEUDO_SOCKET = "gives a socket class of its own, which cannot be shut down"
_NO_PIPE = "pipe transports do not tell their pipe"
_FROZEN = HANGS + "goes by time.monotonic, in whose place freezegun puts its own"
_NOT_EAGER = "hands eager_start to factories that lack it, and as it likes to the others; a name comes late"
_STOP_LATE = "a run makes one more turn after it was told to stop"

DEPARTURES: dict[str, dict[str, str]] = {
    "test_call_soon.py::test_a_handle_knows_its_context": {"uvloop": "handles have no get_context"},
    "test_call_soon.py::test_stop_lets_the_present_turn_finish_but_not_the_next": {"uvloop": _STOP_LATE},
    "test_closed_behind_the_loop.py::test_what_is_written_does_not_reach_who_has_the_number": {
        "uvloop": HANGS + _KEEPS_SOCKETS
    },
    "test_closed_behind_the_loop.py::test_a_block_that_ends_closes_the_connections_socket": {
        "uvloop": HANGS + _KEEPS_SOCKETS
    },
    "test_closed_behind_the_loop.py::test_the_transports_end_spares_who_has_the_number": {
        "uvloop": HANGS + _KEEPS_SOCKETS
    },
    "test_closed_behind_the_loop.py::test_write_eof_shuts_nobody_down": {"uvloop": HANGS + _KEEPS_SOCKETS},
    "test_closed_behind_the_loop.py::test_reading_that_resumes_does_not_read_from_who_has_the_number": {
        "uvloop": HANGS + _KEEPS_SOCKETS
    },
    "test_closed_behind_the_loop.py::test_a_duplicate_makes_us_read_nothing_from_who_has_the_number": {
        "uvloop": HANGS + _KEEPS_SOCKETS
    },
    "test_closed_behind_the_loop.py::test_a_buffered_protocol_gets_no_data_of_who_has_the_number": {
        "uvloop": HANGS + _KEEPS_SOCKETS
    },
    "test_closed_behind_the_loop.py::test_an_accepted_connection": {"uvloop": HANGS + _KEEPS_SOCKETS},
    "test_closed_behind_the_loop.py::test_datagrams_do_not_leave_by_who_has_the_number": {
        "uvloop": HANGS + _KEEPS_SOCKETS
    },
    "test_closed_behind_the_loop.py::test_a_file_is_not_sent_to_who_has_the_number": {
        "uvloop": HANGS + _KEEPS_SOCKETS
    },
    "test_closed_behind_the_loop.py::test_a_pipes_end_spares_who_has_the_number": {
        "uvloop": HANGS + _KEEPS_SOCKETS
    },
    "test_connect.py::test_all_errors_gives_a_group": {"uvloop": "has no such option"},
    "test_connect.py::test_happy_eyeballs_finds_the_address_that_answers": {"uvloop": "has no such options"},
    "test_stream_contract.py::test_a_write_after_close_follows_bytes_that_are_not_sent_yet": {
        "uvloop": LEAVES + _WRITE_AFTER_CLOSE
    },
    "test_bad_peers.py::test_many_writes_after_the_loss_warn_but_do_not_fail": {"uvloop": _WRITE_AFTER_CLOSE},
    "test_buffered_protocol.py::test_the_methods_of_a_buffered_protocol_are_enough": {
        "asyncio": "a BufferedProtocol is what inherits from it"
    },
    "test_buffered_protocol.py::test_an_error_in_get_buffer_is_reported": {"uvloop": _ERROR_KEEPS},
    "test_closed_loop.py::test_each_call_does_what_it_does_on_asyncio[stop]": {
        "uvloop": "stop is refused after close"
    },
    "test_closed_loop.py::test_transports_of_a_closed_loop_can_be_closed": {"uvloop": _WRITE_AFTER_CLOSE},
    "test_datagram_endpoint.py::test_a_unix_path_that_is_too_long_or_nobodys_is_told": {"uvloop": _NO_PATHS},
    "test_datagram_endpoint.py::test_abort_drops_what_waits": {"uvloop": _ABORT_REPORTS},
    "test_datagram_endpoint.py::test_abstract_unix_addresses_are_bytes": {
        "uvloop": HANGS + "abstract addresses are strings"
    },
    "test_datagram_endpoint.py::test_an_unnamed_unix_sender_has_no_address": {"uvloop": _NO_PATHS},
    "test_datagram_endpoint.py::test_options_that_make_no_sense": {
        "uvloop": "addresses of two families make an endpoint"
    },
    "test_datagram_endpoint.py::test_reuse_port": {
        "uvloop": "an address that is in use leaves an unclosed transport"
    },
    "test_datagram_endpoint.py::test_the_buffer_size_counts_what_the_documentation_says": {
        "uvloop": _ABORT_REPORTS
    },
    "test_datagram_endpoint.py::test_the_sock_methods_for_datagrams": {"uvloop": "has no such methods"},
    "test_datagram_endpoint.py::test_transports_are_asyncios": {
        "uvloop": "transports are instances of no class of asyncio's"
    },
    "test_datagram_endpoint.py::test_unix_endpoints_by_path": {"uvloop": _NO_PATHS},
    "test_datagram_endpoint.py::test_writing_pauses_and_resumes_and_nothing_is_lost": {
        "asyncio": "3.13.0 counts bytes for headers and never takes them back"
    },
    "test_context.py::test_resume_writing_runs_in_the_transports_context[plain]": {
        "asyncio": _CONTEXT_COPIES
    },
    "test_context.py::test_resume_writing_runs_in_the_transports_context[tls]": {
        "asyncio": _CONTEXT_COPIES,
        "uvloop": HANGS + "TLS hands all bytes to the transport below, and pauses nobody",
    },
    "test_context.py::test_what_a_servers_connection_sets_is_its_own": {
        "asyncio": _CONTEXT_COPIES,
        "uvloop": HANGS + "what a factory sets reaches no callback, and the test waits for callbacks",
    },
    "test_debug_mode.py::test_a_forgotten_loop_is_a_resource_warning": {"uvloop": "words of its own"},
    "test_datagram.py::test_abort_tells_no_more_errors": {
        "asyncio": "what is sent to nobody's benefit after the end is tried all the same"
    },
    "test_datagram.py::test_an_endpoint_may_be_closed_from_error_received": {
        "uvloop": "close drops what waits, and its errors"
    },
    "test_datagram.py::test_a_name_that_nobody_knows_is_an_error_received": {"uvloop": _LITERALS_ONLY},
    "test_datagram.py::test_allow_broadcast_leaves_the_socket_unconnected_but_fixes_the_address": {
        "uvloop": "the socket is connected all the same"
    },
    "test_datagram.py::test_an_empty_datagram_is_sent_from_python_3_13_on": {
        "uvloop": HANGS + "it is not sent"
    },
    "test_datagram.py::test_hosts_are_literals_names_or_empty": {"uvloop": _LITERALS_ONLY},
    _BAD_ADDRESS: {"uvloop": "sendto raises or does nothing"},
    f"{_BAD_ADDRESS}[None]": {"uvloop": HANGS + "sendto does nothing"},
    f"{_BAD_ADDRESS}[('127.0.0.1', 99999)]": {"uvloop": HANGS + "sendto takes the port modulo 65536"},
    "test_datagram.py::test_what_is_no_bytes_is_a_type_error": {"uvloop": "None is sent as nothing"},
    "test_debug_mode.py::test_a_forgotten_transport_is_a_resource_warning": {"uvloop": "in loop.close"},
    "test_debug_mode.py::test_coroutines_and_coroutine_functions_are_refused": {"uvloop": _NO_CHECKS},
    "test_debug_mode.py::test_debug_can_be_switched_while_the_loop_runs": {"uvloop": _NO_CHECKS},
    "test_debug_mode.py::test_what_cannot_be_called_is_refused": {"uvloop": _NO_CHECKS},
    "test_exception_handler.py::test_messages_are_those_of_asyncio": {"uvloop": "words of its own"},
    "test_executor.py::test_shutdown_of_the_default_executor_gives_up_after_its_timeout": {
        "uvloop": "waits for the jobs in any case"
    },
    "test_flow_control.py::test_limits_follow_from_each_other": {
        "uvloop": "only one of the two limits can be asked for"
    },
    "test_interrupt.py::test_data_of_other_streams_in_the_same_batch_is_not_lost": {"uvloop": _EXITS_STOP},
    "test_interrupt.py::test_watchers_of_the_same_batch_are_called_in_the_next_run": {
        "uvloop": "the rest of the batch is called before the exit leaves the run"
    },
    "test_out_of_descriptors.py::test_at_the_limit_accepting_pauses_and_goes_on_later": {
        "uvloop": "at the limit libuv accepts and closes the clients that wait"
    },
    "test_interrupted_starts.py::test_an_interrupted_opening_leaves_nothing": {
        "uvloop": HANGS + "a cancelled TLS handshake keeps the run from ending; pipes' files stay open"
    },
    "test_pause_reading.py::test_pausing_in_connection_made": {"uvloop": "reading starts all the same"},
    "test_pipes.py::test_a_failing_protocol_is_reported_and_reading_goes_on": {
        "uvloop": HANGS + "a protocol that fails loses its pipe"
    },
    "test_pipes.py::test_a_socket_to_write_to_that_gets_data_is_closed": {"uvloop": HANGS + _PIPE_EOF},
    "test_pipes.py::test_an_idle_writer_notices_that_the_reader_is_gone": {"uvloop": _PIPE_EOF},
    "test_pipes.py::test_connection_lost_is_never_called_inside_close": {
        "uvloop": "write_eof does not close the transport"
    },
    "test_pipes.py::test_large_transfer_through_a_pipe": {"uvloop": "writes after close are sent"},
    "test_pipes.py::test_one_descriptor_for_both_directions": {
        "asyncio": "closing the writer also stops the reader of the same descriptor",
        "uvloop": "the second transport of a terminal stalls",
    },
    "test_pipes.py::test_only_bytes_can_be_written": {"uvloop": _PIPE_TYPE},
    "test_pipes.py::test_pausing_in_connection_made": {"uvloop": "reading starts all the same"},
    "test_pipes.py::test_regular_files_are_refused_and_stay_open": {
        "uvloop": ABORTS + "libuv cannot watch it"
    },
    "test_pipes.py::test_stream_reader_and_writer_over_pipes": {"uvloop": _PIPE_EOF},
    "test_pipes.py::test_the_pipe_is_in_the_extra_information_and_is_closed_at_the_end": {
        "uvloop": "reading transports are writing ones, too"
    },
    "test_pipes.py::test_the_repr_tells_the_state": {"uvloop": "words of its own"},
    "test_pipes.py::test_what_is_no_file_is_refused": {
        "asyncio": "the half-made transport fails once more when it is collected"
    },
    "test_pipes.py::test_writes_to_a_lost_pipe_are_counted_and_warned_of": {"uvloop": _WRITE_AFTER_CLOSE},
    "test_subprocess_life.py::test_a_cancelled_start_leaves_nothing": {
        "uvloop": LEAVES + "a start that was cancelled may report an error once the loop is closed"
    },
    "test_subprocess_life.py::test_events_come_in_order": {
        "uvloop": "now and then connection_lost comes before a pipe's"
    },
    "test_pipes.py::test_writing_to_the_null_device": {"uvloop": ABORTS + "libuv cannot watch it"},
    "test_run.py::test_a_run_inside_a_run_is_refused": {
        "asyncio": "some versions take a handle from the queue of the run that goes on"
    },
    "test_run.py::test_run_until_complete_runs_no_step_too_far": {"uvloop": _STOP_LATE},
    "test_run.py::test_the_number_of_turns_of_a_run_is_asyncios": {"uvloop": _STOP_LATE},
    "test_server.py::test_keep_alive_reaches_the_socket": {"uvloop": "has no such option"},
    "test_server_life.py::test_closing_during_serve_forever_cancels_it": {
        "uvloop": HANGS + "closing does not end serve_forever"
    },
    "test_server_life.py::test_serve_forever_that_is_cancelled_closes_its_clients": {
        "uvloop": HANGS + _NO_CLOSING
    },
    "test_server_life.py::test_clients_can_be_closed_with_the_server": {"uvloop": _NO_CLOSING},
    "test_server_life.py::test_wait_closed_waits_for_the_connections": {
        "uvloop": "does not, as asyncio before Python 3.12"
    },
    "test_signals.py::test_a_signal_while_the_loop_does_not_run_is_handled_when_it_does": {
        "uvloop": HANGS + "such a signal is lost"
    },
    "test_signals.py::test_close_gives_the_signals_back": {"uvloop": "closing keeps the handlers"},
    "test_signals.py::test_off_the_main_thread_it_is_an_error": {"uvloop": "it is no RuntimeError"},
    "test_signals.py::test_what_is_no_signal": {"uvloop": "a RuntimeError of its own"},
    "test_subprocess.py::test_a_child_can_open_its_input_by_name": {"uvloop": "a child's input is a socket"},
    "test_subprocess.py::test_a_missing_program_is_an_error": {"uvloop": "the error does not name the file"},
    "test_subprocess.py::test_input_that_is_not_read_is_no_error": {"uvloop": _WRITE_AFTER_CLOSE},
    "test_subprocess.py::test_options_that_asyncio_has_not": {"uvloop": "ignores some of them"},
    "test_subprocess.py::test_other_descriptors_are_not_inherited": {
        "uvloop": "the child has every descriptor that is inheritable"
    },
    "test_subprocess.py::test_process_group": {"uvloop": _FEW_OPTIONS},
    "test_subprocess.py::test_shell_has_its_own_call": {"uvloop": "TypeError for wrong values"},
    "test_subprocess.py::test_user_and_groups": {"uvloop": _FEW_OPTIONS},
    "test_subprocess.py::test_wrong_types_and_unknown_options_are_type_errors": {
        "uvloop": "ValueError for unknown options"
    },
    "test_subprocess_life.py::test_children_of_a_loop_in_another_thread": {
        "uvloop": "since Python 3.12 exits are not told outside the main thread"
    },
    "test_subprocess_life.py::test_close_kills_a_running_child": {
        "uvloop": "is_closing stays False after close"
    },
    "test_subprocess_life.py::test_the_transport_tells_about_its_child": {"uvloop": _NO_POPEN},
    "test_tasks.py::test_eager_tasks": {
        "uvloop": LEAVES + "a task factory gets keywords that asyncio's of this Python does not give it"
    },
    "test_timers.py::test_a_huge_delay_never_comes_and_harms_nothing[1000000000000.0]": {
        "uvloop": _HUNDRED_YEARS
    },
    "test_timers.py::test_a_huge_delay_never_comes_and_harms_nothing[1e+18]": {"uvloop": _HUNDRED_YEARS},
    "test_timers.py::test_a_huge_delay_never_comes_and_harms_nothing[1e+300]": {"uvloop": _HUNDRED_YEARS},
    "test_timers.py::test_a_huge_delay_never_comes_and_harms_nothing[inf]": {"uvloop": _HUNDRED_YEARS},
    "test_timers.py::test_no_timer_is_early": {"uvloop": _MILLISECONDS},
    "test_timers.py::test_sleeps_of_many_tasks_end_in_order": {"uvloop": _MILLISECONDS},
    "test_timers.py::test_timer_handles_compare_by_deadline": {"uvloop": "timer handles have no order"},
    "test_start_tls.py::test_who_upgraded_has_the_transport_before_the_first_data_comes": {
        "asyncio": "the first data may come before"
    },
    "test_tls.py::test_a_buffered_protocol_gets_all_in_its_own_buffer": {"asyncio": _BUFFER_COPIED},
    "test_tls.py::test_a_slow_peer_pauses_the_writer": {"uvloop": HANGS + "now and then, at its end"},
    "test_tls.py::test_an_end_without_close_notify_is_an_end": {"uvloop": "eof_received is not called"},
    "test_tls.py::test_the_transport_is_an_asyncio_transport": {
        "uvloop": "its transports are not instances of asyncio.Transport"
    },
    "test_tls.py::test_what_comes_after_close_is_dropped_and_no_error": {"asyncio": _AFTER_CLOSE},
    "test_tls.py::test_what_came_while_reading_was_paused_survives_the_end": {
        "uvloop": "it is lost, and eof_received is not called"
    },
    "test_threadsafe.py::test_a_report_in_debug_mode_tells_where_the_running_call_was_asked_for": {
        "uvloop": "reports do not tell"
    },
    "test_threadsafe.py::test_who_asks_a_handle_while_its_callback_runs_waits_until_that_has_ended": {
        "asyncio": "before Python 3.14 handles do not know of threads",
        "uvloop": "handles do not know of threads",
    },
    "test_tls_below.py::test_a_server_that_closes_its_clients_sends_their_answers": {"uvloop": _NO_CLOSING},
    "test_tls.py::test_a_peer_that_ends_and_does_not_read_is_given_up": {
        "asyncio": HANGS + "the timeout ends before what is written has gone",
        "uvloop": HANGS + "the timeout ends before what is written has gone",
    },
    "test_tls_in_tls.py::test_a_failing_inner_handshake_raises_and_closes": {"asyncio": _INNER_LOST},
    "test_tls_in_tls.py::test_what_came_while_reading_was_paused_survives_the_end": {
        "asyncio": _INNER_LOST,
        "uvloop": _INNER_LOST,
    },
    "test_tls_in_tls.py::test_who_pauses_again_and_again_gets_all": {"uvloop": HANGS + _INNER_LOST},
    "test_tls_renegotiation.py::test_with_a_buffered_protocol[server]": {"asyncio": _BUFFER_COPIED},
    "test_tls_renegotiation.py::test_with_a_buffered_protocol[client]": {"asyncio": _BUFFER_COPIED},
    "test_tls_renegotiation.py::test_who_pauses_reading_in_its_midst_can_write_all_the_same[server]": {
        "asyncio": _HANDSHAKE_UNREAD,
        "uvloop": HANGS + _HANDSHAKE_UNREAD,
    },
    "test_transport_socket.py::test_shutdown_comes_behind_what_was_written": {
        "uvloop": LEAVES + _PSEUDO_SOCKET
    },
    "test_transport_socket.py::test_the_end_below_tls_comes_behind_what_was_written": {
        "uvloop": LEAVES + _PSEUDO_SOCKET
    },
    "test_transport_socket.py::test_it_is_asyncios_and_looks_alike": {"uvloop": HANGS + _PSEUDO_SOCKET},
    "test_transport_socket.py::test_a_childs_input_keeps_its_order": {"uvloop": LEAVES + _NO_PIPE},
    "test_transport_socket.py::test_a_childs_input_keeps_its_order_with_what_its_popen_writes": {
        "uvloop": LEAVES + _NO_POPEN
    },
    "test_unix.py::test_abstract_addresses": {"uvloop": "abstract addresses get lost in the conversion"},
    "test_watchers.py::test_a_descriptor_can_be_watched_again_after_its_transport_is_gone": {
        "uvloop": _REMOVE_IS_MUTE
    },
    "test_watchers.py::test_a_reader_is_called_as_long_as_there_is_something_to_read": {
        "uvloop": _REMOVE_IS_MUTE
    },
    "test_watchers.py::test_a_descriptor_that_is_closed_before_the_loop_hears_of_it_is_reported": {
        "asyncio": "the kernel hears of it from the other thread, and forgets it without a word",
        "uvloop": ABORTS + "libuv does not expect that",
    },
    "test_watchers.py::test_another_thread_may_add_and_remove_while_the_loop_waits": {
        "uvloop": HANGS + "the loop is not woken"
    },
    "test_watchers.py::test_a_regular_file_cannot_be_watched": {"uvloop": _REMOVE_IS_MUTE},
    "test_watchers.py::test_a_reused_number_is_watched_anew": {"uvloop": _REMOVE_IS_MUTE},
    "test_watchers.py::test_a_second_reader_replaces_the_first": {"uvloop": _REMOVE_IS_MUTE},
    "test_watchers.py::test_a_writer_is_called_as_long_as_there_is_room": {"uvloop": _REMOVE_IS_MUTE},
    "test_watchers.py::test_pipes_can_be_watched": {"uvloop": _REMOVE_IS_MUTE},
    "test_watchers.py::test_reader_and_writer_of_one_descriptor_are_independent": {"uvloop": _REMOVE_IS_MUTE},
    "test_watchers.py::test_removing_tells_whether_there_was_one": {"uvloop": _REMOVE_IS_MUTE},
    "test_watchers.py::test_sock_recv_and_a_writer_share_a_socket": {"uvloop": _REMOVE_IS_MUTE},
    "test_watchers.py::test_sockets_and_numbers_name_the_same": {"uvloop": _REMOVE_IS_MUTE},
    "test_task_creation.py::test_a_task_starts_at_once_when_it_is_told_to": {"uvloop": _NOT_EAGER},
    "test_task_creation.py::test_a_factory_for_eager_tasks_of_ones_own_class": {
        "uvloop": LEAVES + _NOT_EAGER
    },
    "test_task_creation.py::test_eager_tasks_do_io": {"uvloop": LEAVES + _NOT_EAGER},
    "test_write.py::test_a_buffer_may_be_changed_after_write": {
        "asyncio": "since Python 3.12 what the kernel does not take at once is sent as it is later",
        "uvloop": "large buffers are sent as they are later",
    },
    "test_write.py::test_what_is_no_buffer_is_a_type_error[None]": {"uvloop": "None is written as nothing"},
    "test_wrong_arguments.py::test_the_exception_is_asyncios[sock_recv_number]": {
        "uvloop": "a number is taken for a socket"
    },
    "test_wrong_arguments.py::test_the_exception_is_asyncios[create_server_big_port]": {
        "uvloop": "the port is taken modulo 65536"
    },
    "test_wrong_arguments.py::test_the_exception_is_asyncios[run_until_complete_of_a_number]": {
        "uvloop": "another exception"
    },
    "test_wrong_arguments.py::test_the_exception_is_asyncios[set_default_executor_number]": {
        "uvloop": "anything is taken for an executor"
    },
    "test_wrong_arguments.py::test_the_exception_is_asyncios[sock_sendall_none]": {
        "uvloop": "None is written as nothing"
    },
    "test_wrong_arguments.py::test_the_exception_of_a_transport_is_asyncios[write_none]": {
        "uvloop": "None is written as nothing"
    },
}

DEPARTURES.update(
    (f"test_faked_time.py::{test}[{mode}]", {"asyncio": _FROZEN})
    for mode in ("stopped", "stepping", "ticking")
    for test in (
        "test_a_loop_that_is_made_inside_works_also_afterwards",
        "test_a_time_that_is_replaced_on_purpose_counts_also_then",
        "test_debug_mode_measures_real_time",
        "test_sleeps_and_timeouts_end",
        "test_the_loops_time_goes_on_as_before",
        "test_timers_from_before_and_for_afterwards_fire",
    )
)

DEPARTURES.update(
    (f"test_other_families.py::{test}", {"uvloop": LEAVES + "knows UDP only"})
    for test in (
        "test_a_watcher_of_before_does_not_outlive_it",
        "test_an_error_of_sending_is_told_and_the_endpoint_goes_on",
        "test_an_error_of_sending_is_told_inside_a_callback",
        "test_its_descriptor_is_in_use_and_its_socket_may_be_taken",
        "test_netlink_answers_with_its_address",
        "test_netlink_of_a_connected_socket",
        "test_netlink_with_sock_methods",
        "test_other_families_that_open_here_can_be_endpoints",
        "test_packets_carry_their_interface",
        "test_raw_sockets_see_the_whole_packet",
    )
)
