"""Where a comparator is known to differ from a test body, and why.

Keys are `file::test` without parameters, then the comparator. A listed test
runs there as an expected failure; with HANGS or NOT_RUN in front of the reason it
is not run at all. csploop has no entries: what it does differently is a bug, or a
documented difference with a test of its own.
"""

from __future__ import annotations

HANGS = "hangs: "
NOT_RUN = "not run: "

_EXITS_STOP = HANGS + "uvloop stops the loop but swallows the exit when a stream's callback raised it"
_NO_CHECKS = NOT_RUN + "debug mode does not check what it is given; the report comes too late for the test"
_WRITE_AFTER_CLOSE = "write on a closed transport raises"
_MILLISECONDS = "timers count whole milliseconds of a clock that stands still during a turn"
_STOP_LATE = "a run makes one more turn after it was told to stop"

DEPARTURES: dict[str, dict[str, str]] = {
    "test_call_soon.py::test_stop_lets_the_present_turn_finish_but_not_the_next": {"uvloop": _STOP_LATE},
    "test_connect.py::test_happy_eyeballs_finds_the_address_that_answers": {"uvloop": "has no such options"},
    "test_closed_loop.py::test_each_call_does_what_it_does_on_asyncio": {"uvloop": "stop is refused after close"},
    "test_closed_loop.py::test_transports_of_a_closed_loop_can_be_closed": {"uvloop": _WRITE_AFTER_CLOSE},
    "test_debug_mode.py::test_a_forgotten_transport_is_a_resource_warning": {"uvloop": HANGS + "in loop.close"},
    "test_debug_mode.py::test_coroutines_and_coroutine_functions_are_refused": {"uvloop": _NO_CHECKS},
    "test_debug_mode.py::test_debug_can_be_switched_while_the_loop_runs": {"uvloop": _NO_CHECKS},
    "test_debug_mode.py::test_what_cannot_be_called_is_refused": {"uvloop": _NO_CHECKS},
    "test_exception_handler.py::test_messages_are_those_of_asyncio": {"uvloop": "words of its own"},
    "test_interrupt.py::test_data_of_other_streams_in_the_same_batch_is_not_lost": {"uvloop": _EXITS_STOP},
    "test_interrupt.py::test_watchers_of_the_same_batch_are_called_in_the_next_run": {
        "uvloop": "the rest of the batch is called before the exit leaves the run"
    },
    "test_run.py::test_run_until_complete_runs_no_step_too_far": {"uvloop": _STOP_LATE},
    "test_run.py::test_the_number_of_turns_of_a_run_is_asyncios": {"uvloop": _STOP_LATE},
    "test_server_life.py::test_closing_during_serve_forever_cancels_it": {
        "uvloop": HANGS + "closing does not end serve_forever"
    },
    "test_signals.py::test_a_signal_while_the_loop_does_not_run_is_handled_when_it_does": {
        "uvloop": NOT_RUN + "such a signal is lost"
    },
    "test_signals.py::test_close_gives_the_signals_back": {"uvloop": "closing keeps the handlers"},
    "test_signals.py::test_off_the_main_thread_it_is_an_error": {"uvloop": "it is no RuntimeError"},
    "test_signals.py::test_what_is_no_signal": {"uvloop": "a RuntimeError of its own"},
    "test_timers.py::test_a_huge_delay_never_comes_and_harms_nothing": {
        "uvloop": "delays are clamped to a hundred years, and when() tells the clamped one"
    },
    "test_timers.py::test_no_timer_is_early": {"uvloop": _MILLISECONDS},
    "test_timers.py::test_sleeps_of_many_tasks_end_in_order": {"uvloop": _MILLISECONDS},
    "test_timers.py::test_timer_handles_compare_by_deadline": {"uvloop": "timer handles have no order"},
    "test_unix.py::test_abstract_addresses": {"uvloop": HANGS + "abstract addresses get lost in the conversion"},
}
