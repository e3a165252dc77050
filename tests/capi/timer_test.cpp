// Timers and call_soon, on a clock that stands still unless a test moves it.
#include "support/harness.hpp"

#include <numeric>
#include <random>

using namespace csploop_test;

namespace {

csploop_options simulated(int64_t start_ns = 0) {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.clock = CSPLOOP_CLOCK_SIMULATED;
    options.start_ns = start_ns;
    return options;
}
void *token(uintptr_t value) {
    return reinterpret_cast<void *>(value);
}

} // namespace

class Timer : public testing::TestWithParam<Form> {
protected:
    csploop_id at(int64_t when) {
        csploop_id id = 0;
        EXPECT_EQ(csploop_call_at(loop, &id, when, h.fn(), h.arg()), 0);
        return id;
    }
    csploop_id soon() {
        csploop_id id = 0;
        EXPECT_EQ(csploop_call_soon(loop, &id, h.fn(), h.arg()), 0);
        return id;
    }
    void advance_to(int64_t now) {
        EXPECT_EQ(csploop_clock_set(loop, now), 0);
        h.turn(0);
    }
    std::vector<csploop_id> order() {
        std::vector<csploop_id> ids;
        for (const Event &event : h.log())
            ids.push_back(event.record.id);
        return ids;
    }
    Harness h{Mode{CSPLOOP_POLLER_DEFAULT, Wait::own, GetParam()}, simulated(1000)};
    csploop_t *loop = h.loop();
};
INSTANTIATE_TEST_SUITE_P(, Timer, testing::Values(Form::batch, Form::callback),
                         [](const auto &form) { return form.param == Form::batch ? "Batch" : "Callback"; });

TEST_P(Timer, FireByDeadlineThenInsertion) {
    const csploop_id c = at(3000), a1 = at(2000), b = at(2500), a2 = at(2000), a3 = at(2000);
    advance_to(3000);
    EXPECT_EQ(order(), (std::vector<csploop_id>{a1, a2, a3, b, c}));
    EXPECT_EQ(h.log()[0].record.result, 2000);
    EXPECT_EQ(h.log()[3].record.result, 2500);
    EXPECT_EQ(h.log()[0].record.kind, CSPLOOP_KIND_TIMER);
}

TEST_P(Timer, OrderHoldsForRandomDeadlines) {
    std::mt19937_64 random(42);
    std::vector<std::pair<int64_t, csploop_id>> expected;
    for (int i = 0; i < 5000; ++i) {
        const int64_t when = 1000 + static_cast<int64_t>(random() % 300);
        expected.emplace_back(when, at(when));
    }
    std::stable_sort(expected.begin(), expected.end(), [](auto &a, auto &b) { return a.first < b.first; });
    while (expected.size() > h.log().size())
        advance_to(csploop_now(loop) + static_cast<int64_t>(random() % 20));
    for (size_t i = 0; i < expected.size(); ++i)
        ASSERT_EQ(h.log()[i].record.id, expected[i].second) << i;
}

TEST_P(Timer, FireExactlyAtTheDeadlineOfASimulatedClock) {
    const csploop_id id = at(5000);
    advance_to(4999);
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_TIMER), 0);
    advance_to(5000);
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_TIMER), 1);
    EXPECT_EQ(csploop_now(loop), 5000);
    advance_to(9000);
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_TIMER), 1) << "once";
}

TEST_P(Timer, CallLaterCountsFromNow) {
    csploop_id id = 0, negative = 0;
    ASSERT_EQ(csploop_call_later(loop, &id, 500, h.fn(), h.arg()), 0);
    ASSERT_EQ(csploop_call_later(loop, &negative, -500, h.fn(), h.arg()), 0);
    int64_t deadline = 0;
    h.turn(0);
    EXPECT_EQ(order(), (std::vector<csploop_id>{negative}));
    EXPECT_EQ(csploop_next_deadline(loop, &deadline), 0);
    EXPECT_EQ(deadline, 1500);
    advance_to(1500);
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_TIMER), 1);
}

