// One test per hard rule of the core's design, by number. A rule's parts are tested one by one in the subject files;
// here each rule is kept as a whole, once, so that breaking one has its name in the report.
#include "support/bridges.hpp"
#include "support/round_trips.hpp"
#include "support/streams.hpp"

#include <atomic>
#include <csignal>
#include <future>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>

using namespace csploop_test;

class HardRule : public StreamTest {};
CSPLOOP_IN_ALL_MODES(HardRule);

// Also: listen_test (EMFILE), watch_test (failing registrations), write_test (SIGPIPE), adversity_test (closed descriptors).
TEST_P(HardRule, Rule1_OwnNonBlockingIoAndAnErrorForEachBadRegistration) {
    // SIGPIPE keeps its default action here: raised once, it would end the process.
    struct sigaction action {};
    ASSERT_EQ(sigaction(SIGPIPE, nullptr, &action), 0);
    ASSERT_EQ(action.sa_handler, SIG_DFL);
    Stream gone = pair();
    gone.far.close();
    ASSERT_EQ(write(gone.id, "into nothing"), 0);
    h.until_event(gone.id, CSPLOOP_KIND_ERROR, "an error, no signal");

    // A descriptor closed behind a registration does not end the process at the next turn.
    auto [near, far] = socket_pair();
    csploop_id watcher = 0;
    ASSERT_EQ(csploop_watch(loop, &watcher, near.get(), CSPLOOP_WATCH_READ, h.fn(), h.arg()), 0);
    const int stale = near.get();
    near.close();
    h.settle();
    EXPECT_EQ(csploop_watch_modify(loop, watcher, CSPLOOP_WATCH_WRITE), CSPLOOP_EBADF);
    EXPECT_EQ(csploop_unwatch(loop, watcher), 0);
    EXPECT_EQ(csploop_watch(loop, &watcher, stale, CSPLOOP_WATCH_READ, h.fn(), h.arg()), CSPLOOP_EBADF);

    // Writes queued while the kernel was full go out in few calls: everything arrives, in order.
    Stream slow = tcp();
    shrink_buffers(csploop_stream_fd(loop, slow.id));
    std::string sent = pattern(1 << 20);
    ASSERT_EQ(write(slow.id, sent), 0);
    h.settle();
    for (int i = 0; i < 1000; ++i) {
        ASSERT_EQ(write(slow.id, "tail"), 0);
        sent += "tail";
    }
    std::string got;
    h.until([&] { return (got += receive_some(slow.far)).size() == sent.size(); }, "all of it");
    EXPECT_TRUE(got == sent);
}

// Also: driver_test, and the HostDriven half of every test that runs in all modes.
TEST_P(HardRule, Rule2_HostDrivenByBackendFdAndNextDeadline) {
    Harness host(Mode{GetParam().poller, Wait::host, GetParam().form});
    int64_t deadline = -1;
    ASSERT_EQ(csploop_next_deadline(host.loop(), &deadline), 0);
    EXPECT_EQ(deadline, INT64_MAX);
    csploop_id soon = 0, later = 0, stream = 0;
    ASSERT_EQ(csploop_call_soon(host.loop(), &soon, host.fn(), host.arg()), 0);
    ASSERT_EQ(csploop_next_deadline(host.loop(), &deadline), 0);
    EXPECT_EQ(deadline, 0) << "ready work";
    host.until_event(soon, CSPLOOP_KIND_SOON, "call_soon");
    ASSERT_EQ(csploop_call_later(host.loop(), &later, 2 * millisecond, host.fn(), host.arg()), 0);
    host.until_event(later, CSPLOOP_KIND_TIMER, "the timer");
    auto [near, far] = socket_pair();
    ASSERT_EQ(csploop_stream_adopt(host.loop(), &stream, near.release(), nullptr, host.fn(), host.arg()), 0);
    ASSERT_EQ(csploop_stream_read_start(host.loop(), stream, CSPLOOP_READ_SLAB), 0);
    ASSERT_EQ(csploop_stream_write(host.loop(), stream, "out", 3), 0);
    ASSERT_EQ(csploop_next_deadline(host.loop(), &deadline), 0);
    EXPECT_EQ(deadline, 0) << "unsent bytes";
    host.step();
    EXPECT_EQ(receive(far, 3), "out");
    send_all(far, "in");
    host.until([&] { return host.text(stream) == "in"; }, "the bytes");
    std::thread waker([&] { EXPECT_EQ(csploop_wake(host.loop()), 0); });
    host.step();
    waker.join();
}

