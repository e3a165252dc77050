// Ends the loop's sleep from any thread, and from signal handlers.
//
// The rule against lost wake-ups: a producer first appends its work, then
// sets `pending`, and rings only if the loop is sleeping; the loop first says
// that it sleeps, then looks at `pending`. All four are sequentially
// consistent, so at least one of the two sees the other. One ring a sleep is
// enough: whoever finds `pending` set leaves the ringing to who set it.
#pragma once

#include "poller.hpp"

#include <atomic>

namespace csploop {

class Waker {
public:
    // Any thread, signal-safe. False once closed.
    bool wake(Poller &poller) noexcept {
        ringers_.fetch_add(1, std::memory_order_seq_cst);
        const bool open = !closed_.load(std::memory_order_seq_cst);
        if (open && !pending_.exchange(true, std::memory_order_seq_cst) && sleeping_.load(std::memory_order_seq_cst))
            poller.ring();
        ringers_.fetch_sub(1, std::memory_order_seq_cst);
        return open;
    }

    // The loop's thread, before it waits: whether it may sleep at all.
    bool may_sleep() {
        sleeping_.store(true, std::memory_order_seq_cst);
        return !pending_.exchange(false, std::memory_order_seq_cst);
    }
    // The loop's thread, when the host is about to wait on backend_fd.
    bool host_may_sleep() {
        sleeping_.store(true, std::memory_order_seq_cst);
        return !pending_.load(std::memory_order_seq_cst);
    }
    // The loop's thread, after waiting and before it looks at what others appended.
    void awake() {
        sleeping_.store(false, std::memory_order_seq_cst);
        pending_.exchange(false, std::memory_order_seq_cst);
    }

    // After this returns, no thread is inside ring() nor will be.
    void close() {
        closed_.store(true, std::memory_order_seq_cst);
        while (ringers_.load(std::memory_order_seq_cst) != 0) {
        }
    }
    // Like close, but in a forked child: who is inside wake() there does not exist, and would be waited for for ever.
    void abandon() { closed_.store(true, std::memory_order_seq_cst); }
    bool closed() const { return closed_.load(std::memory_order_seq_cst); }

private:
    std::atomic<bool> pending_{false};
    std::atomic<bool> sleeping_{false};
    std::atomic<bool> closed_{false};
    std::atomic<int> ringers_{0};
};

} // namespace csploop
