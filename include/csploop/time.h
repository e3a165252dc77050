/* csploop/time.h - the loop's clock, and calls that wait for it.
 *
 * All times are int64_t nanoseconds. Timers fire in the order (deadline,
 * insertion), never early, and in the turn after the one that armed them at
 * the earliest. A negative deadline or one in the past is due at once.
 */
#ifndef CSPLOOP_TIME_H
#define CSPLOOP_TIME_H

#include <csploop/record.h>

CSPLOOP_BEGIN_DECLS

/* The loop's time now, in ns. Of a closed loop and in a forked child, too.
 *   Thread: any-thread. Errors: EINVAL. Since 0.1. */
CSPLOOP_API int64_t csploop_now(const csploop_t *loop);

/* Moves a simulated clock. Timers that become due fire in the next turn.
 *   now_ns: not before the present one. Thread: loop-thread.
 *   Errors: EINVAL (earlier, or not a simulated clock), ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_clock_set(csploop_t *loop, int64_t now_ns);

/* Calls fn in the next turn, in the order of the calls.
 *   out: receives the id; NULL if it is not wanted. fn NULL: the completion
 *   goes to the batch with arg as its token (so for all that follow).
 *   Thread: loop-thread. Errors: EINVAL, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_call_soon(csploop_t *loop, csploop_id *out, csploop_fn fn, void *arg);

/* Calls fn once, delay_ns from now. A negative delay counts as 0; one that
 * leaves the range of int64_t never comes.
 *   Thread: loop-thread. Errors: EINVAL, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_call_later(csploop_t *loop, csploop_id *out, int64_t delay_ns, csploop_fn fn, void *arg);

/* Calls fn once, at when_ns on csploop_now's clock.
 *   Thread: loop-thread. Errors: EINVAL, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_call_at(csploop_t *loop, csploop_id *out, int64_t when_ns, csploop_fn fn, void *arg);

/* Calls fn once, when the wall clock reaches wall_ns (since 1970-01-01 UTC).
 * Unlike csploop_call_at it follows every change of the system's clock. With
 * a simulated clock, wall time is csploop_now.
 *   Thread: loop-thread. Errors: EINVAL, ENOMEM, EMFILE, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_call_at_wall(csploop_t *loop, csploop_id *out, int64_t wall_ns, csploop_fn fn, void *arg);

/* Takes back a csploop_call_* or a reserved id. After 0 it is never
 * delivered and arg is the caller's again; that holds inside a callback too,
 * for one that is due in the same turn.
 *   Thread: loop-thread. Errors: EINVAL (not a timer's id), EBADID (fired or
 *   cancelled before), EALREADY (its record is in the batch handed out last),
 *   ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_cancel(csploop_t *loop, csploop_id id);

/* Calls fn on the loop's thread in one of its next turns, in the order of the
 * calls, and wakes the loop if it sleeps.
 *   Thread: any-thread. Errors: EINVAL, ENOMEM, ECLOSED, ECHILD. After an
 *   error, or when the loop closes first, fn is not called. Since 0.1. */
CSPLOOP_API int csploop_post(csploop_t *loop, csploop_fn fn, void *arg);

CSPLOOP_END_DECLS
#endif
