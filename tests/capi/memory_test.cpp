// Memory is paid for when it is used, and given back.
#include "support/harness.hpp"
#include "support/sockets.hpp"

using namespace csploop_test;

class Memory : public PollerTest {};
CSPLOOP_ON_ALL_POLLERS(Memory);

TEST_P(Memory, AFreshLoopHoldsLittle) {
    const int64_t bytes = csploop_heap_bytes(loop);
    EXPECT_GT(bytes, 0);
    // libuv's own loop and handles are more than that by themselves; they are counted too.
    EXPECT_LT(bytes, GetParam() == CSPLOOP_POLLER_UV ? 3072 : 1024);
}

TEST_P(Memory, TheSlabComesWithTheFirstStream) {
    uint64_t size = 99;
    EXPECT_EQ(csploop_slab(loop, &size), nullptr);
    EXPECT_EQ(size, 0u);
    csploop_batch batch = h.batch_of();
    ASSERT_EQ(csploop_turn(loop, &batch, 0), 0);
    EXPECT_EQ(batch.slab, nullptr);

    auto [near, far] = socket_pair();
    csploop_id id = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &id, near.release(), nullptr, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_stream_read_start(loop, id, CSPLOOP_READ_SLAB), 0);
    send_all(far, "x");
    h.until([&] { return h.text(id) == "x"; }, "the byte");
    batch = h.batch_of();
    ASSERT_EQ(csploop_turn(loop, &batch, 0), 0);
    EXPECT_EQ(batch.slab_size, uint64_t{1} << 20);
    EXPECT_EQ(csploop_slab(loop, &size), batch.slab);
    EXPECT_EQ(size, batch.slab_size);
    EXPECT_GE(csploop_heap_bytes(loop), 1 << 20);
    EXPECT_EQ(csploop_slab(loop, nullptr), batch.slab);
    EXPECT_EQ(csploop_slab(nullptr, &size), nullptr);
}

TEST_P(Memory, UnsentBytesAreCountedAndGivenBack) {
    auto [near, far] = socket_pair();
    shrink_buffers(near.get());
    csploop_id id = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &id, near.release(), nullptr, nullptr, nullptr), 0);
    h.settle();
    const int64_t before = csploop_heap_bytes(loop);
    const std::string data = pattern(8 << 20);
    ASSERT_EQ(csploop_stream_write(loop, id, data.data(), data.size()), 0);
    EXPECT_GE(csploop_heap_bytes(loop), before + (7 << 20));
    size_t got = 0;
    h.until([&] { return (got += receive_some(far).size()) == data.size(); }, "the bytes");
    h.settle();
    EXPECT_LT(csploop_heap_bytes(loop), before + (2 << 20)) << "most of it is given back when the burst is over";
}

TEST_P(Memory, ManyTimersCostLittleEach) {
    const int64_t before = csploop_heap_bytes(loop);
    std::vector<csploop_id> ids(100000);
    for (csploop_id &id : ids)
        ASSERT_EQ(csploop_call_later(loop, &id, 3600 * second, nullptr, nullptr), 0);
    const int64_t each = (csploop_heap_bytes(loop) - before) / static_cast<int64_t>(ids.size());
    EXPECT_LE(each, 200);
    for (csploop_id id : ids)
        ASSERT_EQ(csploop_cancel(loop, id), 0);
}

// Timers that are always cancelled (a timeout around each request) must not pile up.
TEST_P(Memory, CancelledTimersDoNotPileUp) {
    csploop_id id = 0;
    int64_t most = 0;
    for (int i = 0; i < 200000; ++i) {
        ASSERT_EQ(csploop_call_later(loop, &id, 3600 * second, nullptr, nullptr), 0);
        ASSERT_EQ(csploop_cancel(loop, id), 0);
        if (i % 1000 == 0) {
            h.turn(0);
            most = std::max(most, csploop_heap_bytes(loop));
        }
    }
    EXPECT_LT(most, 1 << 20);
}

TEST(MemoryOfTheDefault, AFreshLoopHoldsLessThanAKibibyte) {
#if defined(__linux__)
    csploop_t *loop = nullptr;
    ASSERT_EQ(csploop_new(&loop, nullptr), 0);
    EXPECT_LT(csploop_heap_bytes(loop), 1024);
    csploop_unref(loop);
#else
    GTEST_SKIP() << "the default poller here is libuv's, which is larger by itself";
#endif
}
