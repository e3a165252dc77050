// Calls that wait: for the next turn, for a deadline, for a time of day.
#pragma once

#include "completions.hpp"
#include "ids.hpp"
#include "timer_heap.hpp"

#include <csploop/time.h>

#include <cstdint>
#include <vector>

namespace csploop {

class TimerSet {
public:
    static constexpr int64_t never = INT64_MAX;

    int call_soon(csploop_id *out, csploop_fn fn, void *arg);
    int call_at(csploop_id *out, int64_t deadline, csploop_fn fn, void *arg);
    int call_at_wall(csploop_id *out, int64_t deadline, csploop_fn fn, void *arg);
    int cancel(csploop_id id);

    int reserve(csploop_id *out, int count);
    int arm_reserved(csploop_id id, int64_t deadline, uint64_t token, bool wall);

    bool has_soon() const { return !soon_.empty(); }
    int64_t next_deadline() { return next(heap_, State::armed); }
    int64_t next_wall() { return next(wall_heap_, State::armed_wall); }

    // What is due goes to `out`, in order.
    void collect_soon(Completions &out);
    void collect_due(int64_t now, Completions &out) { collect(heap_, State::armed, now, out); }
    void collect_wall(int64_t now, Completions &out) { collect(wall_heap_, State::armed_wall, now, out); }

    // A cancelled one must not reach the host any more.
    bool deliverable(csploop_id id);
    void delivered(csploop_id id, bool in_batch);
    // The last batch is over: its timers are history.
    void retire_batch();

    void clear();
    size_t live() const { return timers_.live(); }
    size_t heap_bytes() const;

private:
    enum class State : uint8_t {
        reserved,   // an id and nothing more
        armed,      // in heap_
        armed_wall, // in wall_heap_
        soon,       // in soon_
        due,        // completed, on its way to the host
        handed      // in the batch handed out last
    };
    struct Timer {
        csploop_fn fn = nullptr;
        void *arg = nullptr;
        State state = State::reserved;
    };

    int insert(csploop_id *out, State state, csploop_fn fn, void *arg);
    bool in_state(csploop_id id, State state);
    int64_t next(TimerHeap &heap, State state);
    void collect(TimerHeap &heap, State state, int64_t now, Completions &out);

    SlotTable<Timer, IdKind::timer> timers_;
    TimerHeap heap_;
    TimerHeap wall_heap_;
    std::vector<csploop_id> soon_;
    std::vector<csploop_id> handed_;
};

} // namespace csploop
