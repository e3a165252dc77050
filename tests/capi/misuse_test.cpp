// Misuse: NULL handles, NULL arguments, ids of nothing, wrong threads, calls after close. Each answers with its code.
#include "support/bridges.hpp"
#include "support/calls.hpp"
#include "support/harness.hpp"
#include "support/sockets.hpp"

#include <climits>
#include <future>

using namespace csploop_test;

namespace {

void nothing(csploop_t *, const csploop_record *, void *) {}

} // namespace

TEST(MisuseOfNull, EveryFunctionAnswersNull) {
    for (const Call &entry : loop_thread_calls())
        EXPECT_EQ(entry.call(nullptr), CSPLOOP_EINVAL) << entry.name;
    for (const Call &entry : any_thread_calls())
        EXPECT_EQ(entry.call(nullptr), CSPLOOP_EINVAL) << entry.name;
    EXPECT_EQ(csploop_close(nullptr), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_now(nullptr), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_poller_kind(nullptr), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_heap_bytes(nullptr), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_slab(nullptr, nullptr), nullptr);
    csploop_bridge_counts counts{};
    counts.size = sizeof counts;
    char byte = 0;
    EXPECT_EQ(csploop_bridge_push(nullptr, &byte, 1), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_bridge_drain(nullptr, nullptr, nullptr, &byte, 1), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_bridge_close(nullptr), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_bridge_stats(nullptr, &counts), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_bridge_id(nullptr), 0u);
}

class Misuse : public PollerTest {
protected:
    // The loop still does its work.
    void expect_unharmed() {
        h.forget();
        csploop_id id = 0;
        ASSERT_EQ(csploop_call_soon(loop, &id, nullptr, nullptr), 0);
        h.until_event(id, CSPLOOP_KIND_SOON, "the loop, unharmed");
    }
};
CSPLOOP_ON_ALL_POLLERS(Misuse);

TEST_P(Misuse, EveryLoopThreadCallFromElsewhereIsRefused) {
    ASSERT_EQ(csploop_attach(loop), 0);
    std::async(std::launch::async, [&] {
        for (const Call &entry : loop_thread_calls())
            EXPECT_EQ(entry.call(loop), CSPLOOP_ETHREAD) << entry.name;
        EXPECT_EQ(csploop_close(loop), CSPLOOP_ETHREAD);
        EXPECT_EQ(csploop_heap_bytes(loop), CSPLOOP_ETHREAD);
    }).get();
    expect_unharmed();
    EXPECT_EQ(csploop_detach(loop), 0);
}

TEST_P(Misuse, EveryCallAfterCloseIsRefused) {
    csploop_t *closed = nullptr;
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.poller = GetParam();
    ASSERT_EQ(csploop_new(&closed, &options), 0);
    ASSERT_EQ(csploop_close(closed), 0);
    for (const Call &entry : any_thread_calls())
        EXPECT_EQ(entry.call(closed), CSPLOOP_ECLOSED) << entry.name;
    for (const Call &entry : loop_thread_calls())
        if (std::string_view(entry.name) != "detach") {
            EXPECT_EQ(entry.call(closed), CSPLOOP_ECLOSED) << entry.name;
        }
    EXPECT_EQ(csploop_detach(closed), 0) << "closing has detached it";
    // What only reads goes on.
    EXPECT_GT(csploop_now(closed), 0);
    EXPECT_EQ(csploop_poller_kind(closed), GetParam());
    EXPECT_GT(csploop_heap_bytes(closed), 0);
    EXPECT_EQ(csploop_slab(closed, nullptr), nullptr);
    csploop_unref(closed);
}

