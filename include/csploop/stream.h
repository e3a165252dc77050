/* csploop/stream.h - TCP and Unix stream sockets: listeners and connections.
 *
 * Every record of a stream goes to the (fn, arg) it was made with, or, for an
 * accepted one, to its listener's until csploop_stream_set_handler.
 *
 *   connect -> CONNECT -.                  .-> EOF (once; reading stops)
 *   accept  -> ACCEPT  --+-> READ, READ … -+-> ERROR (once; then close it)
 *   adopt              -'    BACKLOG …     '-> CLOSED (always last)
 *
 * At most one READ per stream and batch; EOF and ERROR come in a later batch
 * than the data before them. Writes keep their order. They are gathered and
 * go out when the turn ends, or at once when more than high_water bytes wait.
 * Where memory lacks for what the kernel does not take, the stream breaks: ERROR
 * with ENOMEM.
 *
 * Adopting takes the descriptor on success and leaves it on failure. From then
 * on nobody else closes it before CLOSED. If somebody does, the number may be
 * another file's before the loop hears of it. The core remembers which file it
 * was given and leaves another alone: nothing is read from it or written to
 * it, it is neither shut down nor closed. The stream breaks instead, with EBADF: ERROR at
 * the next write, or where its own file is still open elsewhere and readable;
 * EBADF from read_start; SHUTDOWN with EBADF. A listener says ACCEPT with
 * EBADF and pauses. Until then nothing tells of it: the system does not.
 * Looking costs a system call each time that the descriptor is used. A host
 * which makes sure of it by itself, because it has the descriptor in an object
 * that knows, says so with ADOPT_VOUCHED; then, and for descriptors that the
 * core has made, the core looks when it has not for a tenth of a second, and
 * always before it registers, shuts down or closes.
 */
#ifndef CSPLOOP_STREAM_H
#define CSPLOOP_STREAM_H

#include <csploop/record.h>

CSPLOOP_BEGIN_DECLS

/* Flags of listen, connect and adopt. */
enum csploop_stream_flags {
    CSPLOOP_STREAM_NODELAY = 1,       /* TCP: set TCP_NODELAY (a listener: on what it accepts) */
    CSPLOOP_LISTEN_REUSEPORT = 2,     /* set SO_REUSEPORT before binding */
    CSPLOOP_LISTEN_V6ONLY = 4,        /* an IPv6 listener refuses IPv4 */
    CSPLOOP_ADOPT_KEEP_FD = 8,        /* closing leaves the fd open and gives it back in CLOSED */
    CSPLOOP_ACCEPT_KEEP_FD = 16,      /* streams that this listener accepts are KEEP_FD */
    CSPLOOP_ADOPT_VOUCHED = 32        /* before it writes, the host makes sure that the fd is still the one it gave */
};

typedef struct csploop_stream_options {
    uint32_t size;       /* sizeof(csploop_stream_options) */
    uint32_t flags;      /* enum csploop_stream_flags */
    uint32_t high_water; /* bytes unsent that make a write go out at once; 0: 65536 */
    int32_t backlog;     /* listeners: of listen(2), and accepted per turn at most; 0: 128 */
} csploop_stream_options;

#define CSPLOOP_STREAM_OPTIONS_INIT {(uint32_t)sizeof(csploop_stream_options), 0, 0, 0}

enum csploop_read_mode {
    CSPLOOP_READ_SLAB = 0, /* data arrives as READ records, in the slab */
    CSPLOOP_READ_READY = 1 /* READABLE records only; csploop_stream_read_into fetches */
};

enum csploop_close_flags {
    CSPLOOP_CLOSE_DRAIN = 0, /* send what is unsent, then close */
    CSPLOOP_CLOSE_ABORT = 1, /* drop what is unsent, close now */
    CSPLOOP_CLOSE_RESET = 2  /* drop it and send a reset (RST) */
};

/* -- listeners -------------------------------------------------------------- */