TEST_P(Timer, ThePastIsDueAtOnceInOrder) {
    const csploop_id now = at(1000), zero = at(0), lowest = at(INT64_MIN), negative = at(-5);
    h.turn(0);
    EXPECT_EQ(order(), (std::vector<csploop_id>{lowest, negative, zero, now}));
}

TEST_P(Timer, TheEndOfTimeNeverComes) {
    csploop_id later = 0;
    const csploop_id last = at(INT64_MAX);
    ASSERT_EQ(csploop_call_later(loop, &later, INT64_MAX, h.fn(), h.arg()), 0);
    int64_t deadline = 0;
    EXPECT_EQ(csploop_next_deadline(loop, &deadline), 0);
    EXPECT_EQ(deadline, INT64_MAX);
    advance_to(INT64_MAX - 1);
    EXPECT_TRUE(h.log().empty());
    EXPECT_EQ(csploop_cancel(loop, later), 0);
    EXPECT_EQ(csploop_cancel(loop, last), 0);
}

TEST_P(Timer, DelaysThatOverflowNeverCome) {
    advance_to(INT64_MAX - 10);
    csploop_id id = 0;
    ASSERT_EQ(csploop_call_later(loop, &id, 11, h.fn(), h.arg()), 0);
    ASSERT_EQ(csploop_call_later(loop, nullptr, INT64_MAX, h.fn(), h.arg()), 0);
    h.settle();
    EXPECT_TRUE(h.log().empty());
    EXPECT_EQ(csploop_cancel(loop, id), 0);
    ASSERT_EQ(csploop_call_later(loop, &id, INT64_MIN, h.fn(), h.arg()), 0);
    h.turn(0);
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_TIMER), 1);
}

TEST_P(Timer, CallSoonKeepsTheOrderOfTheCalls) {
    std::vector<csploop_id> expected;
    for (int i = 0; i < 100; ++i)
        expected.push_back(soon());
    h.turn(0);
    EXPECT_EQ(order(), expected);
}

TEST_P(Timer, WhatIsArmedInATurnBelongsToTheNext) {
    csploop_id soon_again = 0, timer_again = 0;
    h.on = [&](const csploop_record &) {
        if (soon_again)
            return;
        soon_again = soon();
        timer_again = at(0);
    };
    soon();
    h.turn(0);
    EXPECT_EQ(h.log().size(), 1u);
    h.turn(0);
    EXPECT_EQ(h.log().size(), 3u);
    EXPECT_EQ(h.count(soon_again, CSPLOOP_KIND_SOON), 1);
    EXPECT_EQ(h.count(timer_again, CSPLOOP_KIND_TIMER), 1);
}

TEST_P(Timer, CancelledIsNeverDelivered) {
    const csploop_id a = at(2000), b = at(2000), c = soon();
    EXPECT_EQ(csploop_cancel(loop, b), 0);
    EXPECT_EQ(csploop_cancel(loop, c), 0);
    EXPECT_EQ(csploop_cancel(loop, b), CSPLOOP_EBADID);
    EXPECT_EQ(csploop_cancel(loop, c), CSPLOOP_EBADID);
    advance_to(2000);
    EXPECT_EQ(order(), (std::vector<csploop_id>{a}));
}

TEST_P(Timer, AFiredTimerIsABadId) {
    const csploop_id a = at(0), b = soon();
    h.turn(0);
    h.turn(0);
    EXPECT_EQ(csploop_cancel(loop, a), CSPLOOP_EBADID);
    EXPECT_EQ(csploop_cancel(loop, b), CSPLOOP_EBADID);
}

TEST_P(Timer, AStaleIdNeverReachesItsSlotsNextOwner) {
    const csploop_id old = at(2000);
    EXPECT_EQ(csploop_cancel(loop, old), 0);
    const csploop_id fresh = at(2000);
    EXPECT_NE(fresh, old);
    EXPECT_EQ(csploop_cancel(loop, old), CSPLOOP_EBADID);
    advance_to(2000);
    EXPECT_EQ(order(), (std::vector<csploop_id>{fresh}));
}

