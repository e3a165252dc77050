// The read slab: every stream gets a share, nobody gets it all.
#include "slab.hpp"

#include <gtest/gtest.h>

using csploop::Slab;

TEST(Slab, HoldsNothingBeforeTheFirstRead) {
    Slab slab(1 << 20);
    EXPECT_EQ(slab.heap_bytes(), 0u);
    EXPECT_EQ(slab.data(), nullptr);
}

TEST(Slab, OneStreamGetsABoundedShare) {
    Slab slab(16 << 20);
    EXPECT_EQ(slab.share(0), Slab::most_read);
}

TEST(Slab, LeavesRoomForThoseStillToCome) {
    Slab slab(1 << 20);
    size_t served = 0;
    for (size_t others = 64; others-- > 0;) {
        const size_t share = slab.share(others);
        if (share == 0)
            break;
        slab.next();
        slab.take(share);
        ++served;
    }
    EXPECT_EQ(served, 64u);
}

TEST(Slab, SharesNeverPassItsEnd) {
    Slab slab(64 << 10);
    size_t end = 0;
    while (const size_t share = slab.share(5)) {
        slab.next();
        const uint32_t offset = slab.take(share);
        EXPECT_GE(offset, end);
        end = offset + share;
        EXPECT_LE(end, slab.size());
    }
    EXPECT_LT(slab.size() - end, Slab::least_read);
}

TEST(Slab, IsWholeAgainAfterReset) {
    Slab slab(64 << 10);
    slab.next();
    slab.take(60000);
    slab.reset();
    EXPECT_EQ(slab.share(0), slab.size());
}
