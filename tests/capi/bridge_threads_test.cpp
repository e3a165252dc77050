// Bridges under many producers: nothing is lost, doubled or miscounted, and nobody stays blocked.
#include "support/bridges.hpp"
#include "support/harness.hpp"
#include "support/round_trips.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

using namespace csploop_test;

namespace {

constexpr uint64_t tag(uint64_t producer, uint64_t number) {
    return producer << 32 | number;
}

} // namespace

class BridgeThreads : public PollerTest {
protected:
    static constexpr uint32_t number = sizeof(uint64_t);
    static constexpr uint64_t producers = 6;
    const uint64_t each = sized(20000, 3000);

    // Runs produce(p) in a thread for each producer p, and calls drain() until all have ended and nothing is left.
    template <class Produce, class Drain>
    void run(const TestBridge &bridge, const Produce &produce, const Drain &drain) {
        std::atomic<uint64_t> running{producers};
        std::vector<std::thread> threads;
        for (uint64_t p = 0; p < producers; ++p)
            threads.emplace_back([&, p] {
                produce(p);
                --running;
            });
        waiting_for = "the producers";
        while (running.load() > 0 || bridge.counts().queued > 0) {
            h.turn(millisecond);
            drain();
        }
        for (std::thread &thread : threads)
            thread.join();
    }

    // The same for tagged numbers. All that came; the numbers of each producer in their order.
    template <class Produce>
    std::vector<uint64_t> run(const TestBridge &bridge, const Produce &produce) {
        std::vector<uint64_t> all;
        run(bridge, produce, [&] {
            for (uint64_t item : bridge.drain_numbers(64))
                all.push_back(item);
        });
        check_order(all);
        return all;
    }

    static void check_order(const std::vector<uint64_t> &all) {
        std::vector<int64_t> previous(producers, -1);
        for (uint64_t item : all) {
            const auto value = static_cast<int64_t>(item & 0xffffffff);
            ASSERT_GT(value, previous[item >> 32]) << "the order of one producer";
            previous[item >> 32] = value;
        }
    }
};
CSPLOOP_ON_ALL_POLLERS(BridgeThreads);

TEST_P(BridgeThreads, BlockLosesNothing) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_BLOCK, number, 16);
    ASSERT_EQ(csploop_attach(loop), 0);
    const std::vector<uint64_t> all = run(bridge, [&](uint64_t p) {
        for (uint64_t i = 0; i < each; ++i)
            ASSERT_EQ(bridge.push(tag(p, i)), 0);
    });
    EXPECT_EQ(all.size(), producers * each);
    const csploop_bridge_counts counts = bridge.counts();
    EXPECT_EQ(counts.pushed, producers * each);
    EXPECT_EQ(counts.drained, producers * each);
    EXPECT_EQ(counts.dropped, 0u);
    EXPECT_EQ(counts.refused, 0u);
    EXPECT_EQ(counts.queued, 0u);
    EXPECT_EQ(csploop_detach(loop), 0);
}

TEST_P(BridgeThreads, BlockLosesNothingOfMany) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_BLOCK, number, 16);
    ASSERT_EQ(csploop_attach(loop), 0);
    const std::vector<uint64_t> all = run(bridge, [&](uint64_t p) {
        for (uint64_t i = 0; i < each;) {
            std::vector<uint64_t> some;
            for (const uint64_t end = std::min(each, i + 1 + i % 40); i < end; ++i)
                some.push_back(tag(p, i));
            ASSERT_EQ(bridge.push_many(some), 0);
        }
    });
    EXPECT_EQ(all.size(), producers * each);
    EXPECT_EQ(bridge.counts().pushed, producers * each);
    EXPECT_EQ(bridge.counts().drained, producers * each);
    EXPECT_EQ(csploop_detach(loop), 0);
}

TEST_P(BridgeThreads, DropOldestOfManyAddsUp) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_DROP_OLDEST, number, 16);
    const std::vector<uint64_t> all = run(bridge, [&](uint64_t p) {
        for (uint64_t i = 0; i < each; i += 25) {
            std::vector<uint64_t> some;
            for (uint64_t k = i; k < i + 25; ++k)
                some.push_back(tag(p, k));
            ASSERT_EQ(bridge.push_many(some), 0);
        }
    });
    const csploop_bridge_counts counts = bridge.counts();
    EXPECT_EQ(counts.drained, all.size());
    EXPECT_EQ(counts.drained + counts.dropped, counts.pushed);
}

