// The read slab: every stream gets a share, nobody gets it all.
#include "slab.hpp"

#include <gtest/gtest.h>

using csploop::Slab;

TEST(Slab, HoldsNothingBeforeTheFirstRead) {
    Slab slab(1 << 20);
    EXPECT_EQ(slab.heap_bytes(), 0u);
    EXPECT_EQ(slab.data(), nullptr);
}

TEST(Slab, OneStreamGetsABoundedShareOfIt) {
    Slab slab(16 << 20);
    EXPECT_EQ(slab.share(), Slab::most_read);
}

TEST(Slab, SharesNeverPassItsEnd) {
    Slab slab(64 << 10);
    size_t end = 0;
    while (const size_t share = slab.share()) {
        slab.next();
        const uint32_t offset = slab.take(share);
        EXPECT_GE(offset, end);
        end = offset + share;
        EXPECT_LE(end, slab.size());
    }
    EXPECT_LT(slab.size() - end, slab.size() / 4);
}

TEST(Slab, IsWholeAgainAfterReset) {
    Slab slab(64 << 10);
    slab.next();
    slab.take(60000);
    slab.reset();
    EXPECT_EQ(slab.share(), slab.size());
}
