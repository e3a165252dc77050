// One turn: take submissions, send, wait, collect completions, hand them out.
//
// Order of what is handed out: call_soon from before the wait, then I/O, then
// timers by (deadline, insertion), then posts and bridges. What callbacks ask
// for is handed out in the next turn at the earliest.
#include "loop.hpp"

#include <csploop/error.h>

#include <algorithm>
#include <functional>
#include <new>

namespace csploop {

namespace {

constexpr int most_ready = 256;
// While callbacks run, unsent bytes wait for company, but not for longer than this.
constexpr size_t most_dirty = 64;
constexpr int64_t longest_gathering_ns = 1000000;
constexpr int callbacks_between_looks = 8;

int64_t saturating_add(int64_t left, int64_t right) {
    int64_t sum;
    return __builtin_add_overflow(left, right, &sum) ? INT64_MAX : sum;
}

// The border to the host. An exception has no way on from here, through frames of C and a turn half done: it ends the
// process, and as nothing is unwound, where it was thrown.
void call_host(csploop_loop *loop, const Completion &item) noexcept {
    item.fn(loop, &item.record, reinterpret_cast<void *>(item.record.token));
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
    timers_.collect_soon(completions_);
    streams_.deliver_held();
    if (datagrams_)
        datagrams_->deliver_held();
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

// -- submissions -------------------------------------------------------------------

// Each is taken, refused with a record, or, where memory lacks for that record, left in the batch with those behind it.
void Loop::take(csploop_batch &batch) {
    const uint32_t count = batch.n_submissions;
    for (uint32_t i = 0; i < count; ++i) {
        const csploop_submission &submission = batch.submissions[i];
        int code;
        try {
            make_room(completions_, 1);
        } catch (const std::bad_alloc &) {
            flush_dirty(); // the out slab is the host's again
            throw;
        }
        batch.n_submissions = count - i - 1;
        try {
            code = take_one(submission, batch);
        } catch (const std::bad_alloc &) {
            code = CSPLOOP_ENOMEM;
        }
        if (code == 0)
            continue;
        // By-reference writes end with WRITTEN, the refused ones too.
        const bool reference = submission.op == CSPLOOP_OP_WRITE_REF;
        completions_.push_back(completion(reference ? CSPLOOP_KIND_WRITTEN : CSPLOOP_KIND_REJECTED, submission.id,
                                          nullptr, reinterpret_cast<void *>(submission.token), code, 0,
                                          reference ? uint16_t{0} : static_cast<uint16_t>(submission.op)));
    }
}

int Loop::take_one(const csploop_submission &submission, const csploop_batch &batch) {
    const csploop_id id = submission.id;
    switch (submission.op) {
    case CSPLOOP_OP_WALL_TIMER_ADD:
        if (const int code = prepare_wall_alarm())
            return code;
        [[fallthrough]];
    case CSPLOOP_OP_TIMER_ADD:
        return timers_.arm_reserved(id, static_cast<int64_t>(submission.data), submission.token,
                                    submission.op == CSPLOOP_OP_WALL_TIMER_ADD);
    case CSPLOOP_OP_TIMER_CANCEL: {
        const int code = timers_.cancel(id);
        return code == CSPLOOP_EINVAL ? code : 0; // too late is no error
    }
    case CSPLOOP_OP_WRITE:
        if (submission.length > batch.out_slab_size || submission.data > batch.out_slab_size - submission.length)
            return CSPLOOP_EINVAL;
        return streams_.write_staged(id, static_cast<const uint8_t *>(batch.out_slab) + submission.data,
                                     submission.length);
    case CSPLOOP_OP_WRITE_REF:
        return streams_.write_reference(id, reinterpret_cast<const void *>(submission.data), submission.length, nullptr,
                                        submission.token);
    case CSPLOOP_OP_READ_START:
        if (id::kind(id) == IdKind::datagram)
            return datagrams().read_start(id);
        return streams_.read_start(id, submission.flags);
    case CSPLOOP_OP_READ_STOP:
        return id::kind(id) == IdKind::datagram ? datagrams().read_stop(id) : streams_.read_stop(id);
    case CSPLOOP_OP_SHUTDOWN:
        return streams_.shutdown(id);
    case CSPLOOP_OP_CLOSE:
        if (id::kind(id) == IdKind::datagram)
            return datagrams().close(id, submission.flags);
        return streams_.close(id, submission.flags);
    case CSPLOOP_OP_SEND: {
        const uint64_t length = uint64_t{submission.flags} + submission.length;
        if (submission.length > batch.out_slab_size || length > batch.out_slab_size ||
            submission.data > batch.out_slab_size - length)
            return CSPLOOP_EINVAL;
        return datagrams().send_staged(id, static_cast<const uint8_t *>(batch.out_slab) + submission.data,
                                       submission.flags, submission.length);
    }
    default:
        return CSPLOOP_EINVAL;
    }
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
        try {
            on_ready(events[i]);
        } catch (const std::bad_alloc &) { // it will be ready again; the others need not wait
            lacking = true;
        }
    }
    if (lacking && completions_.empty())
        throw std::bad_alloc();
    return 0;
}

void Loop::on_ready(const Ready &ready) {
    switch (id::kind(ready.tag)) {
    case IdKind::stream:
        streams_.on_ready(ready.tag, ready.events);
        break;
    case IdKind::datagram:
        datagrams().on_ready(ready.tag, ready.events);
        break;
    case IdKind::watcher:
        watchers_.on_ready(ready.tag, ready.events);
        break;
    default:
        if (ready.tag == Poller::tag_wall)
            wall_alarm_.rang();
    }
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

// -- what other threads left ---------------------------------------------------------------

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

// -- handing out ------------------------------------------------------------------------------

bool Loop::deliverable(Completion &item) {
    switch (id::kind(item.record.id)) {
    case IdKind::timer:
        return item.record.kind == CSPLOOP_KIND_REJECTED || timers_.deliverable(item.record.id);
    case IdKind::stream:
        return item.record.kind == CSPLOOP_KIND_REJECTED || item.record.kind == CSPLOOP_KIND_WRITTEN ||
               streams_.deliverable(item);
    case IdKind::datagram:
        return item.record.kind == CSPLOOP_KIND_REJECTED || datagrams().deliverable(item);
    case IdKind::watcher:
        return item.record.kind == CSPLOOP_KIND_REJECTED || watchers_.live(item.record.id);
    default:
        return true;
    }
}

void Loop::delivered(const Completion &item, bool in_batch) {
    if (item.record.kind == CSPLOOP_KIND_REJECTED)
        return;
    switch (id::kind(item.record.id)) {
    case IdKind::timer:
        timers_.delivered(item.record.id, in_batch);
        break;
    case IdKind::stream:
        streams_.delivered(item.record);
        break;
    case IdKind::datagram:
        datagrams().delivered(item.record);
        break;
    case IdKind::bridge:
        if (item.record.kind == CSPLOOP_KIND_CLOSED) {
            Bridge *const bridge = *bridges_.find(item.record.id);
            bridges_.erase(item.record.id);
            bridge->release();
        }
        break;
    default:
        break;
    }
}

bool Loop::hand_out(const Completion &item, csploop_batch *batch) {
    if (!batch || batch->n_records == batch->capacity)
        return false;
    delivered(item, true); // first, because it may lack memory
    batch->records[batch->n_records++] = item.record;
    return true;
}

// False: the callback forked, and this is the child.
bool Loop::call(const Completion &item) {
    delivered(item, false);
    call_host(static_cast<csploop_loop *>(this), item);
    return !forked();
}

void Loop::dispatch(csploop_batch *batch) {
    // What an earlier batch had no room for comes first.
    while (waiting_head_ < waiting_.size()) {
        Completion item = waiting_[waiting_head_];
        const bool lives = deliverable(item);
        if (lives && !item.fn && !hand_out(item, batch))
            break;
        ++waiting_head_;
        if (lives && item.fn && !call(item)) // its stream has got a callback meanwhile
            return;
    }
    if (waiting_head_ == waiting_.size()) {
        waiting_.clear();
        waiting_head_ = 0;
    }
    // Callbacks add to completions_; what they add belongs to the next turn. So does all of it when there is something
    // left of a turn that was cut short.
    if (current_head_ == current_.size()) {
        current_.swap(completions_);
        collecting_ = false;
    }
    int since_look = 0;
    int64_t gathering_since = 0;
    while (current_head_ < current_.size()) {
        Completion item = current_[current_head_];
        const bool lives = deliverable(item);
        if (lives && !item.fn && (waits_for_batch() || !hand_out(item, batch)))
            waiting_.push_back(item);
        ++current_head_; // behind all that may lack memory: the next turn goes on from here
        if (!lives || !item.fn)
            continue;
        if (!call(item))
            break; // the rest, and what is unsent, is the parent's
        if (!has_unsent()) {
            gathering_since = 0;
            continue;
        }
        bool flush = dirty_count() >= most_dirty;
        if (!flush && ++since_look >= callbacks_between_looks) {
            since_look = 0;
            const int64_t now = monotonic_now();
            if (gathering_since == 0)
                gathering_since = now;
            flush = now - gathering_since > longest_gathering_ns;
        }
        if (flush) {
            flush_dirty();
            gathering_since = 0;
        }
    }
    current_.clear();
    current_head_ = 0;
}

} // namespace csploop
