/* csploop/loop.h - a loop's life, and how it turns.
 *
 * Owner: a loop belongs to at most one thread at a time: the one that called
 * csploop_attach, or that is inside csploop_run or csploop_turn. A loop that
 * no thread has attached may be used from any one thread at a time.
 *
 * Memory: csploop_new gives one reference. csploop_close ends the loop's work
 * and frees what it held; the handle itself lives until the last
 * csploop_unref. Each thread that keeps the pointer should hold a reference.
 *
 *            csploop_new                csploop_close          last csploop_unref
 *   (none) -------------> open, idle -----------------> closed -----------------> freed
 *                          |      ^
 *              turn or run v      |  returns
 *                       inside a turn
 *
 * Fork: in a child process csploop_close, csploop_ref, csploop_unref and their
 * like for bridges work on a loop made by the parent, and they leave the
 * parent's loop alone. What only reads goes on, too, and tells what was so at
 * the fork: csploop_now, csploop_poller_kind, csploop_slab, csploop_udp_sender,
 * csploop_bridge_id and csploop_bridge_stats. So a callback that forks can
 * still use its record in the child. Everything else returns CSPLOOP_ECHILD.
 */
#ifndef CSPLOOP_LOOP_H
#define CSPLOOP_LOOP_H

#include <csploop/options.h>
#include <csploop/record.h>

CSPLOOP_BEGIN_DECLS

/* Makes a loop.
 *   out: receives the handle with one reference; NULL on failure.
 *   options: NULL for the defaults; only read during the call.
 *   Thread: any-thread. Errors: EINVAL, ENOMEM, EMFILE, ENFILE, ENOTSUP. Since 0.1. */
CSPLOOP_API CSPLOOP_MUST_CHECK int csploop_new(csploop_t **out, const csploop_options *options);

/* Ends the loop: unsent bytes get one last try, streams, listeners and
 * watchers are closed, timers and posts dropped, bridges closed (blocked
 * producers return CSPLOOP_ECLOSED). No callback runs. By-reference writes
 * still open end silently: their memory is the caller's again on return.
 * Adopted fds that were to be kept (CSPLOOP_ADOPT_KEEP_FD) stay open.
 * In a forked child nothing is sent and the parent's loop is left alone.
 * Closing a closed loop returns 0.
 *   Thread: loop-thread, idle-only. Errors: EINVAL, ETHREAD, EBUSY. Since 0.1. */
CSPLOOP_API int csploop_close(csploop_t *loop);

/* Takes one more reference. Thread: any-thread. Errors: none.
 *   Returns: loop (NULL for NULL). Since 0.1. */
CSPLOOP_API csploop_t *csploop_ref(csploop_t *loop);

/* Drops a reference; the last one frees the handle (closing the loop first if
 * nobody did; references to its bridges do not count). NULL is allowed.
 *   Thread: any-thread; the last reference of a loop that is still open:
 *   loop-thread. Errors: none.
 *   Returns: NULL, so that `loop = csploop_unref(loop)` leaves nothing dangling. Since 0.1. */
CSPLOOP_API csploop_t *csploop_unref(csploop_t *loop);

/* Binds the loop to the calling thread until csploop_detach; from then on
 * loop-thread calls from elsewhere return ETHREAD. Attaching twice counts.
 *   Thread: any-thread. Errors: EINVAL, EBUSY (another thread has it), ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_attach(csploop_t *loop);

/* Undoes one csploop_attach. For a closed loop there is nothing to undo: 0.
 *   Thread: loop-thread, idle-only. Errors: EINVAL, ETHREAD, EBUSY, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_detach(csploop_t *loop);

enum csploop_run_mode {
    CSPLOOP_RUN_FOREVER = 0, /* until csploop_stop */
    CSPLOOP_RUN_ONCE = 1,    /* one turn, waiting for something to happen */
    CSPLOOP_RUN_NOWAIT = 2   /* one turn, without waiting */
};

