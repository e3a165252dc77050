// A bounded channel that any thread pushes into and one loop drains.
//
// Producers touch only the ring, the counters and `signaled_`. The first push
// after a drain that left the bridge empty puts it on its loop's list and
// wakes the loop; further ones are silent until the next such drain.
#pragma once

#include "ring.hpp"

#include <csploop/bridge.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace csploop {

class Loop;

class Bridge {
public:
    Bridge(Loop &loop, const csploop_bridge_options &options, csploop_fn fn, void *arg);
    ~Bridge();
    Bridge(const Bridge &) = delete;
    Bridge &operator=(const Bridge &) = delete;

    // -- any thread
    int push(const void *data, size_t length);
    int push_many(uint32_t &taken, const void *records, uint32_t count);
    void close();
    void stats(csploop_bridge_counts &out) const;
    size_t queued() const { return ring_.size() + (stashed_.load(std::memory_order_relaxed) ? 1 : 0); }
    csploop_id id() const { return id_; }
    Loop &loop() const { return loop_; }
    bool forked() const;
    Bridge *ref();
    void unref();

    // -- the loop's thread
    int drain(uint32_t *out_items, size_t *out_bytes, void *buffer, size_t buffer_bytes);
    // There is nothing to tell: from here on a push wakes the loop again.
    void quiet();
    // The loop closes: what is inside is thrown away, and counted.
    void abandon();
    // Shares of the memory: the loop's ends after CLOSED was delivered, or when the loop closes.
    void hold() { owners_.fetch_add(1, std::memory_order_relaxed); }
    void release();
    void set_id(csploop_id id) { id_ = id; }

    csploop_fn const fn;
    void *const arg;
    std::atomic<Bridge *> next_signaled{nullptr}; // in the loop's list
    std::atomic<bool> on_list{false};             // whether it is in that list
    bool listed = false;                          // loop's thread: among those it looks at each turn
    bool closed_told = false;                     // loop's thread: CLOSED is on its way
    // Whether the loop has something to tell of it.
    bool has_news() const { return !closed_told && (queued() > 0 || is_closed()); }
    bool is_closed() const { return closed_.load(std::memory_order_acquire); }
    // No host can drain it any more.
    bool is_orphaned() const { return orphaned_.load(std::memory_order_acquire); }

private:
    struct Bytes { // the item of a bridge of byte strings
        uint8_t *data;
        size_t length;
    };
    int push_item(const void *item);
    int push_blocking(const void *item);
    int push_dropping(const void *item);
    void signal();
    bool drop_oldest(); // false: there is none
    void room_made();

    Loop &loop_;
    const uint32_t policy_;
    const uint32_t record_size_;
    Ring ring_;
    csploop_id id_ = 0;
    std::atomic<uint32_t> host_references_{1};
    std::atomic<uint32_t> owners_{2}; // the loop, and all hosts together
    std::atomic<bool> closed_{false};
    std::atomic<bool> orphaned_{false};
    // Read by every push, written when the bridge empties or fills: a cache line of their own.
    alignas(64) std::atomic<bool> signaled_{false};
    alignas(64) std::atomic<uint32_t> waiting_{0}; // producers blocked for room
    std::mutex room_mutex_;
    // In a forked child it may count waiters that do not exist there, and ending it would wait for them: so its end is
    // in our hands.
    union {
        std::condition_variable room_;
    };
    // A byte string that was taken out but did not fit the host's buffer: first at the next drain.
    Bytes stash_{};
    std::atomic<bool> stashed_{false};
    std::atomic<uint64_t> drained_{0}, dropped_{0}, refused_{0}, blocked_{0}, wakes_{0};
};

} // namespace csploop
