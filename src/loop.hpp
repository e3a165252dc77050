// The loop: owns every part, turns them, and hands their completions to the host.
#pragma once

#include "bridge.hpp"
#include "clock.hpp"
#include "completions.hpp"
#include "datagram_set.hpp"
#include "fd_set.hpp"
#include "fork.hpp"
#include "ids.hpp"
#include "poller.hpp"
#include "stream_set.hpp"
#include "timer_set.hpp"
#include "waker.hpp"
#include "wall_alarm.hpp"
#include "watcher_set.hpp"

#include <csploop/loop.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace csploop {

class Loop {
public:
    Loop(std::unique_ptr<Poller> poller, const csploop_options &options);
    ~Loop();
    Loop(const Loop &) = delete;
    Loop &operator=(const Loop &) = delete;

    // -- life (loop.cpp)
    // The host's references keep the loop open, and all of them together its memory.
    void ref() { references_.fetch_add(1, std::memory_order_relaxed); }
    void unref();
    // A bridge keeps the memory only: it is the loop's to close, and must not keep it open.
    void hold() { holders_.fetch_add(1, std::memory_order_relaxed); }
    void release();
    int close();
    int attach();
    int detach();
    bool closed() const { return waker_.closed(); }
    bool forked() const { return fork_generation_ != fork_generation(); }
    bool owned_by_this_thread() const;    // attached here
    bool usable_from_this_thread() const; // attached here or nowhere
    bool in_turn() const { return in_turn_; }

    // -- turning (turn.cpp; submissions.cpp, dispatch.cpp)
    int run(int mode);
    int turn(csploop_batch *batch, int64_t timeout_ns);
    int submit(csploop_batch *batch);
    int next_deadline(int64_t *out);
    bool wake() noexcept { return waker_.wake(*poller_); }
    bool stop() noexcept {
        stop_.store(true, std::memory_order_seq_cst);
        return wake();
    }

    // -- timers of the wall clock, which need more than the timer
    int call_at_wall(csploop_id *out, int64_t wall_ns, csploop_fn fn, void *arg) {
        const int code = prepare_wall_alarm();
        return code ? code : timers_.call_at_wall(out, wall_ns, fn, arg);
    }

    // -- parts
    const Clock &clock() const { return clock_; }
    Clock &clock() { return clock_; }
    const Poller &poller() const { return *poller_; }
    int backend_fd() const { return backend_fd_; } // any thread, also while the loop closes
    TimerSet &timers() { return timers_; }
    StreamSet &streams() { return streams_; }
    const StreamSet &streams() const { return streams_; }
    // Made with the first use: most loops have no datagram sockets, and a fresh loop is to be small.
    DatagramSet &datagrams() {
        if (!datagrams_)
            datagrams_ = std::make_unique<DatagramSet>(*poller_, clock_, fds_, completions_, streams_.slab());
        return *datagrams_;
    }
    WatcherSet &watchers() { return watchers_; }

    // -- any thread (other_threads.cpp)
    int post(csploop_fn fn, void *arg);
    void bridge_signaled(Bridge &bridge);

    int add_bridge(Bridge &bridge);
    size_t heap_bytes();

private:
    class Attachment; // attaches for the time of a call
    class TurnMark;   // says that a turn is on

    int turn_once(csploop_batch *batch, int64_t timeout_ns);
    void take(csploop_batch &batch);
    void tell_refused();
    int take_one(const csploop_submission &submission, const csploop_batch &batch);
    int prepare_wall_alarm() { return clock_.simulated() ? 0 : wall_alarm_.open(*poller_); }
    int collect(int64_t timeout_ns);
    int wait(int64_t timeout_ns);
    // Of streams and datagram sockets alike.
    void flush_dirty() {
        streams_.flush_dirty();
        if (datagrams_)
            datagrams_->flush_dirty();
    }
    void deliver_owed() {
        tell_refused();
        streams_.deliver_owed();
        if (datagrams_)
            datagrams_->deliver_owed();
    }
    bool has_held() const { return !refused_.empty() || streams_.has_held() || (datagrams_ && datagrams_->has_held()); }
    bool has_unsent() const { return streams_.has_unsent() || (datagrams_ && datagrams_->has_unsent()); }
    // What needs the loop at a certain time: timers, and datagrams that are tried again.
    int64_t next_due() {
        return std::min(timers_.next_deadline(), datagrams_ ? datagrams_->next_retry() : INT64_MAX);
    }
    size_t dirty_count() const { return streams_.dirty_count() + (datagrams_ ? datagrams_->dirty_count() : 0); }
    int64_t sleep_limit(int64_t timeout_ns);
    void collect_posts();
    void collect_bridges();
    bool bridges_waiting() const;
    bool deliverable(Completion &item);
    bool call(const Completion &item);
    void delivered(const Completion &item, bool in_batch);
    bool hand_out(const Completion &item, csploop_batch *batch);
    void dispatch(csploop_batch *batch);
    bool waits_for_batch() const { return !waiting_.empty(); }
    // While records of an earlier turn wait, for a batch or because an error cut that turn short, nothing is polled and
    // the slab stays as it is.
    bool undelivered() const { return waits_for_batch() || current_head_ < current_.size() || collecting_; }
    void describe_slab(csploop_batch &batch) const;
    void abandon_bridges();
    void drop_signaled_bridges();

    struct Post {
        csploop_fn fn;
        void *arg;
    };

    const uint32_t fork_generation_ = fork_generation();
    std::atomic<uint32_t> references_{1};
    std::atomic<uint32_t> holders_{1}; // all hosts together, and each bridge
    std::atomic<const void *> owner_{nullptr};
    uint32_t attach_count_ = 0;
    bool in_turn_ = false;
    std::atomic<bool> stop_{false};

    const std::unique_ptr<Poller> poller_;
    const int backend_fd_ = poller_->backend_fd();
    Waker waker_;
    Clock clock_;
    FdSet fds_;
    Completions completions_;
    bool collecting_ = false; // completions_ holds what a turn collects, with reads that lie in the slab
    Completions current_; // completions_'s spare: what this turn hands out, from current_head_ on
    size_t current_head_ = 0;
    Completions waiting_; // records that no batch had room for yet, from waiting_head_ on
    size_t waiting_head_ = 0;
    Completions refused_; // records of refused submissions, for the moment
    TimerSet timers_;
    WatcherSet watchers_;
    StreamSet streams_;
    std::unique_ptr<DatagramSet> datagrams_;
    WallAlarm wall_alarm_;

    SlotTable<Bridge *, IdKind::bridge> bridges_;
    std::vector<Bridge *> active_bridges_;
    std::atomic<Bridge *> signaled_bridges_{nullptr};

    std::mutex posts_mutex_;
    std::vector<Post> posts_;
    std::vector<Post> taken_posts_;
    std::atomic<bool> has_posts_{false};
};

} // namespace csploop

// What the C ABI calls a loop.
struct csploop_loop final : csploop::Loop {
    using csploop::Loop::Loop;
};
