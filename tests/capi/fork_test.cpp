// A child process inherits the handle, but not the loop: it may close and unref, and the parent's goes on.
#include "support/bridges.hpp"
#include "support/calls.hpp"
#include "support/harness.hpp"
#include "support/sockets.hpp"

#include <sys/wait.h>
#include <thread>

using namespace csploop_test;

namespace {

// Runs `body` in a child; it returns 0 when all was well, else the line number that was not.
template <class Body>
int in_child(Body body) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(Alarm::limit_seconds);
        _exit(body());
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

// A gtest assertion in the child would be lost, so a failed check ends it with its line, modulo what fits.
#define CHILD_EXPECT(condition)        \
    do {                               \
        if (!(condition))              \
            return __LINE__ % 255 + 1; \
    } while (0)

class Fork : public ModeTest {};
CSPLOOP_IN_ALL_MODES(Fork);

TEST_P(Fork, TheChildMayOnlyCloseAndUnref) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_BLOCK, 8, 2, h.fn(), h.arg());
    const int failed_line = in_child([&]() -> int {
        for (const std::vector<Call> &calls : {loop_thread_calls(), any_thread_calls()})
            for (const Call &entry : calls)
                if (entry.call(loop) != CSPLOOP_ECHILD) {
                    std::fprintf(stderr, "%s: no ECHILD in the child\n", entry.name);
                    return 1;
                }
        CHILD_EXPECT(csploop_heap_bytes(loop) == CSPLOOP_ECHILD);
        char buffer[64];
        CHILD_EXPECT(bridge.push(uint64_t{1}) == CSPLOOP_ECHILD);
        CHILD_EXPECT(csploop_bridge_push_many(bridge.get(), nullptr, buffer, 1) == CSPLOOP_ECHILD);
        CHILD_EXPECT(csploop_bridge_drain(bridge.get(), nullptr, nullptr, buffer, sizeof buffer) == CSPLOOP_ECHILD);
        CHILD_EXPECT(csploop_bridge_close(bridge.get()) == CSPLOOP_ECHILD);
        CHILD_EXPECT(csploop_ref(loop) == loop);
        csploop_unref(loop);
        CHILD_EXPECT(csploop_close(loop) == 0);
        CHILD_EXPECT(csploop_close(loop) == 0);
        return 0;
    });
    EXPECT_EQ(failed_line, 0);
    EXPECT_EQ(bridge.push(uint64_t{7}), 0);
    h.until_event(bridge.id(), CSPLOOP_KIND_BRIDGE, "the parent's bridge");
}

// A callback that forks can serve its record in the child: what only reads goes on until the child closes the loop.
TEST_P(Fork, WhatOnlyReadsGoesOnInTheChild) {
    TestBridge bridge(loop, CSPLOOP_BRIDGE_BLOCK, 8, 2, h.fn(), h.arg());
    const csploop_id bridge_id = bridge.id();
    auto [near, far] = socket_pair();
    csploop_id stream = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &stream, near.release(), nullptr, h.fn(), h.arg()), 0);
    ASSERT_EQ(csploop_stream_read_start(loop, stream, CSPLOOP_READ_SLAB), 0);
    send_all(far, "a request");
    h.until([&] { return h.text(stream) == "a request"; }, "the request");
    const csploop_record read = h.last(stream, CSPLOOP_KIND_READ);
    ASSERT_EQ(bridge.push(uint64_t{1}), 0);
    const int64_t before = csploop_now(loop);
    EXPECT_EQ(in_child([&]() -> int {
                  CHILD_EXPECT(csploop_now(loop) >= before);
                  CHILD_EXPECT(csploop_poller_kind(loop) == GetParam().poller);
                  uint64_t size = 0;
                  const auto *const slab = static_cast<const char *>(csploop_slab(loop, &size));
                  CHILD_EXPECT(std::string(slab + read.offset, static_cast<size_t>(read.result)) == "a request");
                  CHILD_EXPECT(csploop_udp_sender(loop, &read, nullptr) == nullptr);
                  CHILD_EXPECT(bridge.counts().queued == 1);
                  CHILD_EXPECT(bridge.id() == bridge_id);
                  CHILD_EXPECT(csploop_close(loop) == 0);
                  CHILD_EXPECT(csploop_slab(loop, nullptr) == nullptr);
                  CHILD_EXPECT(csploop_now(loop) >= before);
                  return 0;
              }),
              0);
    EXPECT_EQ(bridge.drain_numbers(), (std::vector<uint64_t>{1}));
}

