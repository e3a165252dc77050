#include "guard.hpp"

#include <csploop/loop.h>

using namespace csploop::capi;

int csploop_new(csploop_t **out, const csploop_options *options) {
    if (!out)
        return CSPLOOP_EINVAL;
    *out = nullptr;
    return guard([&] {
        csploop_options own = CSPLOOP_OPTIONS_INIT;
        if (const int code = read_options(own, options))
            return code;
        constexpr uint64_t least_slab = 16 << 10;
        constexpr uint64_t most_slab = 1 << 30;
        if (own.clock > CSPLOOP_CLOCK_SIMULATED || own.poller > CSPLOOP_POLLER_UV || own.reserved != 0 ||
            own.start_ns < 0 || (own.slab_bytes && (own.slab_bytes < least_slab || own.slab_bytes > most_slab)))
            return static_cast<int>(CSPLOOP_EINVAL);
        int code = 0;
        auto poller = csploop::make_poller(own.poller, code);
        if (!poller)
            return code;
        *out = new csploop_t(std::move(poller), own);
        return 0;
    });
}

int csploop_close(csploop_t *loop) {
    if (!loop)
        return CSPLOOP_EINVAL;
    if (loop->closed())
        return 0;
    if (!loop->forked()) {
        if (!loop->usable_from_this_thread())
            return CSPLOOP_ETHREAD;
        if (loop->in_turn())
            return CSPLOOP_EBUSY;
    }
    return guard([&] { return loop->close(); });
}

csploop_t *csploop_ref(csploop_t *loop) {
    if (loop)
        loop->ref();
    return loop;
}

csploop_t *csploop_unref(csploop_t *loop) {
    if (loop)
        guard([&] {
            loop->unref();
            return 0;
        });
    return nullptr;
}

int csploop_attach(csploop_t *loop) {
    if (const int code = check_alive(loop))
        return code;
    return loop->attach();
}

int csploop_detach(csploop_t *loop) {
    if (!loop)
        return CSPLOOP_EINVAL;
    if (loop->closed())
        return 0; // closing has detached it
    if (loop->forked())
        return CSPLOOP_ECHILD;
    if (!loop->owned_by_this_thread())
        return CSPLOOP_ETHREAD;
    if (loop->in_turn())
        return CSPLOOP_EBUSY;
    return loop->detach();
}

int csploop_run(csploop_t *loop, int mode) {
    if (const int code = check_idle(loop))
        return code;
    return guard([&] { return loop->run(mode); });
}

namespace {

int check_batch(const csploop_batch *batch) {
    if (!batch)
        return 0;
    if (!understood(*batch, sizeof(csploop_batch)) || (batch->n_submissions && !batch->submissions) ||
        (batch->out_slab_size && !batch->out_slab) || (batch->capacity && !batch->records))
        return CSPLOOP_EINVAL;
    return 0;
}

} // namespace

int csploop_turn(csploop_t *loop, csploop_batch *batch, int64_t timeout_ns) {
    if (const int code = check_idle(loop))
        return code;
    if (const int code = check_batch(batch))
        return code;
    return guard([&] { return loop->turn(batch, timeout_ns); });
}

int csploop_submit(csploop_t *loop, csploop_batch *batch) {
    if (const int code = check_batch(batch))
        return code;
    return on_loop(loop, [&](csploop_t &l) { return l.submit(batch); });
}

int csploop_ids_reserve(csploop_t *loop, csploop_id *out, int n) {
    if (n < 0 || (n > 0 && !out))
        return CSPLOOP_EINVAL;
    return on_loop(loop, [&](csploop_t &l) { return l.timers().reserve(out, n); });
}

int csploop_stop(csploop_t *loop) {
    if (const int code = check_alive(loop))
        return code;
    return loop->stop() ? 0 : CSPLOOP_ECLOSED;
}

int csploop_wake(csploop_t *loop) {
    if (const int code = check_alive(loop))
        return code;
    return loop->wake() ? 0 : CSPLOOP_ECLOSED;
}

int csploop_backend_fd(const csploop_t *loop) {
    if (const int code = check_alive(loop))
        return code;
    const int fd = loop->backend_fd();
    return fd < 0 ? CSPLOOP_ENOTSUP : fd;
}

int csploop_next_deadline(csploop_t *loop, int64_t *out) {
    if (!out)
        return CSPLOOP_EINVAL;
    return on_loop(loop, [&](csploop_t &l) { return l.next_deadline(out); });
}

int csploop_poller_kind(const csploop_t *loop) {
    if (!loop)
        return CSPLOOP_EINVAL;
    return loop->poller().kind(); // a constant: also of a closed loop and in a forked child
}

int64_t csploop_heap_bytes(const csploop_t *loop) {
    if (!loop)
        return CSPLOOP_EINVAL;
    if (loop->forked())
        return CSPLOOP_ECHILD; // it takes a lock, whose holder may not exist here
    if (!loop->usable_from_this_thread())
        return CSPLOOP_ETHREAD;
    return static_cast<int64_t>(const_cast<csploop_t *>(loop)->heap_bytes());
}
