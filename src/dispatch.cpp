// Handing out what has completed: callbacks are called, in order, and records without one are copied to the batch.
//
// Each is looked at again before it goes out: what it is about may have ended, or its handler changed, since. What
// callbacks ask for is handed out in the next turn at the earliest.
#include "loop.hpp"

#include <csploop/error.h>

namespace csploop {

namespace {

// While callbacks run, unsent bytes wait for company, but not for longer than this.
constexpr size_t most_dirty = 64;
constexpr int64_t longest_gathering_ns = 1000000;
constexpr int callbacks_between_looks = 8;

// The border to the host. An exception has no way on from here, through frames of C and a turn half done: it ends the
// process, and as nothing is unwound, where it was thrown.
void call_host(csploop_loop *loop, const Completion &item) noexcept {
    item.fn(loop, &item.record, reinterpret_cast<void *>(item.record.token));
}

} // namespace

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
