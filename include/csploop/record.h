/* csploop/record.h - the vocabulary of a turn: ids, records, submissions, batches.
 *
 * A loop is a function from submissions to completions. A completion is one
 * 32-byte record; a submission is one 40-byte request. No functions here.
 */
#ifndef CSPLOOP_RECORD_H
#define CSPLOOP_RECORD_H

#include <csploop/export.h>
#include <stddef.h>
#include <stdint.h>

CSPLOOP_BEGIN_DECLS

typedef struct csploop_loop csploop_t; /* not `struct csploop`: C++ needs that name for a namespace */

/* Names a timer, stream, listener, datagram socket, watcher, bridge: kind, slot and generation
 * in one number. 0 names nothing. A stale id is answered with CSPLOOP_EBADID. */
typedef uint64_t csploop_id;

/* What a record is about. `result` means what the line says; for all kinds a
 * negative result is an error code. */
enum csploop_kind {
    CSPLOOP_KIND_NONE = 0,
    CSPLOOP_KIND_SOON = 1,      /* a csploop_call_soon is due; result 0 */
    CSPLOOP_KIND_TIMER = 2,     /* a timer is due; result: its deadline in ns */
    CSPLOOP_KIND_POST = 3,      /* a csploop_post arrived; result 0 */
    CSPLOOP_KIND_READ = 4,      /* result bytes lie at `offset` of the read slab */
    CSPLOOP_KIND_READABLE = 5,  /* data waits; fetch it with csploop_stream_read_into; result 0 */
    CSPLOOP_KIND_EOF = 6,       /* the peer writes no more; result 0; reading has stopped */
    CSPLOOP_KIND_WRITTEN = 7,   /* a by-reference write ended; result: bytes, or the error */
    CSPLOOP_KIND_BACKLOG = 8,   /* unsent bytes remain or have shrunk; result: bytes unsent now */
    CSPLOOP_KIND_SHUTDOWN = 9,  /* the writing side is shut down; result 0 or the error */
    CSPLOOP_KIND_ACCEPT = 10,   /* result: id of the new stream, `offset`: its fd. Or an error that
                                   paused accepting (EMFILE and its kin) */
    CSPLOOP_KIND_CONNECT = 11,  /* a connect ended; result 0 or the error */
    CSPLOOP_KIND_WATCH = 12,    /* result: the CSPLOOP_WATCH_* events that are ready */
    CSPLOOP_KIND_BRIDGE = 13,   /* a bridge has items; result: how many, at least 1 */
    CSPLOOP_KIND_ERROR = 14,    /* a stream broke; result: the error; close it */
    CSPLOOP_KIND_CLOSED = 15,   /* the last record of an id; result: the fd when it was kept, else -1 */
    CSPLOOP_KIND_REJECTED = 16, /* a submission was refused; result: why; flags: its op. A by-reference
                                   write is told by WRITTEN instead, refused or not */
    CSPLOOP_KIND_RECV = 17,     /* a datagram of result bytes lies at `offset` of the read slab, its sender
                                   before it; flags: see csploop/udp.h */
    CSPLOOP_KIND_DATAGRAM_ERROR = 18 /* result: the error of one datagram; its socket goes on */
};

/* One completion. `token` is the user pointer given with the request. */
typedef struct csploop_record {
    csploop_id id;
    uint64_t token;
    int64_t result;
    uint32_t offset; /* READ, RECV: where in the slab; ACCEPT: the fd; BACKLOG of a datagram socket: datagrams */
    uint16_t kind;   /* enum csploop_kind */
    uint16_t flags;  /* REJECTED: the op; RECV: enum csploop_recv_flags; else 0 */
} csploop_record;

/* A callback. It runs on the loop's thread inside csploop_turn or csploop_run.
 * The record lives until the callback returns; slab bytes until the next turn. */
typedef void (*csploop_fn)(csploop_t *loop, const csploop_record *record, void *arg);

/* What a submission asks for. */
enum csploop_op {
    CSPLOOP_OP_NONE = 0,
    CSPLOOP_OP_TIMER_ADD = 1,    /* id: reserved; token; data: deadline in ns, as int64_t */
    CSPLOOP_OP_TIMER_CANCEL = 2, /* id. A timer that has fired already is no error */
    CSPLOOP_OP_WRITE = 3,        /* id; data: offset in the out slab; length: bytes (copied) */
    CSPLOOP_OP_WRITE_REF = 4,    /* id; token; data: address; length: bytes. Ends with WRITTEN */
    CSPLOOP_OP_READ_START = 5,   /* id; flags: enum csploop_read_mode */
    CSPLOOP_OP_READ_STOP = 6,    /* id */
    CSPLOOP_OP_SHUTDOWN = 7,     /* id; after all writes before it */
    CSPLOOP_OP_CLOSE = 8,        /* id; flags: CSPLOOP_CLOSE_* */
    CSPLOOP_OP_WALL_TIMER_ADD = 9, /* id: reserved; token; data: deadline in ns since the epoch */
    CSPLOOP_OP_SEND = 10         /* id of a datagram socket; data: offset in the out slab of a struct sockaddr of
                                   `flags` bytes (0: to the peer), right behind which the datagram lies;
                                   length: its bytes, without the address (copied) */
};

/* One request. */
typedef struct csploop_submission {
    csploop_id id;
    uint64_t token;
    uint64_t data;
    uint64_t length;
    uint32_t op; /* enum csploop_op */
    uint32_t flags;
} csploop_submission;

/* What goes into a turn and what comes out of it. The caller owns it and all
 * arrays in it; csploop keeps no pointer to them after the call. */
typedef struct csploop_batch {
    uint32_t size;                         /* in: sizeof(csploop_batch) */
    uint32_t n_submissions;                /* in: how many; out: 0, all were taken, or unchanged: none was */
    const csploop_submission *submissions; /* in */
    const void *out_slab;                  /* in: bytes of copied writes; free for reuse afterwards */
    uint64_t out_slab_size;                /* in: bytes */
    csploop_record *records;               /* in: where completions go */
    uint32_t capacity;                     /* in: how many fit there */
    uint32_t n_records;                    /* out: how many came */
    const void *slab;                      /* out: the read slab, NULL before the first stream */
    uint64_t slab_size;                    /* out: bytes */
} csploop_batch;

CSPLOOP_END_DECLS
#endif
