/* embed_poll.c - a program that owns its thread and its poll(2) takes a csploop loop on board.
 *
 * The host watches the loop's descriptor beside its own, sleeps no longer than the loop's next deadline, and gives
 * the loop one turn that does not wait. The same three steps fit Tk, GLib, Qt or a game's main loop.
 */
#define _POSIX_C_SOURCE 200809L /* poll, pipe */

#include "say.h"

#include <poll.h>
#include <unistd.h>

#define MS INT64_C(1000000)

struct host {
    int pipe[2];
    int ticks;
};

static void on_timer(csploop_t *loop, const csploop_record *record, void *arg) {
    struct host *host = arg;
    (void)record;
    printf("tick %d from the loop's timer\n", ++host->ticks);
    if (host->ticks < 3)
        must(csploop_call_later(loop, NULL, 10 * MS, on_timer, host), "call_later");
    else if (write(host->pipe[1], "!", 1) != 1) /* something for the host's own poll */
        exit(1);
}

/* Milliseconds to sleep, rounded up: a little late is one turn, a little early is a busy loop. */
static int sleep_ms(csploop_t *loop) {
    int64_t next;
    must(csploop_next_deadline(loop, &next), "next_deadline");
    if (next == INT64_MAX)
        return -1;
    const int64_t wait = next == 0 ? 0 : next - csploop_now(loop);
    return wait <= 0 ? 0 : (int)((wait + MS - 1) / MS);
}

int main(void) {
    struct host host = {.ticks = 0};
    if (pipe(host.pipe) != 0) {
        perror("pipe");
        return 1;
    }
    csploop_t *loop;
    must(csploop_new(&loop, NULL), "new");
    must(csploop_call_later(loop, NULL, 10 * MS, on_timer, &host), "call_later");

    struct pollfd fds[2] = {{.fd = host.pipe[0], .events = POLLIN},
                            {.fd = must(csploop_backend_fd(loop), "backend_fd"), .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, sleep_ms(loop)) < 0) {
            perror("poll");
            return 1;
        }
        if (fds[0].revents != 0)
            break;
        must(csploop_turn(loop, NULL, 0), "turn");
    }
    printf("the host's own pipe is readable: the end\n");
    csploop_unref(loop);
    close(host.pipe[0]);
    close(host.pipe[1]);
    return host.ticks == 3 ? 0 : 1;
}
