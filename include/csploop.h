/* csploop.h - an event loop that several worlds share: the C ABI, the only contract.
 *
 * This file includes the rest and says what holds everywhere.
 *
 * Argument order: the handle, outputs, inputs, the callback, its user pointer.
 * Results: 0 is success, negative is an error from csploop/error.h, positive
 *   has a meaning only where the function says so. A failed call changes
 *   nothing, and the loop goes on.
 * Units: times are int64_t nanoseconds, sizes are bytes.
 * Threads, one word per function:
 *   loop-thread   the thread that has the loop attached; any one thread, if none has
 *   any-thread    any thread at any time
 *   signal-safe   also from a signal handler
 *   idle-only     not while the loop is inside a turn
 * Callbacks: (fn, arg); where fn is NULL the completion goes to the batch with
 *   arg as its token. Callbacks run in record order inside a turn. No order is
 *   promised between callbacks and records of one turn.
 *   A callback must not longjmp out, and must not throw: an exception that
 *   leaves it ends the process where it was thrown (std::terminate). The
 *   owners in csploop/csploop.hpp bring exceptions home to run and turn.
 * Ownership: each pointer parameter is only read during the call unless its
 *   function says otherwise. A csploop_id *out receives the id of what was
 *   made, on success only; it may be NULL.
 * Versions: the library follows semantic versioning; SONAME changes with the
 *   first incompatible change. Structs begin with their size and only grow.
 */
#ifndef CSPLOOP_H
#define CSPLOOP_H

#include <csploop/bridge.h>
#include <csploop/error.h>
#include <csploop/export.h>
#include <csploop/loop.h>
#include <csploop/options.h>
#include <csploop/record.h>
#include <csploop/stream.h>
#include <csploop/time.h>
#include <csploop/udp.h>
#include <csploop/watch.h>

CSPLOOP_BEGIN_DECLS

/* Of this header; csploop_version tells the library's. */
enum csploop_header_version { CSPLOOP_VERSION_MAJOR = 0, CSPLOOP_VERSION_MINOR = 1, CSPLOOP_VERSION_PATCH = 0 };

/* The library's version: major * 1000000 + minor * 1000 + patch.
 *   Thread: any-thread, signal-safe. Errors: none. Since 0.1. */
CSPLOOP_API int csploop_version(void);

/* The library's version as text.
 *   Returns: a static string, "0.1.0". Thread: any-thread, signal-safe. Errors: none. Since 0.1. */
CSPLOOP_API const char *csploop_version_string(void);

CSPLOOP_END_DECLS
#endif
