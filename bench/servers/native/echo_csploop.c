/* echo_csploop - the core through the C ABI, with callbacks.
 *
 * What is read lies in the loop's slab; it is written from there, copied and
 * gathered by the core.
 */
#include "listen.h"

#include <csploop.h>
#include <stdio.h>
#include <stdlib.h>

enum { HIGH_WATER = 1024 * 1024 }; /* unsent bytes of one peer at which reading from it pauses */

static int64_t fine(int64_t code, const char *what) {
    if (code < 0) {
        fprintf(stderr, "%s failed: %s\n", what, csploop_strerror((int)code));
        exit(1);
    }
    return code;
}

/* A peer that leaves is no failure; anything else that goes wrong is. */
static void close_peer(csploop_t *loop, csploop_id id) {
    int code = csploop_stream_close(loop, id, CSPLOOP_CLOSE_ABORT);
    if (code != CSPLOOP_EALREADY)
        fine(code, "csploop_stream_close");
}

static void echo(csploop_t *loop, const csploop_record *record) {
    const char *data = (const char *)csploop_slab(loop, NULL) + record->offset;
    int code = csploop_stream_write(loop, record->id, data, (size_t)record->result);
    if (code != CSPLOOP_EPIPE) /* the peer has left: an ERROR record follows */
        fine(code, "csploop_stream_write");
}

static void on_record(csploop_t *loop, const csploop_record *record, void *unused) {
    (void)unused;
    switch (record->kind) {
    case CSPLOOP_KIND_ACCEPT:
        fine(record->result, "accepting");
        fine(csploop_stream_read_start(loop, (csploop_id)record->result, CSPLOOP_READ_SLAB),
             "csploop_stream_read_start");
        break;
    case CSPLOOP_KIND_READ:
        echo(loop, record);
        break;
    case CSPLOOP_KIND_BACKLOG:
        if (record->result > HIGH_WATER)
            fine(csploop_stream_read_stop(loop, record->id), "csploop_stream_read_stop");
        else if (record->result == 0)
            fine(csploop_stream_read_start(loop, record->id, CSPLOOP_READ_SLAB), "csploop_stream_read_start");
        break;
    case CSPLOOP_KIND_EOF:
    case CSPLOOP_KIND_ERROR:
        close_peer(loop, record->id);
        break;
    default:
        break;
    }
}

int main(int argc, char **argv) {
    int fd = listen_as_told(argc, argv);
    csploop_t *loop;
    fine(csploop_new(&loop, NULL), "csploop_new");
    csploop_stream_options options = CSPLOOP_STREAM_OPTIONS_INIT;
    options.flags = CSPLOOP_STREAM_NODELAY;
    csploop_id listener;
    fine(csploop_listener_adopt(loop, &listener, fd, &options, on_record, NULL), "csploop_listener_adopt");
    say_ready(fd);
    fine(csploop_run(loop, CSPLOOP_RUN_FOREVER), "csploop_run");
    csploop_unref(loop);
    return 0;
}
