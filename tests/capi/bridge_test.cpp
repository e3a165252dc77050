// Bridges, seen from the loop's thread: what goes in, comes out, is refused, dropped and counted.
#include "support/bridges.hpp"
#include "support/harness.hpp"

#include <numeric>

using namespace csploop_test;

class Bridge : public ModeTest {
protected:
    static constexpr uint32_t number = sizeof(uint64_t);
};
CSPLOOP_IN_ALL_MODES(Bridge);

TEST_P(Bridge, BringsRecordsInOrder) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_BLOCK, number, 64, h.fn(), h.arg());
    for (uint64_t i = 0; i < 10; ++i)
        ASSERT_EQ(bridge.push(i), 0);
    h.until_event(bridge.id(), CSPLOOP_KIND_BRIDGE, "the bridge's record");
    EXPECT_EQ(h.first(bridge.id(), CSPLOOP_KIND_BRIDGE).result, 10);
    std::vector<uint64_t> expected(10);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(bridge.drain_numbers(), expected);
    EXPECT_TRUE(bridge.drain_numbers().empty()) << "an empty bridge drains to nothing";
    h.settle();
    EXPECT_EQ(h.count(bridge.id(), CSPLOOP_KIND_BRIDGE), 1);
}

TEST_P(Bridge, BringsByteStringsOfAnyLength) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, 0, 8, h.fn(), h.arg());
    const std::string large(3000, 'x');
    ASSERT_EQ(bridge.push(""), 0);
    ASSERT_EQ(bridge.push("a"), 0);
    ASSERT_EQ(bridge.push(large), 0);
    ASSERT_EQ(bridge.push(std::string_view("nul\0s", 5)), 0);
    EXPECT_EQ(bridge.drain_strings(), (std::vector<std::string>{"", "a", large, std::string("nul\0s", 5)}));
}

TEST_P(Bridge, TellsAgainEveryTurnUntilEmpty) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, 8, h.fn(), h.arg());
    for (uint64_t i = 0; i < 5; ++i)
        ASSERT_EQ(bridge.push(i), 0);
    h.until([&] { return h.count(bridge.id(), CSPLOOP_KIND_BRIDGE) == 1; }, "the first record");
    EXPECT_EQ(bridge.drain_numbers(2).size(), 2u);
    h.until([&] { return h.count(bridge.id(), CSPLOOP_KIND_BRIDGE) == 2; }, "the second record");
    EXPECT_EQ(h.last(bridge.id(), CSPLOOP_KIND_BRIDGE).result, 3);
    EXPECT_EQ(bridge.drain_numbers().size(), 3u);
    h.settle();
    EXPECT_EQ(h.count(bridge.id(), CSPLOOP_KIND_BRIDGE), 2);
}

TEST_P(Bridge, WakesTheLoopOncePerDrain) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, 1024, h.fn(), h.arg());
    for (int round = 1; round <= 3; ++round) {
        for (uint64_t i = 0; i < 100; ++i)
            ASSERT_EQ(bridge.push(i), 0);
        EXPECT_EQ(bridge.counts().wakes, static_cast<uint64_t>(round));
        h.step();
        EXPECT_EQ(bridge.drain_numbers().size(), 100u);
    }
}

TEST_P(Bridge, FailRefusesWhenFull) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, 4, h.fn(), h.arg());
    for (uint64_t i = 0; i < 4; ++i)
        ASSERT_EQ(bridge.push(i), 0);
    EXPECT_EQ(bridge.push(uint64_t{9}), CSPLOOP_EAGAIN);
    EXPECT_EQ(bridge.push(uint64_t{9}), CSPLOOP_EAGAIN);
    EXPECT_EQ(bridge.drain_numbers(), (std::vector<uint64_t>{0, 1, 2, 3}));
    EXPECT_EQ(bridge.push(uint64_t{10}), 0);
    const csploop_bridge_counts counts = bridge.counts();
    EXPECT_EQ(counts.pushed, 5u);
    EXPECT_EQ(counts.drained, 4u);
    EXPECT_EQ(counts.refused, 2u);
    EXPECT_EQ(counts.dropped, 0u);
    EXPECT_EQ(counts.queued, 1u);
    EXPECT_EQ(counts.capacity, 4u);
}

