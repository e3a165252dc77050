// One turn: take submissions, send, wait, collect completions, hand them out.
//
// Order of what is handed out: call_soon from before the wait, then I/O, then
// timers by (deadline, insertion), then posts and bridges. What callbacks ask
// for is handed out in the next turn at the earliest.
#include "loop.hpp"

#include <csploop/error.h>

#include <algorithm>
#include <new>

namespace csploop {

namespace {

constexpr int most_ready = 256;

int64_t saturating_add(int64_t left, int64_t right) {
    int64_t sum;
    return __builtin_add_overflow(left, right, &sum) ? INT64_MAX : sum;
}

} // namespace

class Loop::Attachment {
public:
    // A callback may drop the host's last reference; this one lasts until the call is over.
    explicit Attachment(Loop &loop) : loop_(loop), code_(loop.attach()) { loop_.ref(); }
    ~Attachment() {
        if (!code_)
            loop_.detach();
        loop_.unref();
    }
    Attachment(const Attachment &) = delete;
    Attachment &operator=(const Attachment &) = delete;
    bool failed() const { return code_ != 0; }

private:
    Loop &loop_;
    const int code_;
};

class Loop::TurnMark {
public:
    explicit TurnMark(Loop &loop) : loop_(loop) { loop_.in_turn_ = true; }
    ~TurnMark() { loop_.in_turn_ = false; }
    TurnMark(const TurnMark &) = delete;
    TurnMark &operator=(const TurnMark &) = delete;

private:
    Loop &loop_;
};

int Loop::run(int mode) {
    if (mode < CSPLOOP_RUN_FOREVER || mode > CSPLOOP_RUN_NOWAIT)
        return CSPLOOP_EINVAL;
    const Attachment attachment(*this);
    if (attachment.failed())
        return CSPLOOP_ETHREAD;
    int code;
    do {
        code = turn_once(nullptr, mode == CSPLOOP_RUN_NOWAIT ? 0 : -1);
        if (code < 0)
            return code;
        if (waits_for_batch())
            code = CSPLOOP_EPENDING;
    } while (mode == CSPLOOP_RUN_FOREVER && code == 0 && !stop_.load(std::memory_order_seq_cst));
    if (code == 0)
        stop_.store(false, std::memory_order_seq_cst);
    return code;
}

int Loop::turn(csploop_batch *batch, int64_t timeout_ns) {
    const Attachment attachment(*this);
    if (attachment.failed())
        return CSPLOOP_ETHREAD;
    const int result = turn_once(batch, timeout_ns);
    stop_.store(false, std::memory_order_seq_cst); // for a host with a loop of its own, stop is but a wake
    return result;
}

int Loop::turn_once(csploop_batch *batch, int64_t timeout_ns) {
    const TurnMark mark(*this);
    timers_.retire_batch();
    if (batch) {
        batch->n_records = 0;
        take(*batch);
    }
    if (undelivered()) {
        flush_dirty();
        deliver_owed();
    } else if (const int code = collect(timeout_ns)) {
        return code;
    }
    try {
        dispatch(batch);
    } catch (const std::bad_alloc &) {
        // What is in the batch is delivered, so it must be told; the next turn goes on with the rest.
        if (!batch || batch->n_records == 0)
            throw;
    }
    if (forked())
        return CSPLOOP_ECHILD; // a callback forked, and this is the child
    flush_dirty();
    if (batch)
        describe_slab(*batch);
    return batch ? static_cast<int>(batch->n_records) : 0;
}

// Fills completions_. Cut short by an error, it leaves what it has got to the next turn.
int Loop::collect(int64_t timeout_ns) {
    collecting_ = true;
    streams_.begin_batch();
    try {
        timers_.collect_soon(completions_);
        streams_.deliver_held();
        if (datagrams_)
            datagrams_->deliver_held();
    } catch (const std::bad_alloc &) {
        flush_dirty(); // whatever happens, nothing stays in the host's out slab
        throw;
    }
    flush_dirty();
    deliver_owed();
    if (const int code = wait(timeout_ns))
        return code;
    if (datagrams_ && datagrams_->next_retry() != TimerSet::never)
        datagrams_->retry_due();
    if (const int64_t deadline = timers_.next_deadline(); deadline != TimerSet::never)
        timers_.collect_due(clock_.now(), completions_);
    if (timers_.next_wall() != TimerSet::never)
        timers_.collect_wall(clock_.wall(), completions_);
    collect_posts();
    collect_bridges();
    return 0;
}

int Loop::submit(csploop_batch *batch) {
    const Attachment attachment(*this);
    if (attachment.failed())
        return CSPLOOP_ETHREAD;
    if (batch) {
        take(*batch);
        describe_slab(*batch);
    }
    flush_dirty();
    return 0;
}

void Loop::describe_slab(csploop_batch &batch) const {
    batch.slab = streams_.slab().data();
    batch.slab_size = streams_.slab().size();
}

// -- waiting -------------------------------------------------------------------------

int64_t Loop::sleep_limit(int64_t timeout_ns) {
    if (timeout_ns == 0 || !completions_.empty() || stop_.load(std::memory_order_relaxed) || bridges_waiting() ||
        has_posts_.load(std::memory_order_acquire))
        return 0;
    int64_t limit = timeout_ns < 0 ? INT64_MAX : timeout_ns;
    if (const int64_t deadline = next_due(); deadline != TimerSet::never) {
        const int64_t now = clock_.now();
        if (deadline <= now)
            return 0;
        // A simulated clock does not come nearer by sleeping.
        if (!clock_.simulated())
            limit = std::min(limit, deadline - now);
    }
    if (const int64_t deadline = timers_.next_wall(); deadline != TimerSet::never && deadline <= clock_.wall())
        return 0;
    limit = std::min(limit, wall_alarm_.longest_sleep_ns());
    return limit == INT64_MAX ? -1 : limit;
}

int Loop::wait(int64_t timeout_ns) {
    if (!clock_.simulated()) {
        const int64_t deadline = timers_.next_wall();
        if (deadline != TimerSet::never)
            if (const int code = wall_alarm_.arm(*poller_, deadline))
                return code;
    }
    int64_t limit = sleep_limit(timeout_ns);
    if (limit != 0 && !waker_.may_sleep())
        limit = 0;
    Ready events[most_ready];
    const int count = poller_->wait(limit, events, most_ready);
    waker_.awake();
    if (count < 0)
        return count;
    // Who found the slab full comes first now: the poller keeps its order, and those in front could fill it each turn.
    if (const csploop_id unserved = streams_.slab().take_left_out())
        std::rotate(events,
                    std::find_if(events, events + count, [&](const Ready &ready) { return ready.tag == unserved; }),
                    events + count);
    bool lacking = false;
    for (int i = 0; i < count; ++i) {
        const uint64_t tag = events[i].tag;
        try {
            switch (id::kind(tag)) {
            case IdKind::stream:
                streams_.on_ready(tag, events[i].events);
                break;
            case IdKind::datagram:
                datagrams().on_ready(tag, events[i].events);
                break;
            case IdKind::watcher:
                watchers_.on_ready(tag, events[i].events);
                break;
            default:
                if (tag == Poller::tag_wall)
                    wall_alarm_.rang();
            }
        } catch (const std::bad_alloc &) { // it will be ready again; the others need not wait
            lacking = true;
        }
    }
    if (lacking && completions_.empty())
        throw std::bad_alloc();
    return 0;
}

int Loop::next_deadline(int64_t *out) {
    const bool may_sleep = waker_.host_may_sleep();
    if (!may_sleep || undelivered() || !completions_.empty() || timers_.has_soon() || has_unsent() || has_held() ||
        bridges_waiting() || has_posts_.load(std::memory_order_acquire) || stop_.load(std::memory_order_relaxed) ||
        poller_->wants_turn()) {
        *out = 0;
        return 0;
    }
    int64_t deadline = next_due();
    if (deadline != TimerSet::never && deadline <= clock_.now())
        deadline = 0;
    if (const int64_t wall = timers_.next_wall(); wall != TimerSet::never) {
        const int64_t now = clock_.wall();
        if (wall <= now) {
            deadline = 0;
        } else if (clock_.simulated()) {
            deadline = std::min(deadline, wall);
        } else {
            if (const int code = wall_alarm_.arm(*poller_, wall))
                return code;
            if (wall_alarm_.longest_sleep_ns() != INT64_MAX)
                deadline = std::min(deadline,
                                    saturating_add(clock_.now(), std::min(wall - now, wall_alarm_.longest_sleep_ns())));
        }
    }
    *out = std::max<int64_t>(deadline, 0);
    return 0;
}

} // namespace csploop
