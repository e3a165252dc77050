/* connection.h - one closed-loop echo connection of the load client.
 *
 * A connection keeps `depth` messages under way: it sends the next one only
 * when an earlier one has come back whole.
 */
#ifndef BENCH_CONNECTION_H
#define BENCH_CONNECTION_H

#include "histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { MAX_DEPTH = 64 };

/* What all connections of a run share. */
struct load {
    int epoll;
    size_t size; /* bytes of a message */
    unsigned depth;
    const unsigned char *pattern; /* one message, twice over, so that any rotation of it lies in one piece */
    unsigned char *buffer;
    size_t buffer_size;
    bool verify; /* compare what comes back: while warming up only, it costs time */
    bool record; /* count and time messages */
    uint64_t messages;
    struct histogram latency;
};

struct connection {
    int fd;
    bool wants_write;          /* EPOLLOUT is registered */
    unsigned credit;           /* messages that may still be begun */
    size_t sent;               /* bytes of the message being sent; 0: none has begun */
    size_t received;           /* bytes of the message being received */
    unsigned first, under_way; /* ring of start times */
    uint64_t started[MAX_DEPTH];
};

uint64_t now_ns(void);

/* All return 0, or -1 after having said on stderr what went wrong. */
int connection_open(struct connection *connection, struct load *load, const struct sockaddr *address, socklen_t length);
int connection_ready(struct connection *connection, struct load *load, uint32_t events);

#endif
