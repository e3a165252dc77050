// Ids: an id that outlived its object is recognised, whatever took its slot.
#include "ids.hpp"

#include <gtest/gtest.h>

using csploop::IdKind;
using csploop::SlotTable;
namespace id = csploop::id;

using Table = SlotTable<int, IdKind::timer>;

TEST(Ids, FindsWhatWasInserted) {
    Table table;
    const csploop_id first = table.insert(1);
    const csploop_id second = table.insert(2);
    ASSERT_NE(table.find(first), nullptr);
    EXPECT_EQ(*table.find(first), 1);
    EXPECT_EQ(*table.find(second), 2);
    EXPECT_EQ(table.live(), 2u);
}

TEST(Ids, StaleIdFindsNothingThoughItsSlotIsInUseAgain) {
    Table table;
    const csploop_id stale = table.insert(1);
    table.erase(stale);
    const csploop_id fresh = table.insert(2);
    EXPECT_EQ(id::slot(stale), id::slot(fresh));
    EXPECT_EQ(table.find(stale), nullptr);
    EXPECT_EQ(*table.find(fresh), 2);
}

TEST(Ids, ZeroAndStrangersFindNothing) {
    Table table;
    const csploop_id known = table.insert(1);
    EXPECT_EQ(table.find(0), nullptr);
    EXPECT_EQ(table.find(~csploop_id{0}), nullptr);
    EXPECT_EQ(table.find(known + 1), nullptr);
    EXPECT_EQ(table.find(id::make(IdKind::stream, id::generation(known), id::slot(known))), nullptr);
    EXPECT_EQ(table.find(known | (csploop_id{1} << 63)), nullptr);
}

TEST(Ids, AreNeverNegativeAsSignedNumbers) {
    const csploop_id largest = id::make(static_cast<IdKind>(15), id::max_generation, id::max_slots - 1);
    EXPECT_GT(static_cast<int64_t>(largest), 0);
}

TEST(Ids, PartsComeBackOut) {
    const csploop_id name = id::make(IdKind::bridge, 12345, 678);
    EXPECT_EQ(id::kind(name), IdKind::bridge);
    EXPECT_EQ(id::generation(name), 12345u);
    EXPECT_EQ(id::slot(name), 678u);
}

TEST(Ids, EveryGenerationOfASlotIsAnother) {
    Table table;
    csploop_id previous = 0;
    for (int round = 0; round < 1000; ++round) {
        const csploop_id name = table.insert(round);
        EXPECT_NE(name, previous);
        EXPECT_EQ(table.find(previous), nullptr);
        table.erase(name);
        previous = name;
    }
    EXPECT_EQ(table.live(), 0u);
}