// The producer's thread does not exist in the child; freeing the bridge there must not wait for it.
TEST_P(Fork, TheChildFreesABridgeThatAProducerWasBlockedOn) {
    csploop_bridge_options options = CSPLOOP_BRIDGE_OPTIONS_INIT;
    options.record_size = 8;
    options.capacity = 2;
    csploop_bridge_t *bridge = nullptr;
    ASSERT_EQ(csploop_bridge_new(loop, &bridge, &options, h.fn(), h.arg()), 0);
    const uint64_t number = 1;
    for (int i = 0; i < 2; ++i)
        ASSERT_EQ(csploop_bridge_push(bridge, &number, sizeof number), 0);
    std::thread producer([&] { EXPECT_EQ(csploop_bridge_push(bridge, &number, sizeof number), CSPLOOP_ECLOSED); });
    csploop_bridge_counts counts{};
    counts.size = sizeof counts;
    waiting_for = "the producer to block";
    do {
        std::this_thread::yield();
        ASSERT_EQ(csploop_bridge_stats(bridge, &counts), 0);
    } while (counts.blocked < 1);
    // It counts itself before it waits: while the first children come and go it falls asleep at the latest.
    waiting_for = "a child";
    for (int i = 0; i < 10 && !HasFailure(); ++i)
        EXPECT_EQ(in_child([&]() -> int {
                      alarm(20);
                      CHILD_EXPECT(csploop_close(loop) == 0);
                      CHILD_EXPECT(csploop_bridge_unref(bridge) == nullptr);
                      return 0;
                  }),
                  0);
    EXPECT_EQ(csploop_bridge_close(bridge), 0);
    producer.join();
    csploop_bridge_unref(bridge);
}

TEST_P(Fork, TheParentsRegistrationsSurviveTheChildsClose) {
    auto [near, far] = socket_pair();
    auto [reader, writer] = pipe_pair();
    csploop_id stream = 0, watcher = 0, listener = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &stream, near.release(), nullptr, h.fn(), h.arg()), 0);
    ASSERT_EQ(csploop_stream_read_start(loop, stream, CSPLOOP_READ_SLAB), 0);
    ASSERT_EQ(csploop_watch(loop, &watcher, reader.get(), CSPLOOP_WATCH_READ, h.fn(), h.arg()), 0);
    ASSERT_EQ(csploop_tcp_listen(loop, &listener, "127.0.0.1", 0, nullptr, h.fn(), h.arg()), 0);
    const int port = port_of(csploop_stream_fd(loop, listener));
    csploop_id wall = 0;
    ASSERT_EQ(csploop_call_at_wall(loop, &wall, wall_ns() + 20 * millisecond, h.fn(), h.arg()), 0);
    h.settle();

    EXPECT_EQ(in_child([&]() -> int {
                  CHILD_EXPECT(csploop_close(loop) == 0);
                  CHILD_EXPECT(csploop_unref(loop) == nullptr);
                  return 0;
              }),
              0);

    send_all(far, "to the parent");
    h.until([&] { return h.text(stream) == "to the parent"; }, "the parent's stream");
    ASSERT_EQ(write(writer.get(), "x", 1), 1);
    h.until_event(watcher, CSPLOOP_KIND_WATCH, "the parent's watcher");
    EXPECT_EQ(csploop_unwatch(loop, watcher), 0);
    Fd client = dial_tcp(port);
    h.until([&] { return h.accepted(listener) != 0; }, "the parent's listener");
    h.until_event(wall, CSPLOOP_KIND_TIMER, "the parent's wall timer");
    EXPECT_EQ(csploop_wake(loop), 0);
    h.turn(-1);
}

TEST_P(Fork, AChildThatDoesNothingHarmsNothing) {
    auto [near, far] = socket_pair();
    csploop_id stream = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &stream, near.release(), nullptr, h.fn(), h.arg()), 0);
    ASSERT_EQ(csploop_stream_read_start(loop, stream, CSPLOOP_READ_SLAB), 0);
    EXPECT_EQ(in_child([] { return 0; }), 0);
    send_all(far, "x");
    h.until([&] { return h.text(stream) == "x"; }, "the byte");
}