/* Turns the loop on the calling thread, calling callbacks. It attaches for
 * the time being.
 *   Returns: 0; EPENDING when completions without a callback are waiting,
 *   which only csploop_turn can hand out. Thread: loop-thread, idle-only.
 *   Errors: EINVAL, ETHREAD, EBUSY, ECLOSED, ECHILD, EPENDING, ENOMEM. Since 0.1. */
CSPLOOP_API int csploop_run(csploop_t *loop, int mode);

/* One turn: takes the batch's submissions, sends what is unsent, waits until
 * something completes or timeout_ns passed, runs callbacks, and hands out the
 * completions that have none. A timer that is due first ends the wait.
 *   batch: NULL for none. When more completed than fit, the rest comes with
 *     the next turn, which then neither waits nor touches the slab.
 *   timeout_ns: 0 does not wait; negative waits without limit.
 *   Returns: the number of records handed out. A refused submission comes
 *   back as a REJECTED record. A signal that arrives while waiting is no error;
 *   its handler ends the wait for sure by csploop_wake or csploop_stop.
 *   Thread: loop-thread, not from inside a callback (EBUSY).
 *   Errors: EINVAL, ETHREAD, EBUSY, ECLOSED, ECHILD, ENOMEM. Since 0.1. */
CSPLOOP_API int csploop_turn(csploop_t *loop, csploop_batch *batch, int64_t timeout_ns);

/* Takes the batch's submissions and sends what is unsent, without waiting and
 * without handing anything out. Allowed between turns and inside callbacks.
 *   Returns: 0. Thread: loop-thread.
 *   Errors: EINVAL, ETHREAD, ECLOSED, ECHILD, ENOMEM. Since 0.1. */
CSPLOOP_API int csploop_submit(csploop_t *loop, csploop_batch *batch);

/* Gives ids that name timers in submissions before they are submitted. An id
 * that is never used costs its slot until csploop_cancel.
 *   out: receives n ids. Thread: loop-thread.
 *   Errors: EINVAL (NULL, or n < 0), ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_ids_reserve(csploop_t *loop, csploop_id *out, int n);

/* Makes csploop_run return once the current turn is over; if none is running,
 * the next one does a single turn without waiting.
 *   Thread: any-thread, signal-safe. Errors: EINVAL, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_stop(csploop_t *loop);

/* Ends the current wait, or makes the next one not wait. Calls coalesce.
 *   Thread: any-thread, signal-safe. Errors: EINVAL, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_wake(csploop_t *loop);

/* A descriptor that becomes readable when csploop_turn(…, 0) has something to
 * do, other than timers: for hosts that own the thread. The loop owns it;
 * watch it, never read or close it.
 *   Thread: any-thread. Errors: EINVAL, ECLOSED, ECHILD, ENOTSUP. Since 0.1. */
CSPLOOP_API int csploop_backend_fd(const csploop_t *loop);

/* When the loop wants to be turned even if its descriptor stays silent. A host
 * that waits by itself asks before each wait: from here to the next turn,
 * csploop_wake rings the descriptor.
 *   out: 0: now. INT64_MAX: never. Else a time on csploop_now's clock, in ns.
 *   Thread: loop-thread. Errors: EINVAL, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_next_deadline(csploop_t *loop, int64_t *out);

/* Which poller the loop runs on: enum csploop_poller, never DEFAULT. Of a
 * closed loop and in a forked child as before.
 *   Thread: any-thread. Errors: EINVAL. Since 0.1. */
CSPLOOP_API int csploop_poller_kind(const csploop_t *loop);

/* Bytes of heap that the loop holds in the core, slabs included; a closed
 * loop still holds its handle.
 *   Thread: loop-thread. Errors: EINVAL, ETHREAD, ECHILD. Since 0.1. */
CSPLOOP_API int64_t csploop_heap_bytes(const csploop_t *loop);

CSPLOOP_END_DECLS
#endif
