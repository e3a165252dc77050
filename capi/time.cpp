#include "guard.hpp"

#include <csploop/time.h>

#include <algorithm>

using namespace csploop::capi;

int64_t csploop_now(const csploop_t *loop) {
    if (!loop)
        return CSPLOOP_EINVAL;
    return loop->clock().now();
}

int csploop_clock_set(csploop_t *loop, int64_t now_ns) {
    return on_loop(loop, [&](csploop_t &l) { return l.clock().set(now_ns); });
}

int csploop_call_soon(csploop_t *loop, csploop_id *out, csploop_fn fn, void *arg) {
    return on_loop(loop, [&](csploop_t &l) { return l.timers().call_soon(out, fn, arg); });
}

int csploop_call_later(csploop_t *loop, csploop_id *out, int64_t delay_ns, csploop_fn fn, void *arg) {
    return on_loop(loop, [&](csploop_t &l) {
        const int64_t now = l.clock().now();
        const int64_t delay = std::max<int64_t>(delay_ns, 0);
        return l.timers().call_at(out, delay > INT64_MAX - now ? INT64_MAX : now + delay, fn, arg);
    });
}

int csploop_call_at(csploop_t *loop, csploop_id *out, int64_t when_ns, csploop_fn fn, void *arg) {
    return on_loop(loop, [&](csploop_t &l) { return l.timers().call_at(out, when_ns, fn, arg); });
}

int csploop_call_at_wall(csploop_t *loop, csploop_id *out, int64_t wall_ns, csploop_fn fn, void *arg) {
    return on_loop(loop, [&](csploop_t &l) { return l.call_at_wall(out, wall_ns, fn, arg); });
}

int csploop_cancel(csploop_t *loop, csploop_id id) {
    return on_loop(loop, [&](csploop_t &l) { return l.timers().cancel(id); });
}

int csploop_post(csploop_t *loop, csploop_fn fn, void *arg) {
    if (const int code = check_alive(loop))
        return code;
    return guard([&] { return loop->post(fn, arg); });
}
