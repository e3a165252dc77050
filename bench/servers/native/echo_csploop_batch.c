/* echo_csploop_batch - the core through the C ABI, one call a turn.
 *
 * Records come out of csploop_turn with their bytes in the read slab; the
 * answers go into the next turn as submissions with their bytes in the out
 * slab. It is the form that hosts in other languages use.
 */
#include "listen.h"

#include <csploop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS = 512, SUBMISSIONS = 1024, OUT_SLAB = 2 * 1024 * 1024, HIGH_WATER = 1024 * 1024 };

static csploop_record records[RECORDS];
static csploop_submission submissions[SUBMISSIONS];
static unsigned char out_slab[OUT_SLAB];
static csploop_batch batch = {.size = sizeof batch,
                              .submissions = submissions,
                              .out_slab = out_slab,
                              .out_slab_size = sizeof out_slab,
                              .records = records,
                              .capacity = RECORDS};
static size_t out_used;

static int64_t fine(int64_t code, const char *what) {
    if (code < 0) {
        fprintf(stderr, "%s failed: %s\n", what, csploop_strerror((int)code));
        exit(1);
    }
    return code;
}

static void flush_submissions(csploop_t *loop) {
    fine(csploop_submit(loop, &batch), "csploop_submit");
    out_used = 0;
}

static csploop_submission *submission(csploop_t *loop, uint32_t op, csploop_id id) {
    if (batch.n_submissions == SUBMISSIONS)
        flush_submissions(loop);
    csploop_submission *next = &submissions[batch.n_submissions++];
    *next = (csploop_submission){.id = id, .op = op};
    return next;
}

static void echo(csploop_t *loop, const csploop_record *record) {
    const unsigned char *data = (const unsigned char *)batch.slab + record->offset;
    size_t length = (size_t)record->result;
    if (length > OUT_SLAB - out_used)
        flush_submissions(loop);
    csploop_submission *write = submission(loop, CSPLOOP_OP_WRITE, record->id);
    memcpy(out_slab + out_used, data, length);
    write->data = out_used;
    write->length = length;
    out_used += length;
}

static void handle(csploop_t *loop, const csploop_record *record) {
    switch (record->kind) {
    case CSPLOOP_KIND_ACCEPT:
        fine(record->result, "accepting");
        submission(loop, CSPLOOP_OP_READ_START, (csploop_id)record->result)->flags = CSPLOOP_READ_SLAB;
        break;
    case CSPLOOP_KIND_READ:
        echo(loop, record);
        break;
    case CSPLOOP_KIND_BACKLOG:
        if (record->result > HIGH_WATER)
            submission(loop, CSPLOOP_OP_READ_STOP, record->id);
        else if (record->result == 0)
            submission(loop, CSPLOOP_OP_READ_START, record->id)->flags = CSPLOOP_READ_SLAB;
        break;
    case CSPLOOP_KIND_EOF:
    case CSPLOOP_KIND_ERROR:
        submission(loop, CSPLOOP_OP_CLOSE, record->id)->flags = CSPLOOP_CLOSE_ABORT;
        break;
    default: /* REJECTED: a peer that left before its answer went out */
        break;
    }
}

int main(int argc, char **argv) {
    int fd = listen_as_told(argc, argv);
    csploop_t *loop;
    fine(csploop_new(&loop, NULL), "csploop_new");
    fine(csploop_attach(loop), "csploop_attach");
    csploop_stream_options options = CSPLOOP_STREAM_OPTIONS_INIT;
    options.flags = CSPLOOP_STREAM_NODELAY;
    csploop_id listener;
    fine(csploop_listener_adopt(loop, &listener, fd, &options, NULL, NULL), "csploop_listener_adopt");
    say_ready(fd);
    for (;;) {
        int n = (int)fine(csploop_turn(loop, &batch, -1), "csploop_turn");
        out_used = 0;
        for (int i = 0; i < n; i++)
            handle(loop, &records[i]);
    }
}