// Also: turn_test.
TEST_P(HardRule, Rule3_ABatchAndItsSlabLastUntilTheNextTurn) {
    h.set_capacity(1);
    Harness batch(Mode{GetParam().poller, Wait::own, Form::batch});
    batch.set_capacity(1);
    Stream streams[2];
    for (Stream &stream : streams) {
        auto [near, far] = socket_pair();
        ASSERT_EQ(csploop_stream_adopt(batch.loop(), &stream.id, near.release(), nullptr, nullptr, nullptr), 0);
        ASSERT_EQ(csploop_stream_read_start(batch.loop(), stream.id, CSPLOOP_READ_SLAB), 0);
        stream.far = std::move(far);
        send_all(stream.far, "first");
    }
    ASSERT_EQ(batch.turn(-1), 1);
    uint64_t size = 0;
    const std::string slab(static_cast<const char *>(csploop_slab(batch.loop(), &size)), 64);
    for (Stream &stream : streams)
        send_all(stream.far, "SECOND");
    ASSERT_EQ(batch.turn(-1), 1) << "the rest of the first batch";
    EXPECT_EQ(std::string(static_cast<const char *>(csploop_slab(batch.loop(), &size)), 64), slab);
    EXPECT_EQ(batch.text(streams[0].id), "first");
    EXPECT_EQ(batch.text(streams[1].id), "first");
    batch.until([&] { return batch.text(streams[0].id).size() + batch.text(streams[1].id).size() == 22; }, "the rest");

    int inside = 0;
    csploop_fn reenter = [](csploop_t *l, const csploop_record *, void *arg) {
        *static_cast<int *>(arg) = csploop_turn(l, nullptr, 0);
    };
    ASSERT_EQ(csploop_call_soon(loop, nullptr, reenter, &inside), 0);
    h.turn(0);
    EXPECT_EQ(inside, CSPLOOP_EBUSY);
}

// Also: turn_test.
TEST_P(HardRule, Rule4_IdsComeBeforeTheTurn) {
    csploop_id ids[2] = {};
    ASSERT_EQ(csploop_ids_reserve(loop, ids, 2), 0);
    EXPECT_NE(ids[0], ids[1]);
    // Armed and cancelled within one submission array, by ids that no call has returned yet.
    h.turn(0, {{ids[0], 70, 0, 0, CSPLOOP_OP_TIMER_ADD, 0},
               {ids[1], 71, 0, 0, CSPLOOP_OP_TIMER_ADD, 0},
               {ids[0], 0, 0, 0, CSPLOOP_OP_TIMER_CANCEL, 0}});
    h.until_event(ids[1], CSPLOOP_KIND_TIMER, "the second timer");
    h.settle();
    EXPECT_EQ(h.log().size(), 1u);
    EXPECT_EQ(h.log()[0].record.token, 71u);
    // What opens something is direct, and fails at once.
    csploop_id id = 0;
    EXPECT_EQ(csploop_tcp_listen(loop, &id, "no address", 0, nullptr, h.fn(), h.arg()), CSPLOOP_EAFNOSUPPORT);
    EXPECT_EQ(csploop_stream_adopt(loop, &id, -1, nullptr, h.fn(), h.arg()), CSPLOOP_EBADF);
}

