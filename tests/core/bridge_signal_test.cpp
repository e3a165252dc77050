// A producer that is held up between filling a bridge and telling its loop.
//
// Its signal may come when the loop has told CLOSED, or is closed, and the producer's own reference may go next. The
// signal is called directly here, as the producer would go on with it.
#include "bridge.hpp"
#include "loop.hpp"

#include <csploop.h>

#include <gtest/gtest.h>

namespace {

class LateSignal : public testing::Test {
protected:
    LateSignal() {
        EXPECT_EQ(csploop_new(&loop, nullptr), 0);
        EXPECT_EQ(csploop_bridge_new(loop, &handle, nullptr, nullptr, nullptr), 0);
        producers = csploop_bridge_ref(handle);
    }
    ~LateSignal() override { csploop_unref(loop); }
    // How many records of this kind one turn brings.
    int turn(csploop_kind kind) {
        csploop_record records[8];
        csploop_batch batch{};
        batch.size = sizeof batch;
        batch.records = records;
        batch.capacity = 8;
        const int n = csploop_turn(loop, &batch, 0);
        EXPECT_GE(n, 0);
        int found = 0;
        for (int i = 0; i < n; ++i)
            found += records[i].kind == kind;
        return found;
    }
    void signal() { loop->bridge_signaled(*reinterpret_cast<csploop::Bridge *>(handle)); }

    csploop_t *loop = nullptr;
    csploop_bridge_t *handle = nullptr, *producers = nullptr;
};

} // namespace

TEST_F(LateSignal, AfterClosedFindsTheBridgeAlive) {
    ASSERT_EQ(csploop_bridge_close(handle), 0);
    EXPECT_EQ(turn(CSPLOOP_KIND_CLOSED), 1);
    csploop_bridge_unref(handle);
    signal();
    csploop_bridge_unref(producers);
    EXPECT_EQ(turn(CSPLOOP_KIND_BRIDGE), 0) << "CLOSED was the last";
}

TEST_F(LateSignal, IsTakenOnceAndGoesWithTheLoop) {
    signal();
    signal();
    csploop_bridge_unref(producers);
    EXPECT_EQ(turn(CSPLOOP_KIND_BRIDGE), 0);
    signal();
    csploop_bridge_unref(handle);
}

TEST_F(LateSignal, AfterTheLoopsEndLeavesNothingBehind) {
    ASSERT_EQ(csploop_close(loop), 0);
    signal();
    csploop_bridge_unref(handle);
    csploop_bridge_unref(producers);
}