/* Listens on a TCP address.
 *   host: a literal IPv4 or IPv6 address ("127.0.0.1", "::"); port: 0 lets the
 *   system choose. options: NULL for defaults. SO_REUSEADDR is set.
 *   Thread: loop-thread. Errors: EINVAL, EAFNOSUPPORT (not a literal address), EADDRINUSE,
 *   EADDRNOTAVAIL, EACCES, EMFILE, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_tcp_listen(csploop_t *loop, csploop_id *out, const char *host, int port,
                                   const csploop_stream_options *options, csploop_fn fn, void *arg);

/* Listens on a Unix socket path. On Linux a leading '@' names the abstract space.
 *   The path is not unlinked, neither before nor after.
 *   Thread: loop-thread. Errors: as csploop_tcp_listen. Since 0.1. */
CSPLOOP_API int csploop_unix_listen(csploop_t *loop, csploop_id *out, const char *path,
                                    const csploop_stream_options *options, csploop_fn fn, void *arg);

/* Accepts on a socket that is bound and listening. It is made non-blocking.
 *   Thread: loop-thread. Errors: EINVAL, EBADF, ENOTSOCK, EPERM, EEXIST, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_listener_adopt(csploop_t *loop, csploop_id *out, int fd, const csploop_stream_options *options,
                                       csploop_fn fn, void *arg);

/* Stops and resumes accepting; clients wait in the kernel's queue meanwhile.
 * After an ACCEPT record with an error (no descriptors left) the listener is
 * paused: resume it when there is hope again.
 *   Thread: loop-thread. Errors: EINVAL, EBADID, EBADF (closed by others), ENOMEM,
 *   ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_listener_pause(csploop_t *loop, csploop_id id);
CSPLOOP_API int csploop_listener_resume(csploop_t *loop, csploop_id id);

/* -- connections -------------------------------------------------------------- */

/* Connects to a literal TCP address; CONNECT tells how it ended. After a
 * failure the stream must still be closed. Writes before CONNECT wait for it.
 *   Thread: loop-thread. Errors: as csploop_tcp_listen. Since 0.1. */
CSPLOOP_API int csploop_tcp_connect(csploop_t *loop, csploop_id *out, const char *host, int port,
                                    const csploop_stream_options *options, csploop_fn fn, void *arg);

/* Connects to a Unix socket path, or abstract name: as csploop_unix_listen.
 *   Thread: loop-thread. Errors: EINVAL, EMFILE, ENOMEM, ETHREAD, ECLOSED, ECHILD;
 *   refusals come with CONNECT. Since 0.1. */
CSPLOOP_API int csploop_unix_connect(csploop_t *loop, csploop_id *out, const char *path,
                                     const csploop_stream_options *options, csploop_fn fn, void *arg);

/* Takes over a connected stream socket, pipe end or other stream descriptor.
 * It is made non-blocking. Nothing is read before csploop_stream_read_start.
 *   Thread: loop-thread. Errors: EINVAL, EBADF, EPERM, EEXIST, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_stream_adopt(csploop_t *loop, csploop_id *out, int fd, const csploop_stream_options *options,
                                     csploop_fn fn, void *arg);

/* Sends this stream's (or listener's) records from now on to (fn, arg), those
 * too that have completed already and are not delivered yet; WRITTEN goes to
 * its own.
 *   Thread: loop-thread. Errors: EINVAL, EBADID, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_stream_set_handler(csploop_t *loop, csploop_id id, csploop_fn fn, void *arg);

/* Starts reading, or changes the mode. mode: enum csploop_read_mode.
 *   Thread: loop-thread. Errors: EINVAL, EBADID, ENOTCONN (connecting, or EOF
 *   has been), EBADF (closed by others), EPERM (cannot be watched, a disk for
 *   example), ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_stream_read_start(csploop_t *loop, csploop_id id, int mode);

/* Stops reading. Callbacks see no READ afterwards: one that is waiting in
 * the present turn is kept back and comes first after the next read_start.
 * A batch that has been handed out is the host's to hold back.
 *   Thread: loop-thread. Errors: as csploop_stream_read_start. Since 0.1. */
