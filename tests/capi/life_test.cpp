// A loop's life: made, referenced, attached, closed, freed.
#include "support/harness.hpp"
#include "support/sockets.hpp"

#include <future>
#include <thread>

using namespace csploop_test;

namespace {

csploop_t *new_loop(const csploop_options *options = nullptr) {
    csploop_t *loop = nullptr;
    EXPECT_EQ(csploop_new(&loop, options), 0);
    return loop;
}

// What a call returns on another thread.
template <class Call>
int elsewhere(Call call) {
    return std::async(std::launch::async, call).get();
}

void count_call(csploop_t *, const csploop_record *, void *arg) {
    ++*static_cast<int *>(arg);
}

} // namespace

TEST(Life, DefaultsNeedNoOptions) {
    csploop_t *loop = new_loop();
    ASSERT_NE(loop, nullptr);
    EXPECT_EQ(csploop_turn(loop, nullptr, 0), 0);
    EXPECT_EQ(csploop_close(loop), 0);
    EXPECT_EQ(csploop_unref(loop), nullptr);
}

TEST(Life, PollerKindIsNeverDefault) {
    csploop_t *loop = new_loop();
    EXPECT_GT(csploop_poller_kind(loop), CSPLOOP_POLLER_DEFAULT);
    csploop_unref(loop);
    for (csploop_poller poller : pollers()) {
        csploop_options options = CSPLOOP_OPTIONS_INIT;
        options.poller = poller;
        loop = new_loop(&options);
        EXPECT_EQ(csploop_poller_kind(loop), poller);
        csploop_unref(loop);
    }
}

TEST(Life, BadOptionsAreRefusedAndLeaveNull) {
    auto refused = [](auto change) {
        csploop_options options = CSPLOOP_OPTIONS_INIT;
        change(options);
        int something = 0;
        auto *loop = reinterpret_cast<csploop_t *>(&something);
        const int code = csploop_new(&loop, &options);
        EXPECT_EQ(loop, nullptr);
        return code;
    };
    EXPECT_EQ(refused([](csploop_options &o) { o.clock = 99; }), CSPLOOP_EINVAL);
    EXPECT_EQ(refused([](csploop_options &o) { o.poller = 99; }), CSPLOOP_EINVAL);
    EXPECT_EQ(refused([](csploop_options &o) { o.slab_bytes = 1; }), CSPLOOP_EINVAL);
    EXPECT_EQ(refused([](csploop_options &o) { o.slab_bytes = UINT64_MAX; }), CSPLOOP_EINVAL);
    EXPECT_EQ(refused([](csploop_options &o) { o.size = 0; }), CSPLOOP_EINVAL);
    EXPECT_EQ(refused([](csploop_options &o) {
                  o.clock = CSPLOOP_CLOCK_SIMULATED;
                  o.start_ns = -1;
              }),
              CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_new(nullptr, nullptr), CSPLOOP_EINVAL);
}

TEST(Life, FieldsBehindAnOlderSizeTakeTheirDefaults) {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.size = offsetof(csploop_options, start_ns);
    options.clock = CSPLOOP_CLOCK_SIMULATED;
    options.start_ns = -12345; // an older program has no such field; this is whatever lies behind its struct
    options.slab_bytes = 1;
    csploop_t *loop = new_loop(&options);
    ASSERT_NE(loop, nullptr);
    EXPECT_EQ(csploop_now(loop), 0);
    csploop_unref(loop);
}

TEST(Life, ANewerAndLargerStructIsUnderstood) {
    struct {
        csploop_options known = CSPLOOP_OPTIONS_INIT;
        uint64_t later[4] = {};
    } options;
    options.known.size = sizeof options;
    options.known.clock = CSPLOOP_CLOCK_SIMULATED;
    options.known.start_ns = 77;
    csploop_t *loop = new_loop(&options.known);
    ASSERT_NE(loop, nullptr);
    EXPECT_EQ(csploop_now(loop), 77);
    csploop_unref(loop);
}

TEST(Life, ClosingTwiceIsNoError) {
    csploop_t *loop = new_loop();
    EXPECT_EQ(csploop_close(loop), 0);
    EXPECT_EQ(csploop_close(loop), 0);
    csploop_unref(loop);
}

TEST(Life, TheLastUnrefClosesAnOpenLoop) {
    csploop_t *loop = new_loop();
    const int fd = csploop_backend_fd(loop);
    ASSERT_TRUE(fd_is_open(fd));
    EXPECT_EQ(csploop_unref(loop), nullptr);
    EXPECT_FALSE(fd_is_open(fd));
}