// Also: life_test.
TEST_P(HardRule, Rule5_OneOwnerAndMemoryUntilTheLastReference) {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.poller = GetParam().poller;
    csploop_t *owned = nullptr;
    ASSERT_EQ(csploop_new(&owned, &options), 0);
    ASSERT_EQ(csploop_attach(owned), 0);
    std::promise<void> looked, closed;
    csploop_ref(owned);
    std::thread other([&, waits = closed.get_future()] {
        EXPECT_EQ(csploop_turn(owned, nullptr, 0), CSPLOOP_ETHREAD);
        EXPECT_EQ(csploop_wake(owned), 0);
        looked.set_value();
        waits.wait();
        EXPECT_EQ(csploop_wake(owned), CSPLOOP_ECLOSED);
        csploop_unref(owned);
    });
    EXPECT_EQ(csploop_turn(owned, nullptr, 0), 0);
    looked.get_future().wait();
    EXPECT_EQ(csploop_close(owned), 0);
    csploop_unref(owned);
    closed.set_value();
    other.join();
}

// Also: wake_test, bridge_threads_test.
TEST_P(HardRule, Rule6_NoWakeUpIsLost) {
    RoundTrips rounds(sized(3000, 500));
    std::atomic<int64_t> heard{0};
    csploop_fn hear = [](csploop_t *, const csploop_record *, void *arg) {
        auto *count = static_cast<std::atomic<int64_t> *>(arg);
        count->fetch_add(1);
        count->notify_one();
    };
    std::thread producer([&] {
        for (int64_t i = 0; rounds.begin(i); ++i) {
            ASSERT_EQ(csploop_post(loop, hear, &heard), 0);
            heard.wait(i);
        }
    });
    h.until([&] { return heard.load() == rounds.wanted(); }, "a wake-up that was lost");
    producer.join();
}

// Also: write_test.
TEST_P(HardRule, Rule7_GatheringHasLimits) {
    const csploop_stream_options options = stream_options(0, 4096);
    Stream stream = pair(&options);
    ASSERT_EQ(write(stream.id, std::string(4096, 'a')), 0);
    EXPECT_EQ(receive_some(stream.far), "") << "up to the mark it is gathered";
    ASSERT_EQ(write(stream.id, "b"), 0);
    EXPECT_EQ(receive_some(stream.far).size(), 4097u) << "above it goes out at once";

    // Many streams written to by one long run of callbacks: the first ones do not wait for the last.
    constexpr size_t many = 100;
    struct Shared {
        std::vector<Stream> streams;
        size_t next = 0;
        bool first_arrived_early = false;
    } shared;
    for (size_t i = 0; i < many; ++i)
        shared.streams.push_back(pair());
    csploop_fn write_one = [](csploop_t *l, const csploop_record *, void *arg) {
        auto *s = static_cast<Shared *>(arg);
        if (s->next == many - 1)
            s->first_arrived_early = !receive_some(s->streams[0].far).empty();
        EXPECT_EQ(csploop_stream_write(l, s->streams[s->next++].id, "x", 1), 0);
    };
    for (size_t i = 0; i < many; ++i)
        ASSERT_EQ(csploop_call_soon(loop, nullptr, write_one, &shared), 0);
    h.turn(0);
    EXPECT_TRUE(shared.first_arrived_early);
    for (size_t i = 1; i < many; ++i)
        EXPECT_EQ(receive_some(shared.streams[i].far), "x");
}

// Also: timer_test, close_test, read_test.
TEST_P(HardRule, Rule8_OnePathForCallbacksAndBatches) {
    // The same requests say the same things in the same order, whatever the form.
    Stream stream = tcp();
    h.forget();
    static const std::string data = pattern(1000);
    csploop_id cancelled = 0;
    ASSERT_EQ(csploop_call_later(loop, &cancelled, 0, h.fn(), h.arg()), 0);
    ASSERT_EQ(csploop_cancel(loop, cancelled), 0);
    ASSERT_EQ(write_ref(stream.id, data), 0);
    ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), 0);
    send_all(stream.far, "hello");
    h.until_event(stream.id, CSPLOOP_KIND_READ, "the read");
    h.until_event(stream.id, CSPLOOP_KIND_WRITTEN, "the write");
    shrink_buffers(csploop_stream_fd(loop, stream.id));
    static const std::string large = pattern(8 << 20);
    ASSERT_EQ(write_ref(stream.id, large), 0);
    h.settle();
    EXPECT_EQ(csploop_stream_close(loop, stream.id, CSPLOOP_CLOSE_ABORT), 0);
    h.until_event(stream.id, CSPLOOP_KIND_CLOSED, "CLOSED");
    h.settle();
    EXPECT_EQ(h.count(cancelled, CSPLOOP_KIND_TIMER), 0);
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_WRITTEN), 2);
    EXPECT_EQ(h.last(stream.id, CSPLOOP_KIND_WRITTEN).result, CSPLOOP_ECANCELED);
    EXPECT_EQ(h.kinds(stream.id).back(), CSPLOOP_KIND_CLOSED);
}

