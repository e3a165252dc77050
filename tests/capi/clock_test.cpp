// The three clocks, and that real time is never early.
#include "support/descriptors.hpp"
#include "support/harness.hpp"

using namespace csploop_test;

class Clock : public PollerTest {};
CSPLOOP_ON_ALL_POLLERS(Clock);

TEST_P(Clock, MonotonicIsTheSystems) {
    const int64_t before = monotonic_ns();
    const int64_t now = csploop_now(loop);
    EXPECT_GE(now, before);
    EXPECT_LE(now, monotonic_ns());
}

TEST_P(Clock, WallStartsAtTheEpochsTime) {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.clock = CSPLOOP_CLOCK_WALL;
    const int64_t before = wall_ns();
    Harness wall(Mode{GetParam()}, options);
    const int64_t now = csploop_now(wall.loop());
    // A second of tolerance: the system may be slewing its clock just now.
    EXPECT_GT(now, before - second);
    EXPECT_LT(now, wall_ns() + second);
    EXPECT_GE(csploop_now(wall.loop()), now);
    csploop_id id = 0;
    ASSERT_EQ(csploop_call_at(wall.loop(), &id, now + millisecond, nullptr, nullptr), 0);
    wall.until_event(id, CSPLOOP_KIND_TIMER, "a timer on the wall-anchored clock");
    EXPECT_GE(csploop_now(wall.loop()), now + millisecond);
}

TEST_P(Clock, RealTimersAreNeverEarly) {
    for (int i = 0; i < 100; ++i) {
        const int64_t delay = int64_t{1} << (i % 22); // 1 ns to 2 ms
        const int64_t before = monotonic_ns();
        csploop_id id = 0;
        ASSERT_EQ(csploop_call_later(loop, &id, delay, nullptr, nullptr), 0);
        h.until_event(id, CSPLOOP_KIND_TIMER, "the timer");
        ASSERT_GE(monotonic_ns() - before, delay);
        ASSERT_GE(monotonic_ns(), h.first(id, CSPLOOP_KIND_TIMER).result);
        h.forget();
    }
}

TEST_P(Clock, OnlyASimulatedOneCanBeSet) {
    EXPECT_EQ(csploop_clock_set(loop, csploop_now(loop) + second), CSPLOOP_EINVAL);
}

TEST_P(Clock, ASimulatedOneStandsStillAndGoesForwardOnly) {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.clock = CSPLOOP_CLOCK_SIMULATED;
    options.start_ns = 500;
    Harness simulated(Mode{GetParam()}, options);
    EXPECT_EQ(csploop_now(simulated.loop()), 500);
    simulated.turn(millisecond);
    EXPECT_EQ(csploop_now(simulated.loop()), 500);
    EXPECT_EQ(csploop_clock_set(simulated.loop(), 499), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_clock_set(simulated.loop(), 500), 0);
    EXPECT_EQ(csploop_clock_set(simulated.loop(), 501), 0);
    EXPECT_EQ(csploop_now(simulated.loop()), 501);
}

TEST_P(Clock, WallTimersFireWhenTheWallClockGetsThere) {
    const int64_t due = wall_ns() + 4 * millisecond;
    csploop_id late = 0, early = 0, past = 0, never = 0, cancelled = 0;
    ASSERT_EQ(csploop_call_at_wall(loop, &never, INT64_MAX, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_call_at_wall(loop, &late, due, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_call_at_wall(loop, &early, due - millisecond, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_call_at_wall(loop, &cancelled, due - millisecond, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_call_at_wall(loop, &past, -1, nullptr, nullptr), 0);
    EXPECT_EQ(csploop_cancel(loop, cancelled), 0);
    h.until_event(late, CSPLOOP_KIND_TIMER, "the wall timer");
    EXPECT_GE(wall_ns(), due);
    std::vector<csploop_id> order;
    for (const Event &event : h.log())
        order.push_back(event.record.id);
    EXPECT_EQ(order, (std::vector<csploop_id>{past, early, late}));
    EXPECT_EQ(h.first(late, CSPLOOP_KIND_TIMER).result, due);
    EXPECT_EQ(csploop_cancel(loop, never), 0);
}

// On Linux a wall timer needs a descriptor: who arms it hears that there is none, and not every turn from then on.
TEST_P(Clock, AWallTimerForWhichADescriptorLacksIsRefusedAtOnce) {
    csploop_id soon = 0, reserved = 0;
    ASSERT_EQ(csploop_ids_reserve(loop, &reserved, 1), 0);
    const int64_t later = wall_ns() + 3600 * second;
#if defined(__linux__)
    constexpr int answer = CSPLOOP_EMFILE;
#else
    constexpr int answer = 0;
#endif
    {
        const NoDescriptorsLeft none;
        EXPECT_EQ(csploop_call_at_wall(loop, nullptr, later, nullptr, nullptr), answer);
        ASSERT_EQ(csploop_call_soon(loop, &soon, nullptr, nullptr), 0);
        csploop_submission arm{reserved, 5, static_cast<uint64_t>(later), 0, CSPLOOP_OP_WALL_TIMER_ADD, 0};
        EXPECT_GE(h.turn(0, {arm}), 1);
        h.settle();
    }
    EXPECT_EQ(h.first(reserved, CSPLOOP_KIND_REJECTED).result, answer);
    EXPECT_EQ(h.count(soon, CSPLOOP_KIND_SOON), 1) << "the loop goes on";
    csploop_id id = 0;
    ASSERT_EQ(csploop_call_at_wall(loop, &id, wall_ns() + millisecond, nullptr, nullptr), 0);
    h.until_event(id, CSPLOOP_KIND_TIMER, "a wall timer, once there are descriptors again");
}

TEST_P(Clock, WithASimulatedClockWallTimeIsThatClock) {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.clock = CSPLOOP_CLOCK_SIMULATED;
    Harness simulated(Mode{GetParam()}, options);
    csploop_id id = 0;
    ASSERT_EQ(csploop_call_at_wall(simulated.loop(), &id, 1000, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_clock_set(simulated.loop(), 999), 0);
    simulated.turn(0);
    EXPECT_TRUE(simulated.log().empty());
    ASSERT_EQ(csploop_clock_set(simulated.loop(), 1000), 0);
    simulated.turn(0);
    EXPECT_EQ(simulated.count(id, CSPLOOP_KIND_TIMER), 1);
}
