// Watchers: descriptors whose I/O the host does itself.
#pragma once

#include "completions.hpp"
#include "fd_set.hpp"
#include "ids.hpp"
#include "poller.hpp"

#include <csploop/watch.h>

namespace csploop {

class WatcherSet {
public:
    WatcherSet(Poller &poller, FdSet &fds, Completions &completions)
        : poller_(poller), fds_(fds), completions_(completions) {}

    int watch(csploop_id *out, int fd, uint32_t events, csploop_fn fn, void *arg);
    int modify(csploop_id id, uint32_t events);
    int unwatch(csploop_id id);
    void on_ready(csploop_id id, uint32_t events);
    bool live(csploop_id id) { return watchers_.find(id) != nullptr; }

    void close_all();
    size_t heap_bytes() const { return watchers_.heap_bytes(); }

private:
    struct Watcher {
        int fd = -1;
        uint32_t events = 0;
        csploop_fn fn = nullptr;
        void *arg = nullptr;
    };

    int add(csploop_id id, const Watcher &watcher, uint32_t events);
    void forget(csploop_id id, const Watcher &watcher);

    Poller &poller_;
    FdSet &fds_;
    Completions &completions_;
    SlotTable<Watcher, IdKind::watcher> watchers_;
};

} // namespace csploop
