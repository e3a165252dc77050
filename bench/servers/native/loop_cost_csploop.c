/* loop_cost_csploop - see loop_cost.h. */
#include "loop_cost.h"

#include <csploop.h>

static long fired;

static double csploop_life(int64_t *heap) {
    double start = cpu_ns();
    for (int i = 0; i < LOOPS; i++) {
        csploop_t *loop;
        must(csploop_new(&loop, NULL) == 0, "csploop_new");
        if (i == 0)
            *heap = csploop_heap_bytes(loop);
        must(csploop_close(loop) == 0, "csploop_close");
        csploop_unref(loop);
    }
    return (cpu_ns() - start) / LOOPS;
}

static void csploop_again(csploop_t *loop, const csploop_record *record, void *arg) {
    (void)record, (void)arg;
    if (++fired == CALLS)
        must(csploop_stop(loop) == 0, "csploop_stop");
    else
        must(csploop_call_soon(loop, NULL, csploop_again, NULL) == 0, "csploop_call_soon");
}

static double csploop_calls(csploop_t *loop) {
    fired = 0;
    double start = cpu_ns();
    must(csploop_call_soon(loop, NULL, csploop_again, NULL) == 0, "csploop_call_soon");
    must(csploop_run(loop, CSPLOOP_RUN_FOREVER) == 0 && fired == CALLS, "csploop_run");
    return (cpu_ns() - start) / CALLS;
}

static void csploop_count(csploop_t *loop, const csploop_record *record, void *arg) {
    (void)loop, (void)record, (void)arg;
    fired++;
}

static double csploop_arm_cancel(csploop_t *loop) {
    uint32_t seed = 1;
    for (int i = 0; i < OUTSTANDING; i++)
        must(csploop_call_later(loop, NULL, some_ms(&seed) * 1000000, csploop_count, NULL) == 0, "csploop_call_later");
    double start = cpu_ns();
    for (int i = 0; i < TIMERS; i++) {
        csploop_id id;
        must(csploop_call_later(loop, &id, some_ms(&seed) * 1000000, csploop_count, NULL) == 0, "csploop_call_later");
        must(csploop_cancel(loop, id) == 0, "csploop_cancel");
    }
    return (cpu_ns() - start) / TIMERS;
}

static double csploop_fire(csploop_t *loop) {
    fired = 0;
    double start = cpu_ns();
    for (int i = 0; i < TIMERS; i++)
        must(csploop_call_at(loop, NULL, 0, csploop_count, NULL) == 0, "csploop_call_at");
    while (fired < TIMERS)
        must(csploop_run(loop, CSPLOOP_RUN_ONCE) == 0, "csploop_run");
    return (cpu_ns() - start) / TIMERS;
}

int main(void) {
    int64_t heap = 0;
    csploop_t *loop;
    double life = csploop_life(&heap);
    must(csploop_new(&loop, NULL) == 0, "csploop_new");
    double calls = csploop_calls(loop), fire = csploop_fire(loop), cancel = csploop_arm_cancel(loop);
    must(csploop_close(loop) == 0, "csploop_close");
    csploop_unref(loop);
    printf("{\"c_loop_life\": %.1f, \"c_fresh_heap\": %lld, \"c_call_soon\": %.2f, \"c_timer_fire\": %.2f, "
           "\"c_timer_cancel_100k\": %.2f}\n",
           life, (long long)heap, calls, fire, cancel);
    return 0;
}
