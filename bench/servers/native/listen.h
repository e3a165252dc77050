/* listen.h - what all C echo servers begin with.
 *
 *   SERVER [--unix PATH] [--limit SECONDS]
 */
#ifndef BENCH_LISTEN_H
#define BENCH_LISTEN_H

enum { READ_SIZE = 256 * 1024 }; /* what one read takes at most, as in the Python servers */

/* Opens the non-blocking listening socket that the arguments ask for; ends
 * the process with a message if that fails. TCP_NODELAY is on, and accepted
 * sockets inherit it. */
int listen_as_told(int argc, char **argv);

/* Tells the harness that clients may come. */
void say_ready(int fd);

/* For calls that must not fail: ends the process. */
void must(int fine, const char *what);

#endif