TEST_P(Bridge, DropOldestKeepsTheNewest) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_DROP_OLDEST, number, 4, h.fn(), h.arg());
    for (uint64_t i = 0; i < 10; ++i)
        ASSERT_EQ(bridge.push(i), 0);
    EXPECT_EQ(bridge.drain_numbers(), (std::vector<uint64_t>{6, 7, 8, 9}));
    const csploop_bridge_counts counts = bridge.counts();
    EXPECT_EQ(counts.pushed, 10u);
    EXPECT_EQ(counts.dropped, 6u);
    EXPECT_EQ(counts.drained, 4u);
    EXPECT_EQ(counts.queued, 0u);
}

TEST_P(Bridge, DropOldestWorksForByteStringsToo) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_DROP_OLDEST, 0, 2, h.fn(), h.arg());
    for (const char *text : {"one", "two", "three", "four"})
        ASSERT_EQ(bridge.push(text), 0);
    EXPECT_EQ(bridge.drain_strings(), (std::vector<std::string>{"three", "four"}));
}

TEST_P(Bridge, BlockOnTheLoopsOwnThreadIsADeadlock) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_BLOCK, number, 2, h.fn(), h.arg());
    ASSERT_EQ(csploop_attach(loop), 0);
    EXPECT_EQ(bridge.push(uint64_t{1}), 0);
    EXPECT_EQ(bridge.push(uint64_t{2}), 0);
    EXPECT_EQ(bridge.push(uint64_t{3}), CSPLOOP_EDEADLK);
    EXPECT_EQ(bridge.drain_numbers(), (std::vector<uint64_t>{1, 2}));
    EXPECT_EQ(csploop_detach(loop), 0);
}

TEST_P(Bridge, CapacityIsRoundedUpToAPowerOfTwo) {
    for (auto [asked, given] :
         std::vector<std::pair<uint32_t, uint32_t>>{{1, 2}, {2, 2}, {3, 4}, {100, 128}, {0, 1024}}) {
        TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, asked, h.fn(), h.arg());
        EXPECT_EQ(bridge.counts().capacity, given);
        EXPECT_EQ(csploop_bridge_close(bridge.get()), 0);
        h.until_event(bridge.id(), CSPLOOP_KIND_CLOSED, "the end");
    }
}

TEST_P(Bridge, ADrainThatIsTooSmallTakesNothing) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, 0, 8, h.fn(), h.arg());
    ASSERT_EQ(bridge.push("twelve bytes"), 0);
    ASSERT_EQ(bridge.push("x"), 0);
    char buffer[64];
    uint32_t items = 99;
    size_t bytes = 0;
    EXPECT_EQ(csploop_bridge_drain(bridge.get(), &items, &bytes, buffer, 8), CSPLOOP_EMSGSIZE);
    EXPECT_EQ(items, 0u);
    EXPECT_EQ(bytes, sizeof(uint32_t) + 12);
    EXPECT_EQ(csploop_bridge_drain(bridge.get(), &items, &bytes, buffer, bytes), 0);
    EXPECT_EQ(items, 1u);
    EXPECT_EQ(bridge.drain_strings(), (std::vector<std::string>{"x"}));

    TestBridge records(loop, CSPLOOP_BRIDGE_FAIL, number, 8, h.fn(), h.arg());
    ASSERT_EQ(records.push(uint64_t{5}), 0);
    EXPECT_EQ(csploop_bridge_drain(records.get(), &items, &bytes, buffer, 7), CSPLOOP_EMSGSIZE);
    EXPECT_EQ(bytes, sizeof(uint64_t));
    EXPECT_EQ(records.drain_numbers(), (std::vector<uint64_t>{5}));
}

TEST_P(Bridge, WrongPushesAreRefused) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, 8, h.fn(), h.arg());
    EXPECT_EQ(bridge.push("short"), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_bridge_push(bridge.get(), nullptr, number), CSPLOOP_EINVAL);
    TestBridge strings(loop, CSPLOOP_BRIDGE_FAIL, 0, 8, h.fn(), h.arg());
    EXPECT_EQ(csploop_bridge_push(strings.get(), nullptr, 3), CSPLOOP_EINVAL);
    EXPECT_EQ(bridge.counts().pushed + strings.counts().pushed, 0u);
}

