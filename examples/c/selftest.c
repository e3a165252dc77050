#include "selftest.h"

#include "say.h"

#include <string.h>

enum { MESSAGE_BYTES = 100000 }; /* more than one read of a slab, so that order matters */

struct client {
    struct selftest *test;
    size_t received;
    int wrong;
};

/* The byte at a place in the message: bytes that are lost, doubled or swapped show. */
static char byte_at(size_t place) {
    return (char)((place * 31 + place / 251) & 0xff);
}

static void on_client(csploop_t *loop, const csploop_record *record, void *arg) {
    struct client *client = arg;
    switch (record->kind) {
    case CSPLOOP_KIND_CONNECT: {
        must((int)record->result, "connect");
        static char message[MESSAGE_BYTES];
        for (size_t i = 0; i < MESSAGE_BYTES; i++)
            message[i] = byte_at(i);
        must(csploop_stream_write(loop, record->id, message, sizeof message), "write");
        must(csploop_stream_shutdown(loop, record->id), "shutdown");
        must(csploop_stream_read_start(loop, record->id, CSPLOOP_READ_SLAB), "read_start");
        break;
    }
    case CSPLOOP_KIND_READ: {
        const char *bytes = (const char *)csploop_slab(loop, NULL) + record->offset;
        for (int64_t i = 0; i < record->result; i++)
            client->wrong |= bytes[i] != byte_at(client->received++);
        break;
    }
    case CSPLOOP_KIND_EOF:
    case CSPLOOP_KIND_ERROR:
        client->wrong |= record->kind == CSPLOOP_KIND_ERROR;
        csploop_stream_close(loop, record->id, CSPLOOP_CLOSE_DRAIN);
        break;
    case CSPLOOP_KIND_CLOSED:
        client->test->good += client->received == MESSAGE_BYTES && !client->wrong;
        if (++client->test->ended == client->test->wanted)
            csploop_stop(loop);
        free(client);
        break;
    default:
        break;
    }
}

void selftest_start(struct selftest *test, csploop_t *loop, const char *address, int clients) {
    const char *colon = strrchr(address, ':');
    test->wanted = clients;
    for (int i = 0; i < clients; i++) {
        struct client *client = calloc(1, sizeof *client);
        if (client == NULL)
            exit(1);
        client->test = test;
        csploop_id stream;
        must(csploop_tcp_connect(loop, &stream, "127.0.0.1", number(colon + 1, 65535), NULL, on_client, client),
             "connect");
    }
}

int selftest_result(const struct selftest *test) {
    printf("%d of %d clients got back what they sent\n", test->good, test->wanted);
    return test->good == test->wanted ? 0 : 1;
}
