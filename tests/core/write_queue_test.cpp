// What a stream has not sent yet: order, ownership, and by-reference writes that end exactly once.
#include "write_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

using namespace csploop;

namespace {

constexpr csploop_id stream_id = 77;

class WriteQueueTest : public ::testing::Test {
protected:
    static const uint8_t *bytes(const std::string &text) { return reinterpret_cast<const uint8_t *>(text.data()); }

    // What the kernel would be offered.
    std::string offered(int most = 1024) const {
        std::vector<iovec> parts(static_cast<size_t>(most));
        const int count = queue.gather(parts.data(), most);
        std::string text;
        for (int i = 0; i < count; ++i)
            text.append(static_cast<const char *>(parts[static_cast<size_t>(i)].iov_base),
                        parts[static_cast<size_t>(i)].iov_len);
        return text;
    }
    void consume(size_t length) { queue.consume(length, stream_id, pool, completions); }

    BlockPool pool;
    Completions completions;
    WriteQueue queue;
};

} // namespace

TEST_F(WriteQueueTest, KeepsTheOrderOfAllKinds) {
    const std::string staged = "staged ", referenced = "referenced ", copied = "copied";
    queue.stage(bytes(staged), staged.size());
    queue.reference(bytes(referenced), referenced.size(), nullptr, 1);
    queue.copy(bytes(copied), copied.size(), pool);
    EXPECT_EQ(offered(), "staged referenced copied");
    EXPECT_EQ(queue.bytes(), 24u);
}

TEST_F(WriteQueueTest, ManySmallCopiesBecomeOnePart) {
    for (int i = 0; i < 1000; ++i)
        queue.copy(bytes("ab"), 2, pool);
    iovec parts[8];
    EXPECT_EQ(queue.gather(parts, 8), 1);
    EXPECT_EQ(parts[0].iov_len, 2000u);
}

TEST_F(WriteQueueTest, OwnsWhatWasStagedBeforeItsSlabIsReused) {
    std::string slab = "first|second|third";
    queue.stage(bytes(slab), 6);
    queue.stage(bytes(slab) + 6, 7);
    queue.stage(bytes(slab) + 13, 5);
    consume(3);
    queue.own_staged(pool);
    std::fill(slab.begin(), slab.end(), '#');
    EXPECT_EQ(offered(), "st|second|third");
    EXPECT_EQ(queue.bytes(), 15u);
}

TEST_F(WriteQueueTest, AReferenceEndsWhenItsLastByteIsTaken) {
    const std::string text = "0123456789";
    queue.reference(bytes(text), text.size(), nullptr, 5);
    consume(9);
    EXPECT_TRUE(completions.empty());
    consume(1);
    ASSERT_EQ(completions.size(), 1u);
    EXPECT_EQ(completions[0].record.kind, CSPLOOP_KIND_WRITTEN);
    EXPECT_EQ(completions[0].record.id, stream_id);
    EXPECT_EQ(completions[0].record.token, 5u);
    EXPECT_EQ(completions[0].record.result, 10);
    EXPECT_TRUE(queue.empty());
}

TEST_F(WriteQueueTest, DroppingEndsEachReferenceOnceWithTheReason) {
    const std::string text = "xyz";
    for (uint64_t token = 1; token <= 3; ++token)
        queue.reference(bytes(text), 3, nullptr, token);
    consume(4); // the first is done, the second begun
    queue.drop(-125, stream_id, pool, completions);
    queue.drop(-125, stream_id, pool, completions);
    ASSERT_EQ(completions.size(), 3u);
    EXPECT_EQ(completions[0].record.result, 3);
    EXPECT_EQ(completions[1].record.result, -125);
    EXPECT_EQ(completions[2].record.result, -125);
    EXPECT_EQ(queue.bytes(), 0u);
}

TEST_F(WriteQueueTest, AnyMixConsumedInAnyStepsComesOutWhole) {
    std::mt19937 random(7);
    std::string expected, taken;
    std::vector<std::string> alive; // staged and referenced memory
    alive.reserve(4000);
    for (int round = 0; round < 4000; ++round) {
        alive.emplace_back(random() % 300, static_cast<char>('a' + random() % 26));
        const std::string &text = alive.back();
        expected += text;
        switch (random() % 3) {
        case 0:
            queue.stage(bytes(text), text.size());
            break;
        case 1:
            queue.copy(bytes(text), text.size(), pool);
            break;
        default:
            queue.reference(bytes(text), text.size(), nullptr, 1);
        }
        if (random() % 5 == 0)
            queue.own_staged(pool);
        const std::string now = offered(64);
        const size_t step = now.empty() ? 0 : random() % (now.size() + 1);
        taken += now.substr(0, step);
        consume(step);
    }
    while (queue.bytes()) {
        const std::string now = offered(64);
        taken += now;
        consume(now.size());
    }
    EXPECT_EQ(taken, expected);
}