CSPLOOP_API int csploop_stream_read_stop(csploop_t *loop, csploop_id id);

/* Reads at once into the caller's buffer; for streams in mode READ_READY.
 *   buffer: up to length bytes go there; length is at least 1.
 *   Returns: bytes read, 0 at end of file (an EOF record follows too).
 *   Thread: loop-thread. Errors: EINVAL, EBADID, ENOTCONN (connecting, or
 *   broken), EAGAIN, ECONNRESET and its kin (an ERROR record follows too),
 *   ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int64_t csploop_stream_read_into(csploop_t *loop, csploop_id id, void *buffer, size_t length);

/* The read slab, into which READ records point: for callbacks, which have no
 * batch to find it in.
 *   out_size: receives its bytes; may be NULL. The bytes of a record stay
 *   valid until the next turn, in a forked child until it closes the loop;
 *   the slab is the loop's. Thread: loop-thread. Errors: none.
 *   Returns: its start; NULL before the first stream, after closing, and for NULL. Since 0.1. */
CSPLOOP_API const void *csploop_slab(const csploop_t *loop, uint64_t *out_size);

/* Writes bytes.
 *   data: copied before the call returns.
 *   Returns: 0: accepted. Thread: loop-thread.
 *   Errors: EINVAL, EBADID, EPIPE (broken, shut down or closing), EBADF (broken: closed by
 *   others), ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_stream_write(csploop_t *loop, csploop_id id, const void *data, size_t length);

/* Writes bytes by reference: data must stay unchanged until its WRITTEN
 * record, which comes exactly once, before CLOSED, whatever happens.
 *   fn, arg: for that record. Thread: loop-thread. Errors: as csploop_stream_write;
 *   after an error there is no record. Since 0.1. */
CSPLOOP_API int csploop_stream_write_ref(csploop_t *loop, csploop_id id, const void *data, size_t length, csploop_fn fn,
                                         void *arg);

/* Sends what is unsent now rather than when the turn ends.
 *   Returns: bytes still unsent afterwards.
 *   Thread: loop-thread. Errors: EINVAL, EBADID, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int64_t csploop_stream_flush(csploop_t *loop, csploop_id id);

/* Bytes accepted by write and not yet taken by the kernel.
 *   Thread: loop-thread. Errors: EINVAL, EBADID, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int64_t csploop_stream_buffered(csploop_t *loop, csploop_id id);

/* Shuts the writing side down after all writes before it; SHUTDOWN tells when.
 *   Thread: loop-thread. Errors: EINVAL, EBADID, EPIPE (done before, or broken), EBADF, ENOMEM,
 *   ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_stream_shutdown(csploop_t *loop, csploop_id id);

/* Closes a stream or listener. Reading stops at once; records of this id that
 * have not been delivered are dropped, but for WRITTEN; CLOSED comes last,
 * and before it an ERROR if the stream broke while bytes were still unsent.
 * One that is still connecting has nothing to drain and closes at once.
 *   flags: one of enum csploop_close_flags. A second call may only sharpen
 *   DRAIN into ABORT or RESET. Thread: loop-thread.
 *   Errors: EINVAL, EBADID, EALREADY, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_stream_close(csploop_t *loop, csploop_id id, unsigned flags);

/* The descriptor behind a stream or listener, which keeps owning it.
 *   Thread: loop-thread. Errors: EINVAL, EBADID, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_stream_fd(csploop_t *loop, csploop_id id);

/* Writes the address of this end (or the peer's) as text: "127.0.0.1:80",
 * "[::1]:80", a path, "@abstract", or "" for an unnamed Unix socket.
 *   Returns: the length without the final NUL. Thread: loop-thread.
 *   Errors: EINVAL, EBADID, ENOBUFS (buffer too small; 128 bytes always do),
 *   ENOTCONN, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_stream_local_address(csploop_t *loop, csploop_id id, char *buffer, size_t length);
CSPLOOP_API int csploop_stream_peer_address(csploop_t *loop, csploop_id id, char *buffer, size_t length);

CSPLOOP_END_DECLS
#endif
