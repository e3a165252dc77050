#include "guard.hpp"

#include <csploop/watch.h>

using namespace csploop::capi;

int csploop_watch(csploop_t *loop, csploop_id *out, int fd, unsigned events, csploop_fn fn, void *arg) {
    return on_loop(loop, [&](csploop_t &l) {
        return fd < 0 ? static_cast<int>(CSPLOOP_EBADF) : l.watchers().watch(out, fd, events, fn, arg);
    });
}

int csploop_watch_modify(csploop_t *loop, csploop_id id, unsigned events) {
    return on_loop(loop, [&](csploop_t &l) { return l.watchers().modify(id, events); });
}

int csploop_unwatch(csploop_t *loop, csploop_id id) {
    return on_loop(loop, [&](csploop_t &l) { return l.watchers().unwatch(id); });
}
