/* csploop/bridge.h - a bounded channel that any thread pushes into and one loop drains.
 *
 * A bridge carries records of one fixed size, or byte strings. It wakes its
 * loop at most once per drain and counts everything, what was dropped too.
 * A push copies its data; a drain copies it out again.
 *
 * Memory: csploop_bridge_new gives one reference to the handle; every
 * producer should hold one. The handle outlives its loop: pushes into it then
 * return ECLOSED. It keeps the loop's memory, but does not keep the loop open.
 */
#ifndef CSPLOOP_BRIDGE_H
#define CSPLOOP_BRIDGE_H

#include <csploop/record.h>

CSPLOOP_BEGIN_DECLS

typedef struct csploop_bridge csploop_bridge_t;

/* What a push into a full bridge does. */
enum csploop_bridge_policy {
    CSPLOOP_BRIDGE_BLOCK = 0,      /* waits for room; on the thread that has the loop attached: EDEADLK */
    CSPLOOP_BRIDGE_FAIL = 1,       /* returns EAGAIN */
    CSPLOOP_BRIDGE_DROP_OLDEST = 2 /* makes room; what it drops is counted */
};

typedef struct csploop_bridge_options {
    uint32_t size;        /* sizeof(csploop_bridge_options) */
    uint32_t policy;      /* enum csploop_bridge_policy */
    uint32_t record_size; /* bytes of each record, up to 1 MiB; 0: byte strings of any length */
    uint32_t capacity;    /* items, 1 to 2^24; rounded up to a power of two, at least 2; 0: 1024 */
} csploop_bridge_options;

#define CSPLOOP_BRIDGE_OPTIONS_INIT {(uint32_t)sizeof(csploop_bridge_options), 0, 0, 0}

typedef struct csploop_bridge_counts {
    uint32_t size;     /* in: sizeof(csploop_bridge_counts) */
    uint32_t capacity; /* items that fit */
    uint64_t pushed;   /* items taken in, also those dropped later */
    uint64_t drained;  /* items handed out */
    uint64_t dropped;  /* items that DROP_OLDEST or closing threw away */
    uint64_t refused;  /* pushes that FAIL refused */
    uint64_t blocked;  /* pushes that had to wait */
    uint64_t wakes;    /* times the loop was told */
    uint64_t queued;   /* items inside now */
} csploop_bridge_counts;

/* Makes a bridge whose items this loop drains. While items wait, fn (or the
 * batch) gets one BRIDGE record; drain until empty, or get another one next turn.
 *   out: receives the handle with one reference. options: NULL for defaults.
 *   Thread: loop-thread. Errors: EINVAL, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API CSPLOOP_MUST_CHECK int csploop_bridge_new(csploop_t *loop, csploop_bridge_t **out,
                                                      const csploop_bridge_options *options, csploop_fn fn, void *arg);

/* Puts one item in.
 *   data, length: so many bytes are copied; length is record_size for a bridge of records.
 *   Returns: 0. Thread: any-thread.
 *   Errors: EINVAL (NULL, wrong length), EAGAIN (full, policy FAIL), EDEADLK (full, policy BLOCK,
 *   on the thread that has the loop attached), ECLOSED, ECHILD, ENOMEM. Since 0.1. */
CSPLOOP_API int csploop_bridge_push(csploop_bridge_t *bridge, const void *data, size_t length);

/* Puts many records in at once, in their order and as cheaply as a copy: the
 * bridge's counters and its loop hear of each run of them once.
 *   out_records: how many went in, also after an error; may be NULL. The
 *   first ones of the array are in, the rest are the caller's still.
 *   records, count: copied; count records of record_size bytes, end to end.
 *   With DROP_OLDEST more than fit may be given: the last ones stay.
 *   Returns: 0 when all went in. Thread: any-thread.
 *   Errors: EINVAL (NULL, or a bridge of byte strings), EAGAIN, EDEADLK,
 *   ECLOSED, ECHILD as for csploop_bridge_push. Since 0.1. */
CSPLOOP_API int csploop_bridge_push_many(csploop_bridge_t *bridge, uint32_t *out_records, const void *records,
                                         uint32_t count);

/* Copies items out, oldest first. Records lie end to end; byte strings each
 * follow a uint32_t with their length, unaligned.
 *   out_items, out_bytes: how many items and bytes were copied; either may be NULL.
 *   buffer: where they go. What a closed loop has left inside can still be drained.
 *   Returns: 0, also when the bridge is empty; EMSGSIZE when not even the
 *   next item fits (out_bytes is then what it needs), and nothing is taken.
 *   Thread: loop-thread. Errors: EINVAL, EMSGSIZE, ETHREAD, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_bridge_drain(csploop_bridge_t *bridge, uint32_t *out_items, size_t *out_bytes, void *buffer,
                                     size_t buffer_bytes);

/* Takes no more items; blocked producers return ECLOSED. Items inside can
 * still be drained; when none is left, a CLOSED record follows. Twice is no error.
 *   Thread: any-thread. Errors: EINVAL, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_bridge_close(csploop_bridge_t *bridge);

/* Reads the counters; each is exact, together they are a moment's blur. Goes on
 * when the loop is closed, and in a forked child (they stand still there).
 *   out: its size is set by the caller; as many bytes are filled in. Thread: any-thread.
 *   Errors: EINVAL. Since 0.1. */
CSPLOOP_API int csploop_bridge_stats(const csploop_bridge_t *bridge, csploop_bridge_counts *out);

/* The id that the bridge's records carry.
 *   Returns: the id, 0 for NULL. Thread: any-thread. Errors: none. Since 0.1. */
CSPLOOP_API csploop_id csploop_bridge_id(const csploop_bridge_t *bridge);

/* One more reference. Thread: any-thread. Errors: none. Returns: bridge (NULL for NULL). Since 0.1. */
CSPLOOP_API csploop_bridge_t *csploop_bridge_ref(csploop_bridge_t *bridge);

/* Drops a reference; when the last one goes while the loop is open, the
 * bridge closes, and what nobody can drain any more is dropped. NULL is allowed.
 *   Thread: any-thread. Errors: none. Returns: NULL. Since 0.1. */
CSPLOOP_API csploop_bridge_t *csploop_bridge_unref(csploop_bridge_t *bridge);

CSPLOOP_END_DECLS
#endif
