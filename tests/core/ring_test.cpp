// The queue under a bridge: bounded, in order, and whole under many threads.
#include "ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <new>
#include <thread>
#include <vector>

using csploop::Ring;

TEST(Ring, GivesBackInOrder) {
    Ring ring(4, sizeof(int));
    for (int value = 1; value <= 3; ++value)
        ASSERT_TRUE(ring.push(&value));
    EXPECT_EQ(ring.size(), 3u);
    for (int expected = 1; expected <= 3; ++expected) {
        int value = 0;
        ASSERT_TRUE(ring.pop(&value));
        EXPECT_EQ(value, expected);
    }
    int value;
    EXPECT_FALSE(ring.pop(&value));
}

TEST(Ring, ThatNoMemoryCouldHoldIsNoSmallOne) {
    constexpr size_t payload = SIZE_MAX / 4 + 17; // four of them are 64 bytes, if nobody looks
    EXPECT_THROW(Ring(4, payload), std::bad_alloc);
}

TEST(Ring, RefusesWhatDoesNotFitAndTakesItOnceThereIsRoom) {
    Ring ring(2, sizeof(int));
    int value = 1;
    EXPECT_TRUE(ring.push(&value));
    EXPECT_TRUE(ring.push(&value));
    EXPECT_FALSE(ring.push(&value));
    EXPECT_TRUE(ring.pop(&value));
    EXPECT_TRUE(ring.push(&value));
}

TEST(Ring, GoesRoundManyTimes) {
    Ring ring(8, sizeof(uint64_t));
    for (uint64_t value = 0; value < 10000; ++value) {
        ASSERT_TRUE(ring.push(&value));
        uint64_t popped = 0;
        ASSERT_TRUE(ring.pop(&popped));
        ASSERT_EQ(popped, value);
    }
}

TEST(Ring, OddSizedItemsStayApart) {
    struct Item {
        char text[13];
    };
    Ring ring(4, sizeof(Item));
    for (char letter : {'a', 'b', 'c'}) {
        Item item;
        std::memset(item.text, letter, sizeof item.text);
        ASSERT_TRUE(ring.push(&item));
    }
    for (char letter : {'a', 'b', 'c'}) {
        Item item;
        ASSERT_TRUE(ring.pop(&item));
        for (const char found : item.text)
            EXPECT_EQ(found, letter);
    }
}

TEST(Ring, LosesAndDoublesNothingUnderManyThreads) {
    constexpr uint64_t producers = 4;
    constexpr uint64_t consumers = 2;
    constexpr uint64_t each = 5000;
    Ring ring(64, sizeof(uint64_t));
    std::atomic<uint64_t> popped{0};
    std::vector<std::atomic<uint32_t>> seen(producers * each);
    std::vector<std::thread> threads;
    for (uint64_t producer = 0; producer < producers; ++producer)
        threads.emplace_back([&, producer] {
            for (uint64_t i = 0; i < each; ++i) {
                const uint64_t value = producer * each + i;
                while (!ring.push(&value))
                    std::this_thread::yield();
            }
        });
    for (uint64_t consumer = 0; consumer < consumers; ++consumer)
        threads.emplace_back([&] {
            while (popped.load() < producers * each) {
                uint64_t value;
                if (!ring.pop(&value)) {
                    std::this_thread::yield();
                    continue;
                }
                seen[value].fetch_add(1);
                popped.fetch_add(1);
            }
        });
    for (auto &thread : threads)
        thread.join();
    for (const auto &count : seen)
        EXPECT_EQ(count.load(), 1u);
}

TEST(Ring, TakesAndGivesRunsAcrossItsEnd) {
    Ring ring(8, sizeof(uint32_t));
    uint32_t next_in = 0;
    uint32_t next_out = 0;
    for (const size_t some : {5u, 8u, 3u, 7u, 1u, 6u}) {
        std::vector<uint32_t> in(some);
        for (uint32_t &value : in)
            value = next_in++;
        ASSERT_EQ(ring.push_some(in.data(), some), some);
        EXPECT_TRUE(ring.ready());
        std::vector<uint32_t> out(some + 1, 0);
        ASSERT_EQ(ring.pop_some(out.data(), some + 1), some) << "as many as there are";
        for (size_t i = 0; i < some; ++i)
            EXPECT_EQ(out[i], next_out++);
        EXPECT_FALSE(ring.ready());
    }
    EXPECT_EQ(ring.pushed(), next_in);
}

TEST(Ring, TakesOfARunWhatFits) {
    Ring ring(4, sizeof(int));
    const int values[] = {1, 2, 3, 4, 5, 6};
    EXPECT_EQ(ring.push_some(values, 6), 4u);
    EXPECT_EQ(ring.push_some(values, 6), 0u);
    EXPECT_EQ(ring.pop_some(nullptr, 3), 3u) << "thrown away";
    EXPECT_EQ(ring.push_some(values + 4, 2), 2u);
    int out[4] = {};
    EXPECT_EQ(ring.pop_some(out, 4), 3u);
    EXPECT_EQ(out[0], 4);
    EXPECT_EQ(out[2], 6);
}

TEST(Ring, RunsStayWholeUnderManyThreads) {
    constexpr uint64_t producers = 3;
    constexpr uint64_t each = 6000;
    constexpr size_t most = 7;
    Ring ring(16, sizeof(uint64_t));
    std::vector<std::thread> threads;
    for (uint64_t producer = 0; producer < producers; ++producer)
        threads.emplace_back([&, producer] {
            uint64_t run[most];
            for (uint64_t sent = 0; sent < each;) {
                const size_t count = std::min<uint64_t>(1 + sent % most, each - sent);
                for (size_t i = 0; i < count; ++i)
                    run[i] = producer << 32 | (sent + i);
                const size_t taken = ring.push_some(run, count);
                sent += taken;
                if (!taken)
                    std::this_thread::yield();
            }
        });
    std::vector<uint64_t> next(producers, 0);
    for (uint64_t got = 0; got < producers * each;) {
        uint64_t out[5];
        const size_t count = ring.pop_some(out, 5);
        for (size_t i = 0; i < count; ++i)
            EXPECT_EQ(out[i] & 0xffffffff, next[out[i] >> 32]++) << "the order of one producer";
        got += count;
        if (!count)
            std::this_thread::yield();
    }
    for (auto &thread : threads)
        thread.join();
}