TEST_P(BridgeThreads, FailRefusesExactlyWhatItSays) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, 16);
    std::atomic<uint64_t> refused{0}, taken{0};
    const std::vector<uint64_t> all = run(bridge, [&](uint64_t p) {
        for (uint64_t i = 0; i < each; ++i) {
            const int code = bridge.push(tag(p, i));
            ASSERT_TRUE(code == 0 || code == CSPLOOP_EAGAIN) << code;
            ++(code == 0 ? taken : refused);
        }
    });
    EXPECT_EQ(all.size(), taken.load());
    const csploop_bridge_counts counts = bridge.counts();
    EXPECT_EQ(counts.pushed, taken.load());
    EXPECT_EQ(counts.refused, refused.load());
    EXPECT_EQ(counts.drained, taken.load());
}

TEST_P(BridgeThreads, DropOldestAddsUp) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_DROP_OLDEST, number, 16);
    const std::vector<uint64_t> all = run(bridge, [&](uint64_t p) {
        for (uint64_t i = 0; i < each; ++i)
            ASSERT_EQ(bridge.push(tag(p, i)), 0);
    });
    const csploop_bridge_counts counts = bridge.counts();
    EXPECT_EQ(counts.pushed, producers * each);
    EXPECT_EQ(counts.drained, all.size());
    EXPECT_EQ(counts.drained + counts.dropped, counts.pushed);
}

TEST_P(BridgeThreads, ByteStringsArriveWhole) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_BLOCK, 0, 16);
    ASSERT_EQ(csploop_attach(loop), 0);
    const uint64_t each_string = each / 10;
    uint64_t strings = 0;
    const auto produce = [&](uint64_t p) {
        for (uint64_t i = 0; i < each_string; ++i)
            ASSERT_EQ(bridge.push(std::string(i % 300, static_cast<char>('a' + p))), 0);
    };
    run(bridge, produce, [&] {
        for (const std::string &text : bridge.drain_strings(4096)) {
            ++strings;
            if (text.empty())
                continue;
            EXPECT_LT(static_cast<uint64_t>(text[0] - 'a'), producers);
            EXPECT_EQ(text.find_first_not_of(text[0]), std::string::npos) << "two strings were mixed";
        }
    });
    EXPECT_EQ(strings, producers * each_string);
    EXPECT_EQ(csploop_detach(loop), 0);
}

TEST_P(BridgeThreads, CloseWakesBlockedProducers) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_BLOCK, number, 2);
    ASSERT_EQ(csploop_attach(loop), 0);
    std::atomic<int> closed{0};
    std::vector<std::thread> threads;
    for (uint64_t p = 0; p < producers; ++p)
        threads.emplace_back([&, p] {
            int code = 0;
            for (uint64_t i = 0; code == 0; ++i)
                code = bridge.push(tag(p, i));
            EXPECT_EQ(code, CSPLOOP_ECLOSED);
            ++closed;
        });
    waiting_for = "the producers to block";
    while (bridge.counts().blocked < producers)
        std::this_thread::yield();
    EXPECT_EQ(csploop_bridge_close(bridge.get()), 0);
    waiting_for = "blocked producers to return";
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(closed.load(), static_cast<int>(producers));
    EXPECT_EQ(bridge.drain_numbers().size(), 2u);
    EXPECT_EQ(csploop_detach(loop), 0);
}

