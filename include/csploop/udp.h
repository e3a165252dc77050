/* csploop/udp.h - datagrams: UDP sockets, and Unix datagram sockets by adoption.
 *
 * Every record of a socket goes to the (fn, arg) it was made with.
 *
 *   RECV            one datagram (below)
 *   DATAGRAM_ERROR  one datagram could not be sent (ENOMEM: memory lacked to keep
 *                   it), or the network told of an earlier one (ECONNREFUSED);
 *                   the socket stays usable
 *   BACKLOG         unsent bytes remain or have shrunk; `offset`: unsent datagrams
 *   CLOSED          always last
 *
 * A RECV record: `result` bytes of the datagram, perhaps 0, lie at `offset` of
 * the read slab. `flags` holds how many bytes the sender's address has (the
 * bits of CSPLOOP_RECV_ADDRESS) and whether the datagram was longer than fits
 * (CSPLOOP_RECV_TRUNCATED; its end is lost). The address is a struct sockaddr
 * of the socket's family, 8-byte aligned. It lies right before the datagram,
 * filled up to a multiple of 8 bytes: at `offset` - (bytes + 7) / 8 * 8, where
 * csploop_udp_sender finds it. An unnamed sender has 0 bytes.
 *
 * Datagrams go out whole, in order, together when the turn ends, or at once
 * when more than high_water bytes wait. One that fails is dropped and told of,
 * and those behind it go on. An unconnected Unix socket whose receiver is full is
 * tried again after 1 to 16 ms: the system does not tell when there is room.
 * Many RECV records of one socket may come in a batch.
 * Adopting takes the descriptor on success and leaves it on failure. If it is
 * closed by somebody else before CLOSED, the core leaves alone what gets its
 * number (csploop/stream.h): each datagram that is still sent ends with
 * DATAGRAM_ERROR and EBADF. One such record also comes where the socket itself
 * is still open elsewhere and has something to read, and ends the reading.
 */
#ifndef CSPLOOP_UDP_H
#define CSPLOOP_UDP_H

#include <csploop/record.h>

CSPLOOP_BEGIN_DECLS

/* Flags of bind and adopt. */
enum csploop_udp_flags {
    CSPLOOP_UDP_REUSEADDR = 1, /* bind: set SO_REUSEADDR before */
    CSPLOOP_UDP_REUSEPORT = 2, /* bind: set SO_REUSEPORT before */
    CSPLOOP_UDP_V6ONLY = 4,    /* bind: an IPv6 socket refuses IPv4 */
    CSPLOOP_UDP_BROADCAST = 8, /* set SO_BROADCAST: sending to broadcast addresses is allowed */
    CSPLOOP_UDP_KEEP_FD = 16,  /* adopt: closing leaves the fd open and gives it back in CLOSED */
    CSPLOOP_UDP_VOUCHED = 32   /* adopt: before it sends, the host makes sure that the fd is still the one it gave */
};

typedef struct csploop_udp_options {
    uint32_t size;         /* sizeof(csploop_udp_options) */
    uint32_t flags;        /* enum csploop_udp_flags */
    uint32_t high_water;   /* bytes unsent that make a send go out at once; 0: 65536 */
    uint32_t max_datagram; /* longest that is received whole; 0: 65536, on Unix sockets 262144. Never more
                              than the read slab holds */
} csploop_udp_options;

#define CSPLOOP_UDP_OPTIONS_INIT {(uint32_t)sizeof(csploop_udp_options), 0, 0, 0}

/* In the flags of RECV. */
enum csploop_recv_flags { CSPLOOP_RECV_ADDRESS = 0x0fff, CSPLOOP_RECV_TRUNCATED = 0x1000 };