TEST_P(Bridge, ManyGoInAtOnceWithOneWake) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, 16, h.fn(), h.arg());
    for (const size_t count : {5u, 16u, 1u, 13u}) {
        std::vector<uint64_t> numbers(count);
        std::iota(numbers.begin(), numbers.end(), count);
        uint32_t taken = 0;
        EXPECT_EQ(bridge.push_many(numbers, &taken), 0);
        EXPECT_EQ(taken, count);
        h.step();
        EXPECT_EQ(bridge.drain_numbers(), numbers);
    }
    EXPECT_EQ(bridge.push_many({}), 0) << "none is allowed";
    EXPECT_EQ(bridge.counts().wakes, 4u);
    EXPECT_EQ(bridge.counts().pushed, 35u);
}

TEST_P(Bridge, OfManyThatDoNotFitThePolicyDecides) {
    const std::vector<uint64_t> six{0, 1, 2, 3, 4, 5};
    uint32_t taken = 0;

    TestBridge failing(loop, CSPLOOP_BRIDGE_FAIL, number, 4, h.fn(), h.arg());
    EXPECT_EQ(failing.push_many(six, &taken), CSPLOOP_EAGAIN);
    EXPECT_EQ(taken, 4u);
    EXPECT_EQ(failing.counts().refused, 2u);
    EXPECT_EQ(failing.drain_numbers(), (std::vector<uint64_t>{0, 1, 2, 3}));

    TestBridge dropping(loop, CSPLOOP_BRIDGE_DROP_OLDEST, number, 4, h.fn(), h.arg());
    EXPECT_EQ(dropping.push_many(six, &taken), 0);
    EXPECT_EQ(taken, 6u);
    EXPECT_EQ(dropping.counts().dropped, 2u);
    EXPECT_EQ(dropping.drain_numbers(), (std::vector<uint64_t>{2, 3, 4, 5}));

    TestBridge blocking(loop, CSPLOOP_BRIDGE_BLOCK, number, 4, h.fn(), h.arg());
    ASSERT_EQ(csploop_attach(loop), 0);
    EXPECT_EQ(blocking.push_many(six, &taken), CSPLOOP_EDEADLK);
    EXPECT_EQ(taken, 4u);
    EXPECT_EQ(blocking.drain_numbers(), (std::vector<uint64_t>{0, 1, 2, 3}));
    EXPECT_EQ(csploop_detach(loop), 0);
}

TEST_P(Bridge, WrongPushesOfManyAreRefused) {
    uint32_t taken = 7;
    TestBridge strings(loop, CSPLOOP_BRIDGE_FAIL, 0, 8, h.fn(), h.arg());
    EXPECT_EQ(strings.push_many({1}, &taken), CSPLOOP_EINVAL);
    EXPECT_EQ(taken, 0u);
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, 8, h.fn(), h.arg());
    EXPECT_EQ(csploop_bridge_push_many(bridge.get(), &taken, nullptr, 3), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_bridge_push_many(nullptr, &taken, &taken, 1), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_bridge_close(bridge.get()), 0);
    EXPECT_EQ(bridge.push_many({1}, &taken), CSPLOOP_ECLOSED);
    EXPECT_EQ(bridge.counts().pushed + strings.counts().pushed, 0u);
}

TEST_P(Bridge, WrongOptionsAreRefused) {
    auto code_of = [&](auto change) {
        csploop_bridge_options options = CSPLOOP_BRIDGE_OPTIONS_INIT;
        change(options);
        csploop_bridge_t *bridge = nullptr;
        const int code = csploop_bridge_new(loop, &bridge, &options, h.fn(), h.arg());
        EXPECT_EQ(bridge, nullptr);
        return code;
    };
    EXPECT_EQ(code_of([](csploop_bridge_options &o) { o.policy = 3; }), CSPLOOP_EINVAL);
    EXPECT_EQ(code_of([](csploop_bridge_options &o) { o.capacity = (1u << 24) + 1; }), CSPLOOP_EINVAL);
    EXPECT_EQ(code_of([](csploop_bridge_options &o) { o.record_size = (1u << 20) + 1; }), CSPLOOP_EINVAL);
    EXPECT_EQ(code_of([](csploop_bridge_options &o) { o.size = 1; }), CSPLOOP_EINVAL);
}

