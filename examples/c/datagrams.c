/* datagrams.c - a UDP socket that answers, and one that asks, on one loop. */
#include "say.h"

#include <string.h>

static void on_server(csploop_t *loop, const csploop_record *record, void *arg) {
    (void)arg;
    if (record->kind != CSPLOOP_KIND_RECV)
        return;
    uint32_t length;
    const void *sender = csploop_udp_sender(loop, record, &length);
    const char *bytes = (const char *)csploop_slab(loop, NULL) + record->offset;
    must(csploop_udp_send_to(loop, record->id, bytes, (size_t)record->result, sender, length), "send_to");
}

static void on_client(csploop_t *loop, const csploop_record *record, void *arg) {
    int *answers = arg;
    switch (record->kind) {
    case CSPLOOP_KIND_RECV:
        printf("%.*s\n", (int)record->result, (const char *)csploop_slab(loop, NULL) + record->offset);
        if (++*answers == 2)
            must(csploop_udp_close(loop, record->id, CSPLOOP_CLOSE_DRAIN), "close");
        break;
    case CSPLOOP_KIND_DATAGRAM_ERROR: /* nobody listens there; the socket goes on */
        fprintf(stderr, "%s\n", csploop_strerror((int)record->result));
        break;
    case CSPLOOP_KIND_CLOSED:
        must(csploop_stop(loop), "stop");
        break;
    default:
        break;
    }
}

int main(void) {
    csploop_t *loop;
    int answers = 0;
    must(csploop_new(&loop, NULL), "new");

    csploop_id server, client;
    must(csploop_udp_bind(loop, &server, "127.0.0.1", 0, NULL, on_server, NULL), "bind");
    must(csploop_udp_read_start(loop, server), "read_start");
    char where[128];
    must(csploop_udp_local_address(loop, server, where, sizeof where), "local_address");

    must(csploop_udp_bind(loop, &client, "127.0.0.1", 0, NULL, on_client, &answers), "bind");
    must(csploop_udp_connect(loop, client, "127.0.0.1", number(strrchr(where, ':') + 1, 65535)), "connect");
    must(csploop_udp_read_start(loop, client), "read_start");
    must(csploop_udp_send(loop, client, "one", 3), "send");
    must(csploop_udp_send(loop, client, "two", 3), "send");

    must(csploop_run(loop, CSPLOOP_RUN_FOREVER), "run");
    csploop_unref(loop);
    return answers == 2 ? 0 : 1;
}
