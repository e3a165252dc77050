#include "timer_set.hpp"

#include <csploop/error.h>

namespace csploop {

int TimerSet::insert(csploop_id *out, State state, csploop_fn fn, void *arg) {
    *out = timers_.insert({fn, arg, state});
    return *out ? 0 : CSPLOOP_ENOMEM;
}

bool TimerSet::in_state(csploop_id id, State state) {
    const Timer *const timer = timers_.find(id);
    return timer && timer->state == state;
}

// Room comes before the slot in these three, so that a lack of memory leaves nothing behind.
int TimerSet::call_soon(csploop_id *out, csploop_fn fn, void *arg) {
    csploop_id id;
    if (soon_.size() == soon_.capacity())
        soon_.reserve(2 * soon_.size() + 1);
    if (const int code = insert(&id, State::soon, fn, arg))
        return code;
    soon_.push_back(id);
    if (out)
        *out = id;
    return 0;
}

int TimerSet::call_at(csploop_id *out, int64_t deadline, csploop_fn fn, void *arg) {
    csploop_id id;
    heap_.make_room();
    if (const int code = insert(&id, State::armed, fn, arg))
        return code;
    heap_.push(deadline, id);
    if (out)
        *out = id;
    return 0;
}

int TimerSet::call_at_wall(csploop_id *out, int64_t deadline, csploop_fn fn, void *arg) {
    csploop_id id;
    wall_heap_.make_room();
    if (const int code = insert(&id, State::armed_wall, fn, arg))
        return code;
    wall_heap_.push(deadline, id);
    if (out)
        *out = id;
    return 0;
}

int TimerSet::reserve(csploop_id *out, int count) {
    if (static_cast<size_t>(count) > id::max_slots - timers_.live())
        return CSPLOOP_ENOMEM;
    timers_.make_room(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
        if (const int code = insert(&out[i], State::reserved, nullptr, nullptr)) {
            while (i-- > 0)
                timers_.erase(out[i]);
            return code;
        }
    }
    return 0;
}

int TimerSet::arm_reserved(csploop_id id, int64_t deadline, uint64_t token, bool wall) {
    Timer *const timer = timers_.find(id);
    if (!timer)
        return CSPLOOP_EBADID;
    if (timer->state != State::reserved)
        return CSPLOOP_EALREADY;
    (wall ? wall_heap_ : heap_).push(deadline, id);
    timer->state = wall ? State::armed_wall : State::armed;
    timer->arg = reinterpret_cast<void *>(token);
    return 0;
}

int TimerSet::cancel(csploop_id id) {
    if (id::kind(id) != IdKind::timer)
        return CSPLOOP_EINVAL;
    const Timer *const timer = timers_.find(id);
    if (!timer)
        return CSPLOOP_EBADID;
    const State state = timer->state;
    if (state == State::handed)
        return CSPLOOP_EALREADY;
    timers_.erase(id);
    if (state == State::armed)
        heap_.cancelled([&](csploop_id other) { return in_state(other, State::armed); });
    else if (state == State::armed_wall)
        wall_heap_.cancelled([&](csploop_id other) { return in_state(other, State::armed_wall); });
    return 0;
}

int64_t TimerSet::next(TimerHeap &heap, State state) {
    while (!heap.empty()) {
        if (in_state(heap.top().id, state))
            return heap.top().deadline;
        heap.pop();
        heap.husk_popped();
    }
    return never;
}

void TimerSet::collect_soon(Completions &out) {
    make_room(out, soon_.size()); // all of them or, for lack of memory, none yet
    for (const csploop_id id : soon_) {
        Timer *const timer = timers_.find(id);
        if (!timer)
            continue; // cancelled
        timer->state = State::due;
        out.push_back(completion(CSPLOOP_KIND_SOON, id, timer->fn, timer->arg, 0));
    }
    soon_.clear();
}

void TimerSet::collect(TimerHeap &heap, State state, int64_t now, Completions &out) {
    int64_t deadline;
    while ((deadline = next(heap, state)) <= now && deadline != never) {
        const csploop_id id = heap.top().id;
        Timer *const timer = timers_.find(id);
        out.push_back(completion(CSPLOOP_KIND_TIMER, id, timer->fn, timer->arg, deadline));
        timer->state = State::due;
        heap.pop();
    }
}

bool TimerSet::deliverable(csploop_id id) {
    return in_state(id, State::due);
}

void TimerSet::delivered(csploop_id id, bool in_batch) {
    if (!in_batch) {
        timers_.erase(id);
        return;
    }
    handed_.push_back(id);
    timers_.find(id)->state = State::handed;
}

void TimerSet::retire_batch() {
    for (const csploop_id id : handed_)
        timers_.erase(id);
    handed_.clear();
}

void TimerSet::clear() {
    timers_.clear();
    heap_.clear();
    wall_heap_.clear();
    std::vector<csploop_id>().swap(soon_);
    std::vector<csploop_id>().swap(handed_);
}

size_t TimerSet::heap_bytes() const {
    return timers_.heap_bytes() + heap_.heap_bytes() + wall_heap_.heap_bytes() +
           (soon_.capacity() + handed_.capacity()) * sizeof(csploop_id);
}

} // namespace csploop
