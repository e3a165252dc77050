// csploop_post: work handed to the loop from any thread.
#include "support/harness.hpp"

#include <atomic>
#include <thread>

using namespace csploop_test;

class Post : public PollerTest {};
CSPLOOP_ON_ALL_POLLERS(Post);

TEST_P(Post, KeepsTheOrderOfEachThread) {
    constexpr int producers = 6;
    const int each = sized(5000, 1000);
    struct Item {
        std::vector<std::vector<int>> *seen;
        int producer, number;
    };
    std::vector<std::vector<int>> seen(producers);
    std::vector<std::vector<Item>> items(producers);
    for (int p = 0; p < producers; ++p)
        for (int i = 0; i < each; ++i)
            items[static_cast<size_t>(p)].push_back({&seen, p, i});
    csploop_fn note = [](csploop_t *, const csploop_record *record, void *arg) {
        EXPECT_EQ(record->kind, CSPLOOP_KIND_POST);
        EXPECT_EQ(record->result, 0);
        auto *item = static_cast<Item *>(arg);
        (*item->seen)[static_cast<size_t>(item->producer)].push_back(item->number);
    };
    std::vector<std::thread> threads;
    for (auto &mine : items)
        threads.emplace_back([&] {
            for (Item &item : mine)
                EXPECT_EQ(csploop_post(loop, note, &item), 0);
        });
    size_t total = 0;
    waiting_for = "all posts";
    while (total < static_cast<size_t>(producers * each)) {
        h.turn(-1);
        total = 0;
        for (auto &numbers : seen)
            total += numbers.size();
    }
    for (std::thread &thread : threads)
        thread.join();
    for (auto &numbers : seen)
        for (int i = 0; i < each; ++i)
            ASSERT_EQ(numbers[static_cast<size_t>(i)], i);
}

TEST_P(Post, WithoutACallbackGoesToTheBatch) {
    std::thread([&] { EXPECT_EQ(csploop_post(loop, nullptr, reinterpret_cast<void *>(41)), 0); }).join();
    EXPECT_EQ(h.turn(-1), 1);
    EXPECT_EQ(h.log()[0].record.kind, CSPLOOP_KIND_POST);
    EXPECT_EQ(h.log()[0].record.token, 41u);
}

TEST_P(Post, FromInsideACallbackBelongsToALaterTurn) {
    struct State {
        int turns = 0, ran_in = -1;
    } state;
    csploop_fn inner = [](csploop_t *, const csploop_record *, void *arg) {
        auto *s = static_cast<State *>(arg);
        s->ran_in = s->turns;
    };
    static csploop_fn inner_fn = nullptr;
    inner_fn = inner;
    csploop_fn outer = [](csploop_t *l, const csploop_record *, void *arg) {
        EXPECT_EQ(csploop_post(l, inner_fn, arg), 0);
    };
    EXPECT_EQ(csploop_post(loop, outer, &state), 0);
    waiting_for = "the inner post";
    while (state.ran_in < 0) {
        h.turn(-1);
        ++state.turns;
    }
    EXPECT_EQ(state.ran_in, 1);
}

TEST_P(Post, AfterCloseIsRefusedAndNeverCalled) {
    std::atomic<int> calls{0};
    csploop_fn count = [](csploop_t *, const csploop_record *, void *arg) {
        static_cast<std::atomic<int> *>(arg)->fetch_add(1);
    };
    csploop_t *other = nullptr;
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.poller = GetParam();
    ASSERT_EQ(csploop_new(&other, &options), 0);
    EXPECT_EQ(csploop_post(other, count, &calls), 0);
    EXPECT_EQ(csploop_close(other), 0);
    EXPECT_EQ(csploop_post(other, count, &calls), CSPLOOP_ECLOSED);
    csploop_unref(other);
    EXPECT_EQ(calls.load(), 0);
}

TEST_P(Post, RacesWithCloseEndInACallOrARefusal) {
    for (int round = 0; round < sized(200, 40); ++round) {
        csploop_t *other = nullptr;
        csploop_options options = CSPLOOP_OPTIONS_INIT;
        options.poller = GetParam();
        ASSERT_EQ(csploop_new(&other, &options), 0);
        csploop_ref(other);
        std::atomic<int> calls{0};
        csploop_fn count = [](csploop_t *, const csploop_record *, void *arg) {
            static_cast<std::atomic<int> *>(arg)->fetch_add(1);
        };
        int accepted = 0;
        std::thread producer([&] {
            for (;;) {
                const int code = csploop_post(other, count, &calls);
                if (code == CSPLOOP_ECLOSED)
                    break;
                EXPECT_EQ(code, 0);
                ++accepted;
            }
            csploop_wake(other);
            csploop_unref(other);
        });
        EXPECT_EQ(csploop_turn(other, nullptr, 0), 0);
        EXPECT_EQ(csploop_close(other), 0);
        const int calls_at_close = calls.load();
        csploop_unref(other);
        producer.join();
        EXPECT_LE(calls.load(), accepted);
        EXPECT_EQ(calls.load(), calls_at_close) << "no callback after close";
    }
}

// What the thread sanitizer looks at: the queue may grow while its memory is counted.
TEST_P(Post, GoesOnWhileTheLoopsMemoryIsCounted) {
    constexpr int posts = 1000;
    int calls = 0;
    csploop_fn count = [](csploop_t *, const csploop_record *, void *arg) { ++*static_cast<int *>(arg); };
    const int64_t before = csploop_heap_bytes(loop);
    std::thread producer([&] {
        for (int i = 0; i < posts; ++i)
            EXPECT_EQ(csploop_post(loop, count, &calls), 0);
    });
    waiting_for = "all posts";
    while (calls < posts) {
        EXPECT_GE(csploop_heap_bytes(loop), before);
        h.turn(-1);
    }
    producer.join();
}