// Also: read_test.
TEST_P(HardRule, Rule9_ReadableThenOneReadIntoTheHostsBuffer) {
    Stream stream = reading(CSPLOOP_READ_READY);
    const std::string data = pattern(50000);
    send_all(stream.far, data);
    h.until_event(stream.id, CSPLOOP_KIND_READABLE, "READABLE");
    std::string own(data.size(), '\0');
    EXPECT_EQ(csploop_stream_read_into(loop, stream.id, own.data(), own.size()), static_cast<int64_t>(data.size()));
    EXPECT_TRUE(own == data);
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_READ), 0);
}

// Also: fork_test.
TEST_P(HardRule, Rule10_AForkedChildLeavesTheParentsRegistrations) {
    Stream stream = reading();
    const pid_t child = fork();
    if (child == 0) {
        const bool refused = csploop_turn(loop, nullptr, 0) == CSPLOOP_ECHILD;
        const bool closed = csploop_close(loop) == 0;
        _exit(refused && closed ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    send_all(stream.far, "x");
    h.until([&] { return h.text(stream.id) == "x"; }, "the parent's stream");
}

// Also: adopt_test.
TEST_P(HardRule, Rule11_AdoptingTakesTheDescriptorWithoutADuplicate) {
    for (int round = 0; round < 3; ++round) { // the numbers are reused: each is a fresh registration
        auto [near, far] = socket_pair();
        const int fd = near.get();
        csploop_id id = adopt(near.release());
        EXPECT_EQ(csploop_stream_fd(loop, id), fd);
        ASSERT_EQ(csploop_stream_read_start(loop, id, CSPLOOP_READ_SLAB), 0);
        send_all(far, "x");
        h.until([&] { return h.text(id) == "x"; }, "the byte");
        finish(id);
        EXPECT_FALSE(fd_is_open(fd));
    }
}

// Also: bridge_test, bridge_threads_test.
TEST_P(HardRule, Rule12_BridgesBlockRefuseOrDropAndCountIt) {
    ASSERT_EQ(csploop_attach(loop), 0);
    TestBridge block(loop, CSPLOOP_BRIDGE_BLOCK, 8, 2, h.fn(), h.arg());
    EXPECT_EQ(block.push(uint64_t{1}), 0);
    EXPECT_EQ(block.push(uint64_t{2}), 0);
    EXPECT_EQ(block.push(uint64_t{3}), CSPLOOP_EDEADLK);
    std::thread blocked([&] { EXPECT_EQ(block.push(uint64_t{4}), CSPLOOP_ECLOSED); });
    waiting_for = "the producer to block";
    while (block.counts().blocked < 1)
        std::this_thread::yield();
    EXPECT_EQ(csploop_bridge_close(block.get()), 0);
    blocked.join();

    TestBridge drop(loop, CSPLOOP_BRIDGE_DROP_OLDEST, 8, 2, h.fn(), h.arg());
    for (uint64_t i = 0; i < 5; ++i)
        EXPECT_EQ(drop.push(i), 0);
    EXPECT_EQ(drop.drain_numbers(), (std::vector<uint64_t>{3, 4}));
    EXPECT_EQ(drop.counts().dropped, 3u);
    EXPECT_EQ(csploop_detach(loop), 0);
}
