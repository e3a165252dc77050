/* csploop/watch.h - tell me when this descriptor is ready.
 *
 * For descriptors whose I/O the host does itself. One registration per
 * descriptor and loop. Registering happens before the call returns, and a
 * descriptor that cannot be watched is an error code at once. Remove the
 * watcher before you close the descriptor. If it was closed before and its
 * number is another file's, that file is not watched: csploop_watch_modify says
 * EBADF, csploop_unwatch leaves it alone, and csploop_watch may take the number.
 */
#ifndef CSPLOOP_WATCH_H
#define CSPLOOP_WATCH_H

#include <csploop/record.h>

CSPLOOP_BEGIN_DECLS

enum csploop_watch_events {
    CSPLOOP_WATCH_READ = 1,  /* readable, at end of file, or broken */
    CSPLOOP_WATCH_WRITE = 2, /* writable, or broken */
    CSPLOOP_WATCH_EDGE = 4   /* report each change to ready once, not once a turn while it lasts.
                                Before waiting again, rearm with csploop_watch_modify; on
                                CSPLOOP_POLLER_EPOLL that is not needed */
};

/* Watches fd. WATCH records tell which of the wanted events are ready, once
 * a turn while they last (or once, with EDGE).
 *   events: READ and WRITE, or'ed, perhaps EDGE; none of them: registered, silent.
 *   Thread: loop-thread. Errors: EINVAL, EBADF, EPERM (a regular file), EEXIST
 *   (this loop has fd already), ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_watch(csploop_t *loop, csploop_id *out, int fd, unsigned events, csploop_fn fn, void *arg);

/* Changes what is watched, or rearms an EDGE watcher.
 *   Thread: loop-thread. Errors: EINVAL, EBADID, EBADF (closed, or its number is
 *   another file's by now), ENOMEM, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_watch_modify(csploop_t *loop, csploop_id id, unsigned events);

/* Stops watching. No record of this id is delivered afterwards, also none
 * that is in the present batch; there is no CLOSED record. The fd stays open.
 *   Thread: loop-thread. Errors: EINVAL, EBADID, ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_unwatch(csploop_t *loop, csploop_id id);

CSPLOOP_END_DECLS
#endif
