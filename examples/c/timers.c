/* timers.c - calls that wait for the clock, then the same on a clock that the program moves itself. */
#include "say.h"

#include <inttypes.h>
#include <string.h>

#define MS INT64_C(1000000)
#define HOUR (INT64_C(3600) * 1000 * MS)

static char seen[8];

static void note(csploop_t *loop, const csploop_record *record, void *arg) {
    (void)loop;
    (void)record;
    strncat(seen, arg, sizeof seen - strlen(seen) - 1);
}

static void note_and_stop(csploop_t *loop, const csploop_record *record, void *arg) {
    note(loop, record, arg);
    must(csploop_stop(loop), "stop");
}

static void real_clock(void) {
    csploop_t *loop;
    must(csploop_new(&loop, NULL), "new");
    const int64_t start = csploop_now(loop);
    csploop_id unwanted;
    must(csploop_call_later(loop, NULL, 20 * MS, note_and_stop, "c"), "call_later");
    must(csploop_call_later(loop, NULL, 10 * MS, note, "b"), "call_later");
    must(csploop_call_later(loop, &unwanted, 15 * MS, note, "x"), "call_later");
    must(csploop_call_soon(loop, NULL, note, "a"), "call_soon");
    must(csploop_cancel(loop, unwanted), "cancel");
    must(csploop_run(loop, CSPLOOP_RUN_FOREVER), "run");
    const int64_t took = csploop_now(loop) - start;
    printf("real clock: %s after %" PRId64 " ms\n", seen, took / MS);
    if (strcmp(seen, "abc") != 0 || took < 20 * MS)
        exit(1);
    csploop_unref(loop); /* closes it too: this was the last reference */
}

static void simulated_clock(void) {
    csploop_t *loop;
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.clock = CSPLOOP_CLOCK_SIMULATED;
    must(csploop_new(&loop, &options), "new");
    seen[0] = '\0';
    must(csploop_call_at(loop, NULL, HOUR, note, "1"), "call_at");
    must(csploop_call_at(loop, NULL, HOUR, note, "2"), "call_at"); /* same time: in the order of the calls */
    must(csploop_call_at(loop, NULL, 2 * HOUR, note, "3"), "call_at");

    for (;;) { /* jump from deadline to deadline */
        int64_t next;
        must(csploop_next_deadline(loop, &next), "next_deadline");
        if (next == INT64_MAX)
            break;
        if (next > csploop_now(loop))
            must(csploop_clock_set(loop, next), "clock_set");
        must(csploop_turn(loop, NULL, 0), "turn");
        printf("simulated clock: %s at %" PRId64 " h\n", seen, csploop_now(loop) / HOUR);
    }
    if (strcmp(seen, "123") != 0)
        exit(1);
    csploop_unref(loop);
}

int main(void) {
    real_clock();
    simulated_clock();
    return 0;
}