// A bridge keeps the loop's memory, not the loop: else the two would keep each other for ever.
TEST(Life, TheLastUnrefClosesALoopThatHasBridges) {
    csploop_t *loop = new_loop();
    const int fd = csploop_backend_fd(loop);
    csploop_bridge_t *bridge = nullptr;
    ASSERT_EQ(csploop_bridge_new(loop, &bridge, nullptr, count_call, nullptr), 0);
    EXPECT_EQ(csploop_bridge_push(bridge, "x", 1), 0);
    EXPECT_EQ(csploop_unref(loop), nullptr);
    EXPECT_FALSE(fd_is_open(fd));
    EXPECT_EQ(csploop_bridge_push(bridge, "x", 1), CSPLOOP_ECLOSED);
    csploop_bridge_counts counts{};
    counts.size = sizeof counts;
    EXPECT_EQ(csploop_bridge_stats(bridge, &counts), 0);
    EXPECT_EQ(counts.dropped, 1u);
    csploop_bridge_unref(bridge);
}

TEST(Life, ACallbackMayDropTheLastReferenceWhileABridgeLives) {
    csploop_t *loop = new_loop();
    const int fd = csploop_backend_fd(loop);
    csploop_bridge_t *bridge = nullptr;
    ASSERT_EQ(csploop_bridge_new(loop, &bridge, nullptr, count_call, nullptr), 0);
    csploop_fn drop = [](csploop_t *l, const csploop_record *, void *) { csploop_unref(l); };
    EXPECT_EQ(csploop_call_soon(loop, nullptr, drop, nullptr), 0);
    EXPECT_EQ(csploop_turn(loop, nullptr, 0), 0);
    EXPECT_FALSE(fd_is_open(fd));
    csploop_bridge_unref(bridge);
}

TEST(Life, AnyThreadMayAskWhileTheLoopCloses) {
    for (csploop_poller poller : pollers()) {
        csploop_options options = CSPLOOP_OPTIONS_INIT;
        options.poller = poller;
        csploop_t *loop = new_loop(&options);
        const int fd = csploop_backend_fd(loop);
        csploop_ref(loop);
        std::promise<void> asks;
        std::thread other([&] {
            asks.set_value();
            for (int asked = fd; asked != CSPLOOP_ECLOSED; asked = csploop_backend_fd(loop)) {
                EXPECT_EQ(asked, fd);
                EXPECT_EQ(csploop_poller_kind(loop), poller);
                EXPECT_GT(csploop_now(loop), 0);
            }
            csploop_unref(loop);
        });
        asks.get_future().wait();
        EXPECT_EQ(csploop_close(loop), 0);
        csploop_unref(loop);
        other.join();
    }
}

TEST(Life, TheHandleOutlivesClose) {
    csploop_t *loop = new_loop();
    EXPECT_EQ(csploop_ref(loop), loop);
    EXPECT_EQ(csploop_close(loop), 0);
    csploop_unref(loop);
    EXPECT_EQ(csploop_wake(loop), CSPLOOP_ECLOSED);
    EXPECT_EQ(csploop_stop(loop), CSPLOOP_ECLOSED);
    EXPECT_EQ(csploop_post(loop, count_call, nullptr), CSPLOOP_ECLOSED);
    EXPECT_EQ(csploop_turn(loop, nullptr, 0), CSPLOOP_ECLOSED);
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_NOWAIT), CSPLOOP_ECLOSED);
    EXPECT_EQ(csploop_call_soon(loop, nullptr, count_call, nullptr), CSPLOOP_ECLOSED);
    EXPECT_EQ(csploop_attach(loop), CSPLOOP_ECLOSED);
    EXPECT_EQ(csploop_backend_fd(loop), CSPLOOP_ECLOSED);
    int64_t deadline = 0;
    EXPECT_EQ(csploop_next_deadline(loop, &deadline), CSPLOOP_ECLOSED);
    csploop_unref(loop);
}

TEST(Life, RefAndUnrefTakeNull) {
    EXPECT_EQ(csploop_ref(nullptr), nullptr);
    EXPECT_EQ(csploop_unref(nullptr), nullptr);
}

TEST(Life, CloseDropsTimersAndPostsWithoutCallingThem) {
    csploop_t *loop = new_loop();
    int calls = 0;
    EXPECT_EQ(csploop_call_soon(loop, nullptr, count_call, &calls), 0);
    EXPECT_EQ(csploop_call_later(loop, nullptr, 0, count_call, &calls), 0);
    EXPECT_EQ(csploop_post(loop, count_call, &calls), 0);
    EXPECT_EQ(csploop_close(loop), 0);
    csploop_unref(loop);
    EXPECT_EQ(calls, 0);
}

TEST(Life, CloseInsideACallbackIsBusy) {
    csploop_t *loop = new_loop();
    int code = 0;
    csploop_fn close_here = [](csploop_t *l, const csploop_record *, void *arg) {
        *static_cast<int *>(arg) = csploop_close(l);
    };
    EXPECT_EQ(csploop_call_soon(loop, nullptr, close_here, &code), 0);
    EXPECT_EQ(csploop_turn(loop, nullptr, 0), 0);
    EXPECT_EQ(code, CSPLOOP_EBUSY);
    EXPECT_EQ(csploop_turn(loop, nullptr, 0), 0);
    EXPECT_EQ(csploop_close(loop), 0);
    csploop_unref(loop);
}