TEST_P(Misuse, IdsOfNothingAreBad) {
    auto [near, far] = socket_pair();
    csploop_id stream = 0, watcher = 0, timer = 0;
    auto [reader, writer] = pipe_pair();
    ASSERT_EQ(csploop_stream_adopt(loop, &stream, near.release(), nullptr, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_watch(loop, &watcher, reader.get(), CSPLOOP_WATCH_READ, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_call_later(loop, &timer, 3600 * second, nullptr, nullptr), 0);
    char text[128];
    // Near misses of live ids, other kinds' ids, and plain nonsense: always an error, never somebody else's object.
    std::vector<csploop_id> wrong = {0, 1, UINT64_MAX, uint64_t{1} << 63};
    for (csploop_id id : {stream, watcher, timer})
        for (int bit = 0; bit < 64; ++bit)
            wrong.push_back(id ^ (csploop_id{1} << bit));
    // One bit may make the id of one kind into that of another, which is alive.
    std::erase_if(wrong, [&](csploop_id id) { return id == stream || id == watcher || id == timer; });
    for (csploop_id id : wrong) {
        EXPECT_LT(csploop_cancel(loop, id), 0) << id;
        EXPECT_LT(csploop_unwatch(loop, id), 0) << id;
        EXPECT_LT(csploop_watch_modify(loop, id, CSPLOOP_WATCH_READ), 0) << id;
        EXPECT_LT(csploop_listener_pause(loop, id), 0) << id;
        EXPECT_LT(csploop_listener_resume(loop, id), 0) << id;
        EXPECT_LT(csploop_stream_set_handler(loop, id, nullptr, nullptr), 0) << id;
        EXPECT_LT(csploop_stream_read_start(loop, id, CSPLOOP_READ_SLAB), 0) << id;
        EXPECT_LT(csploop_stream_read_stop(loop, id), 0) << id;
        EXPECT_LT(csploop_stream_read_into(loop, id, text, sizeof text), 0) << id;
        EXPECT_LT(csploop_stream_write(loop, id, "x", 1), 0) << id;
        EXPECT_LT(csploop_stream_write_ref(loop, id, "x", 1, nullptr, nullptr), 0) << id;
        EXPECT_LT(csploop_stream_flush(loop, id), 0) << id;
        EXPECT_LT(csploop_stream_buffered(loop, id), 0) << id;
        EXPECT_LT(csploop_stream_shutdown(loop, id), 0) << id;
        EXPECT_LT(csploop_stream_close(loop, id, CSPLOOP_CLOSE_DRAIN), 0) << id;
        EXPECT_LT(csploop_stream_fd(loop, id), 0) << id;
        EXPECT_LT(csploop_stream_local_address(loop, id, text, sizeof text), 0) << id;
        EXPECT_LT(csploop_stream_peer_address(loop, id, text, sizeof text), 0) << id;
    }
    h.settle();
    EXPECT_TRUE(h.log().empty());
    ASSERT_EQ(csploop_stream_write(loop, stream, "mine", 4), 0);
    h.turn(0);
    EXPECT_EQ(receive(far, 4), "mine");
    EXPECT_EQ(csploop_unwatch(loop, watcher), 0);
    EXPECT_EQ(csploop_cancel(loop, timer), 0);
}

TEST_P(Misuse, ATimersIdIsNoStreamsId) {
    csploop_id timer = 0;
    ASSERT_EQ(csploop_call_later(loop, &timer, 3600 * second, nullptr, nullptr), 0);
    EXPECT_EQ(csploop_stream_close(loop, timer, CSPLOOP_CLOSE_ABORT), CSPLOOP_EBADID);
    EXPECT_EQ(csploop_unwatch(loop, timer), CSPLOOP_EBADID);
    EXPECT_EQ(csploop_cancel(loop, timer), 0);
    auto [near, far] = socket_pair();
    csploop_id stream = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &stream, near.release(), nullptr, nullptr, nullptr), 0);
    EXPECT_EQ(csploop_cancel(loop, stream), CSPLOOP_EINVAL) << "not a timer's id";
}

TEST_P(Misuse, MoreIdsThanThereAreIsALackOfMemory) {
    csploop_id id = 77;
    EXPECT_EQ(csploop_ids_reserve(loop, &id, (1 << 26) + 1), CSPLOOP_ENOMEM);
    EXPECT_EQ(csploop_ids_reserve(loop, &id, INT_MAX), CSPLOOP_ENOMEM);
    EXPECT_EQ(id, 77u) << "nothing was written";
    expect_unharmed();
}

TEST_P(Misuse, NullArgumentsAreRefused) {
    EXPECT_EQ(csploop_next_deadline(loop, nullptr), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_bridge_new(loop, nullptr, nullptr, nothing, nullptr), CSPLOOP_EINVAL);
    csploop_id id = 0;
    EXPECT_EQ(csploop_tcp_listen(loop, &id, nullptr, 0, nullptr, nothing, nullptr), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_unix_listen(loop, &id, nullptr, nullptr, nothing, nullptr), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_tcp_connect(loop, &id, nullptr, 1, nullptr, nothing, nullptr), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_unix_connect(loop, &id, nullptr, nullptr, nothing, nullptr), CSPLOOP_EINVAL);
    expect_unharmed();
}

TEST_P(Misuse, BadStreamOptionsAreRefusedAndLeaveTheDescriptor) {
    auto [near, far] = socket_pair();
    csploop_id id = 0;
    csploop_stream_options options = CSPLOOP_STREAM_OPTIONS_INIT;
    options.flags = 1u << 31;
    EXPECT_EQ(csploop_stream_adopt(loop, &id, near.get(), &options, nullptr, nullptr), CSPLOOP_EINVAL);
    options = CSPLOOP_STREAM_OPTIONS_INIT;
    options.size = 0;
    EXPECT_EQ(csploop_stream_adopt(loop, &id, near.get(), &options, nullptr, nullptr), CSPLOOP_EINVAL);
    options = CSPLOOP_STREAM_OPTIONS_INIT;
    options.backlog = -1;
    EXPECT_EQ(csploop_tcp_listen(loop, &id, "127.0.0.1", 0, &options, nullptr, nullptr), CSPLOOP_EINVAL);
    EXPECT_TRUE(fd_is_open(near.get()));
    expect_unharmed();
}

TEST_P(Misuse, ABridgeIsDrainedOnItsLoopsThreadOnly) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_FAIL, 8, 8);
    ASSERT_EQ(csploop_attach(loop), 0);
    std::async(std::launch::async, [&] {
        char buffer[64];
        EXPECT_EQ(csploop_bridge_drain(bridge.get(), nullptr, nullptr, buffer, sizeof buffer), CSPLOOP_ETHREAD);
        EXPECT_EQ(bridge.push(uint64_t{1}), 0);
    }).get();
    EXPECT_EQ(bridge.drain_numbers(), (std::vector<uint64_t>{1}));
    EXPECT_EQ(csploop_bridge_drain(bridge.get(), nullptr, nullptr, nullptr, 64), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_detach(loop), 0);
}
