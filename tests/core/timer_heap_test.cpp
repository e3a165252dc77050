// The heap of deadlines: the exact order (deadline, insertion), and what cancelling costs.
#include "timer_heap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

using csploop::TimerHeap;

namespace {

std::vector<csploop_id> drain(TimerHeap &heap) {
    std::vector<csploop_id> order;
    while (!heap.empty()) {
        order.push_back(heap.top().id);
        heap.pop();
    }
    return order;
}

} // namespace

TEST(TimerHeap, OrdersByDeadline) {
    TimerHeap heap;
    heap.push(30, 3);
    heap.push(10, 1);
    heap.push(20, 2);
    EXPECT_EQ(drain(heap), (std::vector<csploop_id>{1, 2, 3}));
}

TEST(TimerHeap, OrdersEqualDeadlinesByInsertion) {
    TimerHeap heap;
    for (csploop_id id = 1; id <= 100; ++id)
        heap.push(7, id);
    const auto order = drain(heap);
    ASSERT_EQ(order.size(), 100u);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(TimerHeap, OrdersManyAsAStableSortDoes) {
    std::mt19937_64 random(42);
    std::vector<std::pair<int64_t, csploop_id>> expected;
    TimerHeap heap;
    for (csploop_id id = 1; id <= 20000; ++id) {
        const auto deadline = static_cast<int64_t>(random() % 500) - 250;
        heap.push(deadline, id);
        expected.emplace_back(deadline, id);
    }
    std::stable_sort(expected.begin(), expected.end(), [](auto &a, auto &b) { return a.first < b.first; });
    for (const auto &[deadline, id] : expected) {
        ASSERT_EQ(heap.top().deadline, deadline);
        ASSERT_EQ(heap.top().id, id);
        heap.pop();
    }
    EXPECT_TRUE(heap.empty());
}

TEST(TimerHeap, ExtremesOfTimeStayInOrder) {
    TimerHeap heap;
    heap.push(INT64_MAX, 3);
    heap.push(INT64_MIN, 1);
    heap.push(0, 2);
    EXPECT_EQ(drain(heap), (std::vector<csploop_id>{1, 2, 3}));
}

TEST(TimerHeap, CancellingForEverDoesNotGrow) {
    TimerHeap heap;
    std::set<csploop_id> armed;
    for (csploop_id id = 1; id <= 10; ++id) {
        heap.push(1000, id);
        armed.insert(id);
    }
    for (csploop_id id = 100; id < 100000; ++id) {
        heap.push(static_cast<int64_t>(id), id);
        heap.cancelled([&](csploop_id other) { return armed.count(other) > 0; });
    }
    EXPECT_LT(heap.heap_bytes(), 16384u);
}

TEST(TimerHeap, SweepingKeepsTheOrderOfTheRest) {
    TimerHeap heap;
    std::set<csploop_id> armed;
    for (csploop_id id = 1; id <= 1000; ++id) {
        heap.push(static_cast<int64_t>(id % 7), id);
        armed.insert(id);
    }
    for (csploop_id id = 1; id <= 1000; ++id) {
        if (id % 10 == 0)
            continue;
        armed.erase(id);
        heap.cancelled([&](csploop_id other) { return armed.count(other) > 0; });
    }
    std::vector<csploop_id> alive;
    for (const csploop_id id : drain(heap))
        if (armed.count(id))
            alive.push_back(id);
    std::vector<csploop_id> expected(armed.begin(), armed.end());
    std::stable_sort(expected.begin(), expected.end(), [](csploop_id a, csploop_id b) { return a % 7 < b % 7; });
    EXPECT_EQ(alive, expected);
}
