/* csploop/error.h - the one list of errors.
 *
 * Every function that can fail returns a negative code. What the system
 * refused comes back as the system's own errno, negated; misuse that only a
 * loop can see has codes of its own below -10000. The enum, csploop_strerror,
 * csploop_error_name and the Python exceptions all come from the list below.
 */
#ifndef CSPLOOP_ERROR_H
#define CSPLOOP_ERROR_H

#include <csploop/export.h>
#include <errno.h>

CSPLOOP_BEGIN_DECLS

/* XX(name, value, text) */
#define CSPLOOP_ERROR_MAP(XX)                                                                                \
    XX(EINVAL, -EINVAL, "invalid argument")                                                                  \
    XX(ENOMEM, -ENOMEM, "out of memory")                                                                     \
    XX(EBADF, -EBADF, "not an open file descriptor")                                                         \
    XX(EPERM, -EPERM, "the file descriptor cannot be watched (a regular file, for example)")                 \
    XX(EACCES, -EACCES, "permission denied")                                                                 \
    XX(EEXIST, -EEXIST, "the file descriptor is already registered with this loop")                          \
    XX(ENOENT, -ENOENT, "no such file or address")                                                           \
    XX(EAGAIN, -EAGAIN, "nothing to do right now; try again after the next readiness")                       \
    XX(EBUSY, -EBUSY, "the loop is inside a turn, or still owned by a thread")                               \
    XX(EALREADY, -EALREADY, "too late: the completion is already in a batch")                                \
    XX(EDEADLK, -EDEADLK, "blocking here would wait for this very thread")                                   \
    XX(ECHILD, -ECHILD, "the process has forked; in the child only close and unref work")                    \
    XX(ECANCELED, -ECANCELED, "dropped before it was carried out")                                           \
    XX(EMFILE, -EMFILE, "the process has no file descriptor left")                                           \
    XX(ENFILE, -ENFILE, "the system has no file descriptor left")                                            \
    XX(ENOBUFS, -ENOBUFS, "no buffer space, or the queue is full")                                           \
    XX(EMSGSIZE, -EMSGSIZE, "the message is too long")                                                       \
    XX(EPIPE, -EPIPE, "the peer reads no more, or the writing side was shut down")                           \
    XX(ECONNRESET, -ECONNRESET, "the peer reset the connection")                                             \
    XX(ECONNREFUSED, -ECONNREFUSED, "the peer refused the connection")                                       \
    XX(ECONNABORTED, -ECONNABORTED, "the connection was aborted")                                            \
    XX(ENOTCONN, -ENOTCONN, "the stream is not connected")                                                   \
    XX(EISCONN, -EISCONN, "the stream is connected already")                                                 \
    XX(ETIMEDOUT, -ETIMEDOUT, "timed out")                                                                   \
    XX(EADDRINUSE, -EADDRINUSE, "the address is in use")                                                     \
    XX(EADDRNOTAVAIL, -EADDRNOTAVAIL, "the address is not available on this machine")                        \
    XX(EAFNOSUPPORT, -EAFNOSUPPORT, "not a literal address of a known family; names are resolved elsewhere") \
    XX(ENETUNREACH, -ENETUNREACH, "the network cannot be reached")                                           \
    XX(EHOSTUNREACH, -EHOSTUNREACH, "the host cannot be reached")                                            \
    XX(ENOTSOCK, -ENOTSOCK, "the file descriptor is not a socket")                                           \
    XX(ENOTSUP, -ENOTSUP, "not supported here")                                                              \
    XX(ENOSYS, -ENOSYS, "the system does not offer this")                                                    \
    XX(EBADID, -10001, "the id names nothing, or nothing any more")                                          \
    XX(ECLOSED, -10002, "the loop or bridge is closed")                                                      \
    XX(ETHREAD, -10003, "this call belongs on the loop's own thread")                                        \
    XX(EPENDING, -10004, "completions without a callback wait for csploop_turn")                             \
    XX(EINTERNAL, -10005, "an internal error; please report it")

enum csploop_error {
    CSPLOOP_OK = 0,
#define XX(name, value, text) CSPLOOP_##name = value,
    CSPLOOP_ERROR_MAP(XX)
#undef XX
    CSPLOOP_ERROR_LIST_END = -20000
};

/* A sentence for an error code, for people. Codes from the system that the
 * list does not hold get the system's own text.
 *   Thread: any-thread, signal-safe only for codes in the list.
 *   Errors: none. Returns: a static string, never NULL; not to be freed. Since 0.1. */
CSPLOOP_API const char *csploop_strerror(int code);

/* The name of an error code without its prefix ("EINVAL"), or "EUNKNOWN".
 *   Thread: any-thread, signal-safe. Errors: none. Returns: a static string. Since 0.1. */
CSPLOOP_API const char *csploop_error_name(int code);

CSPLOOP_END_DECLS
#endif
