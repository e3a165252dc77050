#include "timer_heap.hpp"

#include <algorithm>

namespace csploop {

namespace {
constexpr size_t arity = 4;
}

void TimerHeap::sift_up(size_t index) {
    const TimerEntry moving = entries_[index];
    while (index > 0) {
        const size_t parent = (index - 1) / arity;
        if (!moving.before(entries_[parent]))
            break;
        entries_[index] = entries_[parent];
        index = parent;
    }
    entries_[index] = moving;
}

void TimerHeap::sift_down(size_t index) {
    const TimerEntry moving = entries_[index];
    const size_t count = entries_.size();
    for (;;) {
        const size_t first = index * arity + 1;
        if (first >= count)
            break;
        const size_t end = std::min(first + arity, count);
        size_t least = first;
        for (size_t child = first + 1; child < end; ++child)
            if (entries_[child].before(entries_[least]))
                least = child;
        if (!entries_[least].before(moving))
            break;
        entries_[index] = entries_[least];
        index = least;
    }
    entries_[index] = moving;
}

void TimerHeap::pop() {
    entries_.front() = entries_.back();
    entries_.pop_back();
    if (!entries_.empty())
        sift_down(0);
}

void TimerHeap::heapify() {
    if (entries_.size() < 2)
        return;
    for (size_t index = (entries_.size() - 2) / arity + 1; index-- > 0;)
        sift_down(index);
}

} // namespace csploop
