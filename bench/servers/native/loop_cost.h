/* loop_cost.h - what the two programs that time a loop's own work share.
 *
 * Each prints one JSON object, in CPU time: ns to make and close a loop (c_loop_life), to
 * run one callback a turn (c_call_soon), to arm a timer and let it fire
 * (c_timer_fire), to arm and cancel one while 100 000 others are outstanding
 * (c_timer_cancel_100k); csploop's also the heap of a fresh loop in bytes.
 */
#ifndef BENCH_LOOP_COST_H
#define BENCH_LOOP_COST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LOOPS = 2000, CALLS = 500000, TIMERS = 200000, OUTSTANDING = 100000 };

static inline double cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline void must(int fine, const char *what) {
    if (!fine) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

/* A delay in ms, about 17 minutes to 35: far enough never to fire here. Both programs see the same sequence. */
static inline int64_t some_ms(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return 1048576 + (int64_t)(*seed >> 12);
}

#endif
