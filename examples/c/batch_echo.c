/* batch_echo.c - the same echo server without a callback: one call per turn takes what is to be done and hands
 * out what was done. This is how a host behind a foreign-function interface drives the loop.
 *
 *   batch_echo [PORT [CONNECTIONS]]   PORT 0: any. Ends after CONNECTIONS have come and gone; 0: never
 *   batch_echo --selftest             serves three clients of its own on the same loop, then ends
 */
#include "say.h"
#include "selftest.h"

#include <string.h>

enum { RECORDS = 128, SLAB_BYTES = 256 * 1024 };

struct server {
    csploop_t *loop;
    csploop_submission submissions[RECORDS]; /* no record asks for more than one */
    csploop_record records[RECORDS];
    char *out; /* what the next turn writes; as large as the read slab, so all that was read fits */
    size_t out_used;
    csploop_batch batch;
    long closed; /* connections that are over */
};

static csploop_submission *submit(struct server *server, uint32_t op, csploop_id id) {
    csploop_submission *submission = &server->submissions[server->batch.n_submissions++];
    *submission = (csploop_submission){.id = id, .op = op};
    return submission;
}

static void handle(struct server *server, const csploop_record *record) {
    switch (record->kind) {
    case CSPLOOP_KIND_ACCEPT:
        if (record->result < 0) {
            fprintf(stderr, "accept: %s\n", csploop_strerror((int)record->result));
            exit(1);
        }
        submit(server, CSPLOOP_OP_READ_START, (csploop_id)record->result)->flags = CSPLOOP_READ_SLAB;
        break;
    case CSPLOOP_KIND_READ: {
        const size_t length = (size_t)record->result;
        memcpy(server->out + server->out_used, (const char *)server->batch.slab + record->offset, length);
        csploop_submission *write = submit(server, CSPLOOP_OP_WRITE, record->id);
        write->data = server->out_used;
        write->length = length;
        server->out_used += length;
        break;
    }
    case CSPLOOP_KIND_BACKLOG: /* who does not read gets to send no more */
        submit(server, record->result > 0 ? CSPLOOP_OP_READ_STOP : CSPLOOP_OP_READ_START, record->id);
        break;
    case CSPLOOP_KIND_EOF:
        submit(server, CSPLOOP_OP_CLOSE, record->id)->flags = CSPLOOP_CLOSE_DRAIN;
        break;
    case CSPLOOP_KIND_ERROR:
        submit(server, CSPLOOP_OP_CLOSE, record->id)->flags = CSPLOOP_CLOSE_ABORT;
        break;
    case CSPLOOP_KIND_CLOSED:
        server->closed++;
        break;
    default: /* REJECTED: the stream broke in the meantime; its own records say so */
        break;
    }
}

/* One turn; then its records become the submissions of the next one. */
static void turn(struct server *server) {
    csploop_batch *batch = &server->batch;
    batch->submissions = server->submissions;
    batch->out_slab = server->out;
    batch->out_slab_size = server->out_used;
    batch->records = server->records;
    batch->capacity = RECORDS;
    must(csploop_turn(server->loop, batch, -1), "turn");
    server->out_used = 0;
    for (uint32_t i = 0; i < batch->n_records; i++)
        handle(server, &server->records[i]);
}

int main(int argc, char **argv) {
    const int selftest = argc > 1 && strcmp(argv[1], "--selftest") == 0;
    const int port = argc > 1 && !selftest ? number(argv[1], 65535) : 0;
    const long connections = argc > 2 ? number(argv[2], 1000000) : 0;

    static struct server server = {.batch.size = sizeof(csploop_batch)};
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.slab_bytes = SLAB_BYTES;
    server.out = malloc(SLAB_BYTES);
    if (server.out == NULL)
        return 1;
    must(csploop_new(&server.loop, &options), "new");
    csploop_id listener;
    must(csploop_tcp_listen(server.loop, &listener, "127.0.0.1", port, NULL, NULL, NULL), "listen");

    char address[128];
    must(csploop_stream_local_address(server.loop, listener, address, sizeof address), "local_address");
    printf("listening on %s\n", address);
    fflush(stdout);
    struct selftest test = {0};
    if (selftest) /* its clients use callbacks: both forms live on one loop */
        selftest_start(&test, server.loop, address, 3);

    while (selftest ? test.ended < test.wanted : connections == 0 || server.closed < connections)
        turn(&server);

    must(csploop_close(server.loop), "close");
    csploop_unref(server.loop);
    free(server.out);
    return selftest ? selftest_result(&test) : 0;
}
