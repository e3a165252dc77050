/* selftest.h - clients for the echo examples: each sends a message, expects it back, and closes. */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <csploop.h>

struct selftest {
    int wanted; /* clients */
    int ended;
    int good; /* clients that got back exactly what they sent */
};

/* Starts the clients on the loop, which stops when all have ended. address: "127.0.0.1:PORT".
 * test must live as long as the loop. */
void selftest_start(struct selftest *test, csploop_t *loop, const char *address, int clients);

/* Says how it went. Returns the exit code: 0 when all were good. */
int selftest_result(const struct selftest *test);

#endif
