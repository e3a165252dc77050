// An array heap of deadlines in the exact order (deadline, insertion).
//
// Cancelling does not search the heap: the timer's slot forgets it, and its
// entry is skipped when it comes up. Once more than half of the entries are
// such husks they are swept out, so that cancelling costs O(1) on average and
// a program that arms and cancels for ever does not grow. Four children a
// node: half the levels of a binary heap, each in one or two cache lines.
#pragma once

#include <csploop/record.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace csploop {

struct TimerEntry {
    int64_t deadline;
    uint64_t sequence;
    csploop_id id;

    bool before(const TimerEntry &other) const {
        return deadline != other.deadline ? deadline < other.deadline : sequence < other.sequence;
    }
};

class TimerHeap {
public:
    void push(int64_t deadline, csploop_id id) {
        entries_.push_back({deadline, next_sequence_++, id});
        sift_up(entries_.size() - 1);
    }
    // So that the next push cannot fail.
    void make_room() {
        if (entries_.size() == entries_.capacity())
            entries_.reserve(2 * entries_.size() + 1);
    }
    bool empty() const { return entries_.empty(); }
    const TimerEntry &top() const { return entries_.front(); }
    void pop();

    // One entry has become a husk; `armed(id)` tells which are not.
    template <class Armed>
    void cancelled(Armed &&armed) {
        if (++husks_ < 64 || husks_ * 2 < entries_.size())
            return;
        size_t kept = 0;
        for (const TimerEntry &entry : entries_)
            if (armed(entry.id))
                entries_[kept++] = entry;
        entries_.resize(kept);
        if (entries_.capacity() > 1024 && entries_.capacity() / 8 > kept)
            entries_.shrink_to_fit();
        husks_ = 0;
        heapify();
    }
    // A husk was popped.
    void husk_popped() {
        if (husks_)
            --husks_;
    }
    void clear() {
        std::vector<TimerEntry>().swap(entries_);
        husks_ = 0;
    }
    size_t heap_bytes() const { return entries_.capacity() * sizeof(TimerEntry); }

private:
    void sift_up(size_t index);
    void sift_down(size_t index);
    void heapify();

    std::vector<TimerEntry> entries_;
    uint64_t next_sequence_ = 0;
    size_t husks_ = 0;
};

} // namespace csploop