TEST_P(Fork, TheChildSendsNothingOfTheParents) {
    auto [near, far] = socket_pair();
    csploop_id stream = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &stream, near.release(), nullptr, h.fn(), h.arg()), 0);
    ASSERT_EQ(csploop_stream_write(loop, stream, "once", 4), 0);
    EXPECT_EQ(in_child([&]() -> int {
                  CHILD_EXPECT(csploop_close(loop) == 0);
                  csploop_unref(loop);
                  return 0;
              }),
              0);
    h.turn(0);
    EXPECT_EQ(receive(far, 4), "once");
    h.settle();
    EXPECT_EQ(receive_some(far), "");
}

TEST_P(Fork, AChildCanMakeItsOwnLoop) {
    const csploop_poller poller = GetParam().poller;
    EXPECT_EQ(in_child([&]() -> int {
                  CHILD_EXPECT(csploop_close(loop) == 0);
                  csploop_options options = CSPLOOP_OPTIONS_INIT;
                  options.poller = poller;
                  csploop_t *own = nullptr;
                  CHILD_EXPECT(csploop_new(&own, &options) == 0);
                  int calls = 0;
                  csploop_fn count = [](csploop_t *l, const csploop_record *, void *arg) {
                      ++*static_cast<int *>(arg);
                      csploop_stop(l);
                  };
                  CHILD_EXPECT(csploop_call_later(own, nullptr, 1000, count, &calls) == 0);
                  CHILD_EXPECT(csploop_run(own, CSPLOOP_RUN_FOREVER) == 0);
                  CHILD_EXPECT(calls == 1);
                  int fds[2];
                  CHILD_EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
                  csploop_id id = 0;
                  CHILD_EXPECT(csploop_watch(own, &id, fds[0], CSPLOOP_WATCH_WRITE, count, &calls) == 0);
                  CHILD_EXPECT(csploop_run(own, CSPLOOP_RUN_FOREVER) == 0);
                  CHILD_EXPECT(calls == 2);
                  CHILD_EXPECT(csploop_close(own) == 0);
                  csploop_unref(own);
                  return 0;
              }),
              0);
}

namespace {

// What the callbacks of one run have seen, in the parent and in a child that a callback made.
struct Forking {
    csploop_t *loop = nullptr;
    csploop_id stream = 0;
    bool close_in_child = false;
    pid_t child = -1;
    int calls_after = 0;
};

} // namespace

// A child that comes back from the callback is out of the run at once: nothing is called, sent or waited for.
TEST_P(Fork, AChildMadeByACallbackLeavesTheRun) {
    for (const bool close_in_child : {false, true}) {
        auto [near, far] = socket_pair();
        Forking forking;
        forking.loop = loop;
        forking.close_in_child = close_in_child;
        ASSERT_EQ(csploop_stream_adopt(loop, &forking.stream, near.release(), nullptr, h.fn(), h.arg()), 0);
        csploop_fn write_and_fork = [](csploop_t *l, const csploop_record *, void *arg) {
            auto *f = static_cast<Forking *>(arg);
            EXPECT_EQ(csploop_stream_write(l, f->stream, "once", 4), 0);
            f->child = fork();
            if (f->child == 0) {
                alarm(Alarm::limit_seconds);
                if (f->close_in_child && csploop_close(l) != 0)
                    _exit(2);
            }
        };
        csploop_fn after = [](csploop_t *l, const csploop_record *, void *arg) {
            ++static_cast<Forking *>(arg)->calls_after;
            csploop_stop(l);
        };
        ASSERT_EQ(csploop_call_soon(loop, nullptr, write_and_fork, &forking), 0);
        ASSERT_EQ(csploop_call_soon(loop, nullptr, after, &forking), 0);
        const int code = csploop_run(loop, CSPLOOP_RUN_FOREVER);
        if (forking.child == 0)
            _exit(code == CSPLOOP_ECHILD && forking.calls_after == 0 ? 0 : 1);
        EXPECT_EQ(code, 0);
        EXPECT_EQ(forking.calls_after, 1);
        int status = 0;
        ASSERT_EQ(waitpid(forking.child, &status, 0), forking.child);
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
        EXPECT_EQ(receive(far, 4), "once");
        h.settle();
        EXPECT_EQ(receive_some(far), "");
    }
}
