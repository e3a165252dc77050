// What a host needs that owns the thread: csploop_backend_fd and csploop_next_deadline.
#include "support/harness.hpp"
#include "support/sockets.hpp"

#include <poll.h>

using namespace csploop_test;

class Driver : public PollerTest {
protected:
    bool rings(int timeout_ms = 0) {
        pollfd entry{csploop_backend_fd(loop), POLLIN, 0};
        return poll(&entry, 1, timeout_ms) == 1 && (entry.revents & POLLIN);
    }
    int64_t deadline() {
        int64_t value = -1;
        EXPECT_EQ(csploop_next_deadline(loop, &value), 0);
        return value;
    }
};
CSPLOOP_ON_ALL_POLLERS(Driver);

TEST_P(Driver, AnIdleLoopIsSilentAndWantsNothing) {
    EXPECT_EQ(deadline(), INT64_MAX);
    EXPECT_FALSE(rings());
    h.settle();
    EXPECT_EQ(deadline(), INT64_MAX);
    EXPECT_FALSE(rings());
}

TEST_P(Driver, TheDescriptorStaysTheSame) {
    const int fd = csploop_backend_fd(loop);
    EXPECT_GE(fd, 0);
    EXPECT_TRUE(fd_is_open(fd));
    csploop_id id = 0;
    auto [reader, writer] = pipe_pair();
    EXPECT_EQ(csploop_watch(loop, &id, reader.get(), CSPLOOP_WATCH_READ, nullptr, nullptr), 0);
    EXPECT_EQ(csploop_call_at_wall(loop, nullptr, INT64_MAX, nullptr, nullptr), 0);
    h.settle();
    EXPECT_EQ(csploop_backend_fd(loop), fd);
    EXPECT_EQ(csploop_unwatch(loop, id), 0);
}

TEST_P(Driver, ItRingsForAWakeAndFallsSilentAfterTheTurn) {
    EXPECT_EQ(deadline(), INT64_MAX);
    EXPECT_EQ(csploop_wake(loop), 0);
    EXPECT_TRUE(rings());
    h.turn(0);
    EXPECT_EQ(deadline(), INT64_MAX);
    EXPECT_FALSE(rings());
}

TEST_P(Driver, ItRingsForAPost) {
    csploop_fn nothing = [](csploop_t *, const csploop_record *, void *) {};
    EXPECT_EQ(deadline(), INT64_MAX);
    EXPECT_EQ(csploop_post(loop, nothing, nullptr), 0);
    EXPECT_TRUE(rings());
    h.turn(0);
    EXPECT_EQ(deadline(), INT64_MAX);
    EXPECT_FALSE(rings());
}

TEST_P(Driver, WorkThatIsReadyWantsATurnAtOnce) {
    ASSERT_EQ(csploop_call_soon(loop, nullptr, nullptr, nullptr), 0);
    EXPECT_EQ(deadline(), 0);
    h.turn(0);
    EXPECT_EQ(deadline(), INT64_MAX);
}

TEST_P(Driver, UnsentBytesWantATurnAtOnce) {
    auto [near, far] = socket_pair();
    csploop_id id = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &id, near.release(), nullptr, nullptr, nullptr), 0);
    h.settle();
    EXPECT_EQ(deadline(), INT64_MAX);
    ASSERT_EQ(csploop_stream_write(loop, id, "x", 1), 0);
    EXPECT_EQ(deadline(), 0);
    h.turn(0);
    EXPECT_EQ(deadline(), INT64_MAX);
    EXPECT_EQ(receive(far, 1), "x");
}

TEST_P(Driver, TheNextDeadlineIsTheEarliestTimers) {
    const int64_t now = csploop_now(loop);
    csploop_id late = 0, early = 0;
    ASSERT_EQ(csploop_call_at(loop, &late, now + 3600 * second, nullptr, nullptr), 0);
    EXPECT_EQ(deadline(), now + 3600 * second);
    ASSERT_EQ(csploop_call_at(loop, &early, now + 1800 * second, nullptr, nullptr), 0);
    EXPECT_EQ(deadline(), now + 1800 * second);
    ASSERT_EQ(csploop_cancel(loop, early), 0);
    EXPECT_EQ(deadline(), now + 3600 * second);
    ASSERT_EQ(csploop_cancel(loop, late), 0);
    EXPECT_EQ(deadline(), INT64_MAX);
}

TEST_P(Driver, ATimerWakesAHostThatSleepsUntilTheDeadline) {
    Harness host(Mode{GetParam(), Wait::host, Form::batch});
    for (int64_t delay : {int64_t{0}, 100 * microsecond, 3 * millisecond}) {
        const int64_t before = monotonic_ns();
        csploop_id id = 0;
        ASSERT_EQ(csploop_call_later(host.loop(), &id, delay, nullptr, nullptr), 0);
        host.until_event(id, CSPLOOP_KIND_TIMER, "the timer");
        EXPECT_GE(monotonic_ns() - before, delay);
    }
}

TEST_P(Driver, AWallTimerReachesTheHost) {
    Harness host(Mode{GetParam(), Wait::host, Form::batch});
    const int64_t due = wall_ns() + 3 * millisecond;
    csploop_id id = 0;
    ASSERT_EQ(csploop_call_at_wall(host.loop(), &id, due, nullptr, nullptr), 0);
    host.until_event(id, CSPLOOP_KIND_TIMER, "the wall timer");
    EXPECT_GE(wall_ns(), due);
}

TEST_P(Driver, ItRingsForReadinessUntilTheTurn) {
    auto [near, far] = socket_pair();
    csploop_id id = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &id, near.release(), nullptr, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_stream_read_start(loop, id, CSPLOOP_READ_SLAB), 0);
    h.settle();
    EXPECT_EQ(deadline(), INT64_MAX);
    EXPECT_FALSE(rings());
    send_all(far, "x");
    EXPECT_TRUE(rings());
    h.until([&] { return h.text(id) == "x"; }, "the byte");
    h.settle();
    EXPECT_FALSE(rings());
}

TEST_P(Driver, APausedReaderDoesNotRing) {
    auto [near, far] = socket_pair();
    csploop_id id = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &id, near.release(), nullptr, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_stream_read_start(loop, id, CSPLOOP_READ_SLAB), 0);
    ASSERT_EQ(csploop_stream_read_stop(loop, id), 0);
    send_all(far, "x");
    h.settle();
    EXPECT_EQ(deadline(), INT64_MAX);
    EXPECT_FALSE(rings()) << "or a host would spin";
    EXPECT_TRUE(h.log().empty());
}

TEST_P(Driver, WorksWithoutPollerSpecificsAfterManyTurns) {
    Harness host(Mode{GetParam(), Wait::host, Form::callback});
    auto [near, far] = socket_pair();
    csploop_id id = 0;
    ASSERT_EQ(csploop_stream_adopt(host.loop(), &id, near.release(), nullptr, host.fn(), host.arg()), 0);
    ASSERT_EQ(csploop_stream_read_start(host.loop(), id, CSPLOOP_READ_SLAB), 0);
    for (int i = 0; i < 500; ++i) {
        send_all(far, "p");
        host.until([&] { return host.text(id).size() == static_cast<size_t>(i) + 1; }, "the ping");
        ASSERT_EQ(csploop_stream_write(host.loop(), id, "q", 1), 0);
        host.turn(0);
        ASSERT_EQ(receive(far, 1), "q");
    }
}
