/* echo_server.c - a TCP echo server, callback form.
 *
 *   echo_server [PORT [CONNECTIONS]]   PORT 0: any. Ends after CONNECTIONS have come and gone; 0: never
 *   echo_server --selftest             serves three clients of its own on the same loop, then ends
 */
#include "say.h"
#include "selftest.h"

#include <string.h>

struct server {
    int left; /* connections until the end, or 0 */
};

/* Every record of a connection comes here. */
static void on_stream(csploop_t *loop, const csploop_record *record, void *arg) {
    struct server *server = arg;
    switch (record->kind) {
    case CSPLOOP_KIND_READ: {
        const char *bytes = (const char *)csploop_slab(loop, NULL) + record->offset;
        must(csploop_stream_write(loop, record->id, bytes, (size_t)record->result), "write");
        break;
    }
    case CSPLOOP_KIND_BACKLOG: /* who does not read gets to send no more: else its echo would fill our memory */
        if (record->result > 0)
            csploop_stream_read_stop(loop, record->id);
        else
            csploop_stream_read_start(loop, record->id, CSPLOOP_READ_SLAB);
        break;
    case CSPLOOP_KIND_EOF:
        csploop_stream_close(loop, record->id, CSPLOOP_CLOSE_DRAIN);
        break;
    case CSPLOOP_KIND_ERROR:
        csploop_stream_close(loop, record->id, CSPLOOP_CLOSE_ABORT);
        break;
    case CSPLOOP_KIND_CLOSED:
        if (server->left > 0 && --server->left == 0)
            csploop_stop(loop);
        break;
    default:
        break;
    }
}

static void on_listener(csploop_t *loop, const csploop_record *record, void *arg) {
    if (record->kind != CSPLOOP_KIND_ACCEPT)
        return;
    must((int)(record->result < 0 ? record->result : 0), "accept");
    const csploop_id stream = (csploop_id)record->result;
    must(csploop_stream_set_handler(loop, stream, on_stream, arg), "set_handler");
    must(csploop_stream_read_start(loop, stream, CSPLOOP_READ_SLAB), "read_start");
}

int main(int argc, char **argv) {
    const int selftest = argc > 1 && strcmp(argv[1], "--selftest") == 0;
    const int port = argc > 1 && !selftest ? number(argv[1], 65535) : 0;
    struct server server = {argc > 2 ? number(argv[2], 1000000) : 0};

    csploop_t *loop;
    must(csploop_new(&loop, NULL), "new");
    csploop_id listener;
    const csploop_stream_options options = {sizeof options, CSPLOOP_STREAM_NODELAY, 0, 0};
    must(csploop_tcp_listen(loop, &listener, "127.0.0.1", port, &options, on_listener, &server), "listen");

    char address[128];
    must(csploop_stream_local_address(loop, listener, address, sizeof address), "local_address");
    printf("listening on %s\n", address);
    fflush(stdout);
    struct selftest test = {0};
    if (selftest)
        selftest_start(&test, loop, address, 3);

    must(csploop_run(loop, CSPLOOP_RUN_FOREVER), "run");
    must(csploop_close(loop), "close");
    csploop_unref(loop);
    return selftest ? selftest_result(&test) : 0;
}