TEST_P(Bridge, CloseLetsTheRestBeDrainedThenSaysClosed) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, 8, h.fn(), h.arg());
    ASSERT_EQ(bridge.push(uint64_t{1}), 0);
    ASSERT_EQ(bridge.push(uint64_t{2}), 0);
    EXPECT_EQ(csploop_bridge_close(bridge.get()), 0);
    EXPECT_EQ(csploop_bridge_close(bridge.get()), 0);
    EXPECT_EQ(bridge.push(uint64_t{3}), CSPLOOP_ECLOSED);
    h.settle();
    EXPECT_GE(h.count(bridge.id(), CSPLOOP_KIND_BRIDGE), 1);
    EXPECT_EQ(h.count(bridge.id(), CSPLOOP_KIND_CLOSED), 0);
    EXPECT_EQ(bridge.drain_numbers(), (std::vector<uint64_t>{1, 2}));
    h.until_event(bridge.id(), CSPLOOP_KIND_CLOSED, "CLOSED");
    h.settle();
    EXPECT_EQ(h.count(bridge.id(), CSPLOOP_KIND_CLOSED), 1);
    EXPECT_EQ(h.kinds(bridge.id()).back(), CSPLOOP_KIND_CLOSED);
}

TEST_P(Bridge, TheHandleOutlivesItsLoop) {
    csploop_t *other = nullptr;
    ASSERT_EQ(csploop_new(&other, nullptr), 0);
    {
        TestBridge bridge(other, CSPLOOP_BRIDGE_FAIL, number, 8);
        ASSERT_EQ(bridge.push(uint64_t{1}), 0);
        EXPECT_EQ(csploop_close(other), 0);
        csploop_unref(other);
        EXPECT_EQ(bridge.push(uint64_t{2}), CSPLOOP_ECLOSED);
        const csploop_bridge_counts counts = bridge.counts();
        EXPECT_EQ(counts.pushed, 1u);
        EXPECT_EQ(counts.drained + counts.dropped + counts.queued, 1u) << "nothing vanishes from the count";
        EXPECT_EQ(csploop_bridge_close(bridge.get()), 0);
    }
}

TEST_P(Bridge, DroppingTheLastReferenceCloses) {
    csploop_id id = 0;
    {
        TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, 8, h.fn(), h.arg());
        id = bridge.id();
        csploop_bridge_t *second = csploop_bridge_ref(bridge.get());
        EXPECT_EQ(second, bridge.get());
        EXPECT_EQ(csploop_bridge_unref(second), nullptr);
        EXPECT_EQ(bridge.push(uint64_t{1}), 0) << "one reference is left";
    }
    h.until_event(id, CSPLOOP_KIND_CLOSED, "CLOSED");
    EXPECT_EQ(csploop_bridge_ref(nullptr), nullptr);
    EXPECT_EQ(csploop_bridge_unref(nullptr), nullptr);
    EXPECT_EQ(csploop_bridge_id(nullptr), 0u);
}

TEST_P(Bridge, TheCountersGrowWithTheirStruct) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, 8, h.fn(), h.arg());
    ASSERT_EQ(bridge.push(uint64_t{1}), 0);
    csploop_bridge_counts counts{};
    counts.size = offsetof(csploop_bridge_counts, drained);
    counts.drained = 4711;
    EXPECT_EQ(csploop_bridge_stats(bridge.get(), &counts), 0);
    EXPECT_EQ(counts.pushed, 1u);
    EXPECT_EQ(counts.drained, 4711u) << "an older program has no such field";
    counts.size = 0;
    EXPECT_EQ(csploop_bridge_stats(bridge.get(), &counts), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_bridge_stats(bridge.get(), nullptr), CSPLOOP_EINVAL);
}
