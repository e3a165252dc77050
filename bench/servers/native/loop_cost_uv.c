/* loop_cost_uv - see loop_cost.h. */
#include "loop_cost.h"

#include <uv.h>

static long fired;

static double uv_life(void) {
    double start = cpu_ns();
    for (int i = 0; i < LOOPS; i++) {
        uv_loop_t loop;
        must(uv_loop_init(&loop) == 0, "uv_loop_init");
        must(uv_loop_close(&loop) == 0, "uv_loop_close");
    }
    return (cpu_ns() - start) / LOOPS;
}

/* libuv has no call_soon; an idle handle is what calls once a turn. */
static void uv_again(uv_idle_t *idle) {
    if (++fired == CALLS)
        uv_idle_stop(idle);
}

static double uv_calls(uv_loop_t *loop) {
    uv_idle_t idle;
    fired = 0;
    must(uv_idle_init(loop, &idle) == 0, "uv_idle_init");
    double start = cpu_ns();
    must(uv_idle_start(&idle, uv_again) == 0, "uv_idle_start");
    must(uv_run(loop, UV_RUN_DEFAULT) == 0 && fired == CALLS, "uv_run");
    double took = (cpu_ns() - start) / CALLS;
    uv_close((uv_handle_t *)&idle, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return took;
}

static void uv_count(uv_timer_t *timer) {
    (void)timer;
    fired++;
}

static double uv_arm_cancel(uv_loop_t *loop, uv_timer_t *timers, uv_timer_t *one) {
    uint32_t seed = 1;
    must(uv_timer_init(loop, one) == 0, "uv_timer_init");
    for (int i = 0; i < OUTSTANDING; i++)
        must(uv_timer_start(&timers[i], uv_count, (uint64_t)some_ms(&seed), 0) == 0, "uv_timer_start");
    double start = cpu_ns();
    for (int i = 0; i < TIMERS; i++) {
        must(uv_timer_start(one, uv_count, (uint64_t)some_ms(&seed), 0) == 0, "uv_timer_start");
        must(uv_timer_stop(one) == 0, "uv_timer_stop");
    }
    double took = (cpu_ns() - start) / TIMERS;
    for (int i = 0; i < OUTSTANDING; i++)
        uv_timer_stop(&timers[i]);
    return took;
}

static double uv_fire(uv_loop_t *loop, uv_timer_t *timers) {
    fired = 0;
    double start = cpu_ns();
    for (int i = 0; i < TIMERS; i++)
        must(uv_timer_start(&timers[i], uv_count, 0, 0) == 0, "uv_timer_start");
    must(uv_run(loop, UV_RUN_DEFAULT) == 0 && fired == TIMERS, "uv_run");
    return (cpu_ns() - start) / TIMERS;
}

int main(void) {
    double life = uv_life();
    uv_loop_t loop;
    uv_timer_t one, *timers = malloc(sizeof *timers * TIMERS);
    must(timers && uv_loop_init(&loop) == 0, "uv_loop_init");
    for (int i = 0; i < TIMERS; i++)
        uv_timer_init(&loop, &timers[i]);
    double calls = uv_calls(&loop), fire = uv_fire(&loop, timers), cancel = uv_arm_cancel(&loop, timers, &one);
    printf("{\"c_loop_life\": %.1f, \"c_call_soon\": %.2f, \"c_timer_fire\": %.2f, \"c_timer_cancel_100k\": %.2f}\n",
           life, calls, fire, cancel);
    free(timers);
    return 0;
}
