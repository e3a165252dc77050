// The queue under a bridge: bounded, in order, and whole under many threads.
#include "ring.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
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
