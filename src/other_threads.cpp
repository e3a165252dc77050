// What other threads leave for the loop: posts, and bridges that have been pushed into.
//
// Both are published before the loop is woken (waker.hpp); the loop's thread collects them when it is awake.
#include "loop.hpp"

#include <csploop/error.h>

#include <algorithm>
#include <functional>

namespace csploop {

// -- any thread ------------------------------------------------------------------------

int Loop::post(csploop_fn fn, void *arg) {
    {
        const std::lock_guard lock(posts_mutex_);
        if (closed())
            return CSPLOOP_ECLOSED;
        posts_.push_back({fn, arg});
        has_posts_.store(true, std::memory_order_release);
    }
    wake();
    return 0;
}

void Loop::bridge_signaled(Bridge &bridge) {
    // A drain between two turns allows a second signal while the first is still on the list.
    if (bridge.on_list.exchange(true, std::memory_order_seq_cst)) {
        wake();
        return;
    }
    // The list's own reference: who signals may be held up before it is listed, until its host has let go of it and the
    // loop has told CLOSED.
    bridge.hold();
    Bridge *head = signaled_bridges_.load(std::memory_order_relaxed);
    do {
        bridge.next_signaled.store(head, std::memory_order_relaxed);
    } while (
        !signaled_bridges_.compare_exchange_weak(head, &bridge, std::memory_order_release, std::memory_order_relaxed));
    if (!wake())
        drop_signaled_bridges(); // the loop is closed and looks no more
}

void Loop::drop_signaled_bridges() {
    Bridge *signaled = signaled_bridges_.exchange(nullptr, std::memory_order_acq_rel);
    while (signaled) {
        Bridge *const bridge = signaled;
        signaled = bridge->next_signaled.load(std::memory_order_relaxed);
        bridge->on_list.store(false, std::memory_order_relaxed);
        bridge->release();
    }
}

// -- the loop's thread ------------------------------------------------------------------

void Loop::collect_posts() {
    if (!has_posts_.load(std::memory_order_acquire))
        return;
    {
        const std::lock_guard lock(posts_mutex_);
        make_room(completions_, posts_.size()); // all of them or, for lack of memory, none yet
        taken_posts_.swap(posts_);
        has_posts_.store(false, std::memory_order_relaxed);
    }
    for (const Post &post : taken_posts_)
        completions_.push_back(completion(CSPLOOP_KIND_POST, 0, post.fn, post.arg, 0));
    taken_posts_.clear();
}

bool Loop::bridges_waiting() const {
    return signaled_bridges_.load(std::memory_order_acquire) ||
           std::any_of(active_bridges_.begin(), active_bridges_.end(), std::mem_fn(&Bridge::has_news));
}

void Loop::collect_bridges() {
    // The list is last in, first out; bridges are told in the order of their signals.
    Bridge *signaled = signaled_bridges_.exchange(nullptr, std::memory_order_acq_rel);
    const auto first_new = static_cast<std::ptrdiff_t>(active_bridges_.size());
    while (signaled) {
        Bridge *const next = signaled->next_signaled.load(std::memory_order_relaxed);
        signaled->on_list.exchange(false, std::memory_order_seq_cst); // before the look at what it holds
        if (signaled->closed_told) {
            signaled->abandon(); // its item came in while it was closed; nobody hears of it any more
        } else if (!signaled->listed) {
            signaled->listed = true;
            active_bridges_.push_back(signaled);
        }
        signaled->release();
        signaled = next;
    }
    std::reverse(active_bridges_.begin() + first_new, active_bridges_.end());
    make_room(completions_, active_bridges_.size()); // all of them or, for lack of memory, none yet
    size_t kept = 0;
    for (Bridge *const bridge : active_bridges_) {
        if (bridge->is_orphaned())
            bridge->abandon();
        const size_t queued = bridge->queued();
        if (queued > 0) {
            completions_.push_back(
                completion(CSPLOOP_KIND_BRIDGE, bridge->id(), bridge->fn, bridge->arg, static_cast<int64_t>(queued)));
        } else if (bridge->is_closed() && !bridge->closed_told) {
            bridge->closed_told = true;
            completions_.push_back(completion(CSPLOOP_KIND_CLOSED, bridge->id(), bridge->fn, bridge->arg, -1));
        }
        if (queued > 0) {
            active_bridges_[kept++] = bridge;
            continue;
        }
        bridge->listed = false;
        // A drain may overtake the signal of what it takes, and nobody drains again to clear that signal.
        bridge->quiet();
    }
    active_bridges_.resize(kept);
}

} // namespace csploop