// A producer that closing overtakes is told what became of its item: in, or not in. (One that was in and yet called
// refused would be freed by its producer, too.)
TEST_P(BridgeThreads, ClosingWhileAProducerGetsRoomCountsEachItemOnce) {
    ASSERT_EQ(csploop_attach(loop), 0);
    const uint64_t rounds = sized(300, 100);
    for (uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
        TestBridge bridge(loop, CSPLOOP_BRIDGE_BLOCK, 0, 2);
        std::atomic<uint64_t> taken{0};
        std::thread producer([&] {
            const std::string text(40, 'x');
            while (bridge.push(text) == 0)
                ++taken;
        });
        waiting_for = "the producer to block";
        while (bridge.counts().blocked < 1)
            std::this_thread::yield();
        uint64_t drained = bridge.drain_strings().size();
        for (uint64_t i = 0; i < round && bridge.counts().pushed < 3; ++i)
            std::this_thread::yield(); // closing comes sometimes before it has its room, sometimes after
        EXPECT_EQ(csploop_bridge_close(bridge.get()), 0);
        waiting_for = "the producer to return";
        producer.join();
        drained += bridge.drain_strings().size();
        EXPECT_EQ(bridge.counts().pushed, taken.load());
        EXPECT_EQ(drained, taken.load());
    }
    EXPECT_EQ(csploop_detach(loop), 0);
    h.settle();
}

TEST_P(BridgeThreads, ClosingTheLoopWakesBlockedProducers) {
    csploop_t *other = nullptr;
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.poller = GetParam();
    ASSERT_EQ(csploop_new(&other, &options), 0);
    TestBridge bridge(other, CSPLOOP_BRIDGE_BLOCK, number, 2);
    ASSERT_EQ(csploop_attach(other), 0);
    std::thread producer([&] {
        int code = 0;
        while (code == 0)
            code = bridge.push(uint64_t{1});
        EXPECT_EQ(code, CSPLOOP_ECLOSED);
    });
    waiting_for = "the producer to block";
    while (bridge.counts().blocked < 1)
        std::this_thread::yield();
    EXPECT_EQ(csploop_close(other), 0);
    waiting_for = "the blocked producer to return";
    producer.join();
    csploop_unref(other);
}

TEST_P(BridgeThreads, APushWakesASleepingLoop) {
    RoundTrips rounds(sized(5000, 1000));
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, 16);
    std::atomic<int64_t> answered{0};
    std::thread producer([&] {
        for (int64_t i = 0; rounds.begin(i); ++i) {
            ASSERT_EQ(bridge.push(static_cast<uint64_t>(i)), 0);
            answered.wait(i);
        }
    });
    waiting_for = "a push that was lost";
    while (answered.load() < rounds.wanted()) {
        h.turn(-1);
        for (const uint64_t item : bridge.drain_numbers()) {
            EXPECT_EQ(static_cast<int64_t>(item), answered.load());
            answered.fetch_add(1);
            answered.notify_one();
        }
        h.forget();
    }
    producer.join();
    EXPECT_LE(bridge.counts().wakes, static_cast<uint64_t>(rounds.wanted()));
}

TEST_P(BridgeThreads, ADrainThatOvertakesASignalLosesNothing) {
    const uint64_t items = sized(100000, 20000);
    TestBridge bridge(loop, CSPLOOP_BRIDGE_BLOCK, number, 64);
    ASSERT_EQ(csploop_attach(loop), 0);
    std::thread producer([&] {
        for (uint64_t i = 0; i < items; ++i)
            ASSERT_EQ(bridge.push(i), 0);
    });
    waiting_for = "a push whose signal was taken for an old one";
    uint64_t next = 0;
    while (next < items) {
        h.turn(-1);
        for (const uint64_t item : bridge.drain_numbers(8))
            ASSERT_EQ(item, next++);
        h.forget();
    }
    producer.join();
    EXPECT_EQ(csploop_detach(loop), 0);
}

TEST_P(BridgeThreads, ReferencesMayEndOnAnyThread) {
    std::vector<std::thread> threads;
    {
        TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, number, 1024);
        for (uint64_t p = 0; p < producers; ++p)
            threads.emplace_back([p, mine = csploop_bridge_ref(bridge.get())] {
                for (uint64_t i = 0; i < 100; ++i) {
                    const uint64_t item = tag(p, i);
                    EXPECT_EQ(csploop_bridge_push(mine, &item, sizeof item), 0);
                }
                csploop_bridge_unref(mine);
            });
    }
    for (std::thread &thread : threads)
        thread.join();
    h.settle();
}
