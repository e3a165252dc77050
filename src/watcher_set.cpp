#include "watcher_set.hpp"

#include <csploop/error.h>

#include <new>

namespace csploop {

namespace {

constexpr uint32_t both = CSPLOOP_WATCH_READ | CSPLOOP_WATCH_WRITE;
constexpr uint32_t all = both | CSPLOOP_WATCH_EDGE;
static_assert(CSPLOOP_WATCH_READ == ready::read && CSPLOOP_WATCH_WRITE == ready::write &&
              CSPLOOP_WATCH_EDGE == ready::edge);

} // namespace

int WatcherSet::watch(csploop_id *out, int fd, uint32_t events, csploop_fn fn, void *arg) {
    if (events & ~all)
        return CSPLOOP_EINVAL;
    if (fds_.in_use(fd))
        return CSPLOOP_EEXIST;
    fds_.make_room(fd);
    const csploop_id id = watchers_.insert({fd, events, fn, arg});
    if (!id)
        return CSPLOOP_ENOMEM;
    if (fds_.has(fd))
        poller_.remove(fd); // its last owner's, who lost it without telling us
    // Registered even with no event wanted, so that a bad descriptor is found out now.
    int code = poller_.add(fd, (events & both) ? events : both, id);
    if (code == 0 && !(events & both))
        poller_.remove(fd);
    if (code) {
        watchers_.erase(id);
        return code;
    }
    fds_.take(fd, id);
    if (out)
        *out = id;
    return 0;
}

int WatcherSet::modify(csploop_id id, uint32_t events) {
    Watcher *const watcher = watchers_.find(id);
    if (!watcher)
        return CSPLOOP_EBADID;
    if (events & ~all)
        return CSPLOOP_EINVAL;
    if (fds_.owner(watcher->fd) != id)
        return CSPLOOP_EBADF; // closed behind our back, and the number is another's
    const bool was_on = watcher->events & both;
    const bool on = events & both;
    int code = 0;
    if (on)
        code = was_on ? poller_.modify(watcher->fd, events, id) : add(id, *watcher, events);
    else if (was_on)
        poller_.remove(watcher->fd); // silent for good: the kernel reports errors even to those who ask for nothing
    if (code == 0)
        watcher->events = events;
    return code;
}

// The poller would take whatever has the number now.
int WatcherSet::add(csploop_id id, const Watcher &watcher, uint32_t events) {
    return fds_.holds(watcher.fd, id) ? poller_.add(watcher.fd, events, id) : static_cast<int>(CSPLOOP_EBADF);
}

void WatcherSet::forget(csploop_id id, const Watcher &watcher) {
    if (fds_.release(watcher.fd, id) && (watcher.events & both))
        poller_.remove(watcher.fd);
}

int WatcherSet::unwatch(csploop_id id) {
    Watcher *const watcher = watchers_.find(id);
    if (!watcher)
        return CSPLOOP_EBADID;
    forget(id, *watcher);
    watchers_.erase(id);
    return 0;
}

void WatcherSet::on_ready(csploop_id id, uint32_t events) {
    const Watcher *const watcher = watchers_.find(id);
    if (!watcher)
        return;
    const uint32_t wanted = events & watcher->events & both;
    if (!wanted)
        return;
    try {
        make_room(completions_, 1);
    } catch (const std::bad_alloc &) {
        if (watcher->events & CSPLOOP_WATCH_EDGE) // rearmed, so that its edge is told again
            poller_.modify(watcher->fd, watcher->events, id);
        throw;
    }
    completions_.push_back(completion(CSPLOOP_KIND_WATCH, id, watcher->fn, watcher->arg, wanted));
}

void WatcherSet::close_all() {
    watchers_.for_each([&](csploop_id id, Watcher &watcher) { forget(id, watcher); });
    watchers_.clear();
}

} // namespace csploop