TEST_P(Timer, CancelTellsTheTruthAboutQueuedRecords) {
    if (GetParam() == Form::callback)
        GTEST_SKIP() << "callbacks do not queue beyond their turn";
    h.set_capacity(1);
    const csploop_id a = at(0), b = at(0), c = at(0);
    EXPECT_EQ(h.turn(0), 1);
    const int code = csploop_cancel(loop, b);
    EXPECT_EQ(code, 0) << "not handed out yet";
    h.settle();
    EXPECT_EQ(order(), (std::vector<csploop_id>{a, c}));
}

TEST_P(Timer, ManyTimersComeAndGoInExactOrder) {
    const int n = sized(1000000, 100000);
    std::mt19937_64 random(7);
    std::vector<csploop_id> ids(static_cast<size_t>(n));
    std::vector<int64_t> deadlines(ids.size());
    // Plain counters: a million assertions would cost more than the timers do.
    size_t failed = 0, cancelled = 0, fired = 0, wrong = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
        deadlines[i] = 2000 + static_cast<int64_t>(random() % 1000000);
        failed += csploop_call_at(loop, &ids[i], deadlines[i], nullptr, token(i)) != 0;
    }
    for (size_t i = 0; i < ids.size(); i += 2, ++cancelled)
        failed += csploop_cancel(loop, ids[i]) != 0;
    ASSERT_EQ(failed, 0u);
    ASSERT_EQ(csploop_clock_set(loop, 2000000), 0);

    std::vector<csploop_record> records(65536);
    csploop_batch batch = h.batch_of();
    batch.records = records.data();
    batch.capacity = static_cast<uint32_t>(records.size());
    int64_t deadline = 0;
    uint64_t previous = 0;
    for (int got = 0; (got = csploop_turn(loop, &batch, 0)) > 0; fired += static_cast<size_t>(got))
        for (int i = 0; i < got; ++i) {
            const csploop_record &record = records[static_cast<size_t>(i)];
            const bool in_order = record.result > deadline || (record.result == deadline && record.token > previous);
            wrong += !in_order || record.token % 2 == 0 || record.result != deadlines[record.token];
            deadline = record.result;
            previous = record.token;
        }
    EXPECT_EQ(wrong, 0u) << "early, out of order, or cancelled";
    EXPECT_EQ(fired, ids.size() - cancelled);
}

// What a callback does to another one of its turn.
class TimerCallback : public testing::Test {
protected:
    Harness h{Mode{CSPLOOP_POLLER_DEFAULT, Wait::own, Form::callback}, simulated(1000)};
    csploop_t *loop = h.loop();
};

TEST_F(TimerCallback, CancelsOneThatIsDueInTheSameTurn) {
    csploop_id first = 0, second = 0, third = 0;
    int code = 1, own = 1;
    h.on = [&](const csploop_record &record) {
        if (record.id != first)
            return;
        code = csploop_cancel(loop, second);
        own = csploop_cancel(loop, first);
    };
    ASSERT_EQ(csploop_call_at(loop, &first, 0, h.fn(), h.arg()), 0);
    ASSERT_EQ(csploop_call_at(loop, &second, 0, h.fn(), h.arg()), 0);
    ASSERT_EQ(csploop_call_at(loop, &third, 0, h.fn(), h.arg()), 0);
    h.settle();
    EXPECT_EQ(code, 0);
    EXPECT_EQ(own, CSPLOOP_EBADID) << "it has fired";
    EXPECT_EQ(h.count(second, CSPLOOP_KIND_TIMER), 0);
    EXPECT_EQ(h.count(third, CSPLOOP_KIND_TIMER), 1);
}

TEST_F(TimerCallback, CancelsACallSoonOfTheSameTurn) {
    csploop_id first = 0, second = 0;
    int code = 1;
    h.on = [&](const csploop_record &record) {
        if (record.id == first)
            code = csploop_cancel(loop, second);
    };
    ASSERT_EQ(csploop_call_soon(loop, &first, h.fn(), h.arg()), 0);
    ASSERT_EQ(csploop_call_soon(loop, &second, h.fn(), h.arg()), 0);
    h.settle();
    EXPECT_EQ(code, 0);
    EXPECT_EQ(h.count(second, CSPLOOP_KIND_SOON), 0);
}