/* Makes a socket that is bound to an address.
 *   host: a literal IPv4 or IPv6 address ("127.0.0.1", "::"); port: 0 lets the
 *   system choose. options: NULL for defaults.
 *   Thread: loop-thread. Errors: EINVAL, EAFNOSUPPORT (not a literal address), EADDRINUSE,
 *   EADDRNOTAVAIL, EACCES, EMFILE, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_udp_bind(csploop_t *loop, csploop_id *out, const char *host, int port,
                                 const csploop_udp_options *options, csploop_fn fn, void *arg);

/* Takes over a datagram socket: IPv4, IPv6 or Unix, bound and connected or
 * not. It is made non-blocking. Nothing is read before csploop_udp_read_start.
 *   Thread: loop-thread. Errors: EINVAL (not a datagram socket), EAFNOSUPPORT, EBADF, ENOTSOCK, EEXIST,
 *   ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_udp_adopt(csploop_t *loop, csploop_id *out, int fd, const csploop_udp_options *options,
                                  csploop_fn fn, void *arg);

/* Fixes the peer: csploop_udp_send goes there, and only its datagrams arrive.
 *   host: a literal address of the socket's family. Thread: loop-thread.
 *   Errors: EINVAL, EBADID, EBADF (closed by others), EAFNOSUPPORT, ENETUNREACH and its
 *   kin, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_udp_connect(csploop_t *loop, csploop_id id, const char *host, int port);

/* Starts and stops reading. Callbacks see no RECV after a stop: what is
 * waiting in the present turn is kept back and comes first after the next
 * start. A batch that has been handed out is the host's to hold back.
 *   Thread: loop-thread. Errors: EINVAL, EBADID, EBADF (closed by others), ENOMEM,
 *   ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_udp_read_start(csploop_t *loop, csploop_id id);
CSPLOOP_API int csploop_udp_read_stop(csploop_t *loop, csploop_id id);

/* Who sent the datagram of a RECV record: a struct sockaddr.
 *   out_length: receives its bytes; may be NULL. Valid as long as the record's
 *   own bytes: until the next turn. Thread: loop-thread. Errors: none.
 *   Returns: NULL for an unnamed sender, for other records, and for NULL. Since 0.1. */
CSPLOOP_API const void *csploop_udp_sender(const csploop_t *loop, const csploop_record *record, uint32_t *out_length);

/* Makes the struct sockaddr that csploop_udp_send_to wants of a literal address.
 *   out, room: where it goes and how much fits; 28 bytes always do.
 *   Returns: its bytes. Thread: any-thread.
 *   Errors: EINVAL, EAFNOSUPPORT (not a literal address), ENOBUFS, ENOMEM. Since 0.1. */
CSPLOOP_API int csploop_udp_address(void *out, size_t room, const char *host, int port);

/* Sends one datagram to the peer of a connected socket. An empty one is sent,
 * too. What the network refuses comes as DATAGRAM_ERROR.
 *   data: length bytes, copied before the call returns.
 *   Returns: 0: accepted. Thread: loop-thread.
 *   Errors: EINVAL, EBADID, EPIPE (closing), ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_udp_send(csploop_t *loop, csploop_id id, const void *data, size_t length);

/* Sends one datagram to an address, a struct sockaddr of address_length bytes
 * (1 to 128), which is copied as data is. Like csploop_udp_send otherwise.
 *   Thread: loop-thread. Errors: as csploop_udp_send. Since 0.1. */
CSPLOOP_API int csploop_udp_send_to(csploop_t *loop, csploop_id id, const void *data, size_t length,
                                    const void *address, size_t address_length);

/* Sends what is unsent now rather than when the turn ends.
 *   Returns: bytes still unsent afterwards.
 *   Thread: loop-thread. Errors: EINVAL, EBADID, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int64_t csploop_udp_flush(csploop_t *loop, csploop_id id);

/* Bytes accepted by send and not yet taken by the kernel.
 *   out_datagrams: receives how many datagrams they are; may be NULL.
 *   Thread: loop-thread. Errors: EINVAL, EBADID, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int64_t csploop_udp_buffered(csploop_t *loop, csploop_id id, uint32_t *out_datagrams);

/* Closes a socket. Reading stops at once; RECV and BACKLOG that have not been
 * delivered are dropped; CLOSED comes last.
 *   flags: CSPLOOP_CLOSE_DRAIN sends first what is unsent, CSPLOOP_CLOSE_ABORT
 *   drops what the kernel does not take at once. A second call may only
 *   sharpen DRAIN into ABORT. Thread: loop-thread.
 *   Errors: EINVAL, EBADID, EALREADY, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_udp_close(csploop_t *loop, csploop_id id, unsigned flags);

/* The descriptor behind a socket, which keeps owning it: for socket options
 * (multicast groups, buffer sizes).
 *   Thread: loop-thread. Errors: EINVAL, EBADID, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_udp_fd(csploop_t *loop, csploop_id id);

/* Writes the address of this end (or the peer's) as text, like
 * csploop_stream_local_address.
 *   Returns: the length without the final NUL. Thread: loop-thread.
 *   Errors: EINVAL, EBADID, ENOBUFS (buffer too small; 128 bytes always do),
 *   ENOTCONN, ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_udp_local_address(csploop_t *loop, csploop_id id, char *buffer, size_t length);
CSPLOOP_API int csploop_udp_peer_address(csploop_t *loop, csploop_id id, char *buffer, size_t length);

CSPLOOP_END_DECLS
#endif