TEST(Life, AnAttachedLoopBelongsToItsThread) {
    csploop_t *loop = new_loop();
    ASSERT_EQ(csploop_attach(loop), 0);
    EXPECT_EQ(elsewhere([&] { return csploop_attach(loop); }), CSPLOOP_EBUSY);
    EXPECT_EQ(elsewhere([&] { return csploop_turn(loop, nullptr, 0); }), CSPLOOP_ETHREAD);
    EXPECT_EQ(elsewhere([&] { return csploop_run(loop, CSPLOOP_RUN_NOWAIT); }), CSPLOOP_ETHREAD);
    EXPECT_EQ(elsewhere([&] { return csploop_call_soon(loop, nullptr, count_call, nullptr); }), CSPLOOP_ETHREAD);
    EXPECT_EQ(elsewhere([&] { return csploop_close(loop); }), CSPLOOP_ETHREAD);
    EXPECT_EQ(elsewhere([&] { return csploop_detach(loop); }), CSPLOOP_ETHREAD);
    EXPECT_EQ(elsewhere([&] { return csploop_wake(loop); }), 0);
    EXPECT_EQ(csploop_detach(loop), 0);
    EXPECT_EQ(elsewhere([&] { return csploop_turn(loop, nullptr, 0); }), 0);
    csploop_unref(loop);
}

TEST(Life, AttachingTwiceNeedsTwoDetaches) {
    csploop_t *loop = new_loop();
    ASSERT_EQ(csploop_attach(loop), 0);
    ASSERT_EQ(csploop_attach(loop), 0);
    EXPECT_EQ(csploop_detach(loop), 0);
    EXPECT_EQ(elsewhere([&] { return csploop_attach(loop); }), CSPLOOP_EBUSY);
    EXPECT_EQ(csploop_detach(loop), 0);
    EXPECT_EQ(elsewhere([&] {
                  const int code = csploop_attach(loop);
                  return code ? code : csploop_detach(loop);
              }),
              0);
    EXPECT_LT(csploop_detach(loop), 0);
    csploop_unref(loop);
}

TEST(Life, DetachInsideACallbackIsBusy) {
    csploop_t *loop = new_loop();
    int code = 0;
    csploop_fn detach_here = [](csploop_t *l, const csploop_record *, void *arg) {
        *static_cast<int *>(arg) = csploop_detach(l);
    };
    ASSERT_EQ(csploop_attach(loop), 0);
    EXPECT_EQ(csploop_call_soon(loop, nullptr, detach_here, &code), 0);
    EXPECT_EQ(csploop_turn(loop, nullptr, 0), 0);
    EXPECT_EQ(code, CSPLOOP_EBUSY);
    EXPECT_EQ(csploop_detach(loop), 0);
    csploop_unref(loop);
}

TEST(Life, RunAttachesForTheTimeBeing) {
    csploop_t *loop = new_loop();
    int inside = 0;
    csploop_fn attach_elsewhere = [](csploop_t *l, const csploop_record *, void *arg) {
        *static_cast<int *>(arg) = elsewhere([l] { return csploop_attach(l); });
    };
    EXPECT_EQ(csploop_call_soon(loop, nullptr, attach_elsewhere, &inside), 0);
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_NOWAIT), 0);
    EXPECT_EQ(inside, CSPLOOP_EBUSY);
    EXPECT_EQ(elsewhere([&] {
                  const int code = csploop_attach(loop);
                  return code ? code : csploop_detach(loop);
              }),
              0);
    csploop_unref(loop);
}

TEST(Life, AnIdleLoopMayMoveBetweenThreads) {
    csploop_t *loop = new_loop();
    int calls = 0;
    for (int i = 0; i < 4; ++i)
        std::thread([&] {
            EXPECT_EQ(csploop_call_soon(loop, nullptr, count_call, &calls), 0);
            EXPECT_EQ(csploop_turn(loop, nullptr, 0), 0);
        }).join();
    EXPECT_EQ(calls, 4);
    csploop_unref(loop);
}

TEST(Life, ManyLoopsLiveSideBySide) {
    std::vector<csploop_t *> loops;
    int calls = 0;
    for (int i = 0; i < 50; ++i) {
        csploop_options options = CSPLOOP_OPTIONS_INIT;
        options.poller = pollers()[static_cast<size_t>(i) % pollers().size()];
        loops.push_back(new_loop(&options));
        EXPECT_EQ(csploop_call_soon(loops.back(), nullptr, count_call, &calls), 0);
    }
    for (csploop_t *loop : loops)
        EXPECT_EQ(csploop_turn(loop, nullptr, 0), 0);
    EXPECT_EQ(calls, 50);
    for (csploop_t *loop : loops)
        csploop_unref(loop);
}
