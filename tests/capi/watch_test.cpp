// Watchers: descriptors whose I/O the host does itself.
#include "support/harness.hpp"
#include "support/sockets.hpp"

using namespace csploop_test;

class Watch : public ModeTest {
protected:
    csploop_id watch(int fd, unsigned events) {
        csploop_id id = 0;
        EXPECT_EQ(csploop_watch(loop, &id, fd, events, h.fn(), h.arg()), 0);
        return id;
    }
    int seen(csploop_id id) { return h.count(id, CSPLOOP_KIND_WATCH); }
    // Until the kernel takes no more.
    static void fill(const Fd &fd) {
        const std::string bytes(65536, 'x');
        while (::send(fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
        }
    }
};
CSPLOOP_IN_ALL_MODES(Watch);

TEST_P(Watch, ReadableIsToldEachTurnWhileItLasts) {
    auto [near, far] = socket_pair();
    const csploop_id id = watch(near.get(), CSPLOOP_WATCH_READ);
    h.settle();
    EXPECT_EQ(seen(id), 0);
    send_all(far, "x");
    for (int i = 1; i <= 3; ++i)
        h.until([&] { return seen(id) == i; }, "readiness, once a turn");
    EXPECT_EQ(h.first(id, CSPLOOP_KIND_WATCH).result, CSPLOOP_WATCH_READ);
    EXPECT_EQ(receive(near, 1), "x");
    h.forget();
    h.settle();
    EXPECT_EQ(seen(id), 0);
    EXPECT_EQ(csploop_unwatch(loop, id), 0);
}

TEST_P(Watch, WritableAndBothAtOnce) {
    auto [near, far] = socket_pair();
    const csploop_id id = watch(near.get(), CSPLOOP_WATCH_READ | CSPLOOP_WATCH_WRITE);
    h.until([&] { return seen(id) > 0; }, "writable");
    EXPECT_EQ(h.last(id, CSPLOOP_KIND_WATCH).result, CSPLOOP_WATCH_WRITE);
    send_all(far, "x");
    h.until([&] { return h.last(id, CSPLOOP_KIND_WATCH).result == (CSPLOOP_WATCH_READ | CSPLOOP_WATCH_WRITE); },
            "both");
    EXPECT_EQ(csploop_unwatch(loop, id), 0);
}

TEST_P(Watch, EndOfFileIsReadable) {
    auto [reader, writer] = pipe_pair();
    const csploop_id id = watch(reader.get(), CSPLOOP_WATCH_READ);
    writer.close();
    h.until([&] { return seen(id) > 0; }, "the end of the pipe");
    EXPECT_TRUE(h.first(id, CSPLOOP_KIND_WATCH).result & CSPLOOP_WATCH_READ);
    EXPECT_EQ(csploop_unwatch(loop, id), 0);
}

TEST_P(Watch, ABrokenPipeIsWritable) {
    auto [reader, writer] = pipe_pair();
    const csploop_id id = watch(writer.get(), CSPLOOP_WATCH_WRITE);
    reader.close();
    h.until([&] { return seen(id) > 0; }, "the broken pipe");
    EXPECT_TRUE(h.first(id, CSPLOOP_KIND_WATCH).result & CSPLOOP_WATCH_WRITE);
    EXPECT_EQ(csploop_unwatch(loop, id), 0);
}

TEST_P(Watch, ModifyChangesWhatIsWatched) {
    auto [near, far] = socket_pair();
    const csploop_id id = watch(near.get(), 0);
    send_all(far, "x");
    h.settle();
    EXPECT_EQ(seen(id), 0) << "registered, silent";
    EXPECT_EQ(csploop_watch_modify(loop, id, CSPLOOP_WATCH_READ), 0);
    h.until([&] { return seen(id) > 0; }, "readable");
    EXPECT_EQ(h.last(id, CSPLOOP_KIND_WATCH).result, CSPLOOP_WATCH_READ);
    EXPECT_EQ(csploop_watch_modify(loop, id, CSPLOOP_WATCH_WRITE), 0);
    h.forget();
    h.until([&] { return seen(id) > 0; }, "writable");
    EXPECT_EQ(h.last(id, CSPLOOP_KIND_WATCH).result, CSPLOOP_WATCH_WRITE);
    EXPECT_EQ(csploop_watch_modify(loop, id, 0), 0);
    h.forget();
    h.settle();
    EXPECT_EQ(seen(id), 0);
    EXPECT_EQ(csploop_unwatch(loop, id), 0);
}

TEST_P(Watch, EdgeTellsOnceAndAgainAfterRearming) {
    auto [near, far] = socket_pair();
    const csploop_id id = watch(near.get(), CSPLOOP_WATCH_READ | CSPLOOP_WATCH_EDGE);
    send_all(far, "x");
    h.until([&] { return seen(id) > 0; }, "the edge");
    h.settle();
    EXPECT_EQ(seen(id), 1) << "once, though it is readable still";
    EXPECT_EQ(csploop_watch_modify(loop, id, CSPLOOP_WATCH_READ | CSPLOOP_WATCH_EDGE), 0);
    h.until([&] { return seen(id) == 2; }, "what is still ready when rearmed");
    EXPECT_EQ(receive(near, 1), "x");
    EXPECT_EQ(csploop_watch_modify(loop, id, CSPLOOP_WATCH_READ | CSPLOOP_WATCH_EDGE), 0);
    h.settle();
    EXPECT_EQ(seen(id), 2);
    send_all(far, "y");
    h.until([&] { return seen(id) == 3; }, "the next edge");
    EXPECT_EQ(csploop_unwatch(loop, id), 0);
}

TEST_P(Watch, EdgeOnEpollNeedsNoRearming) {
    if (GetParam().poller != CSPLOOP_POLLER_EPOLL)
        GTEST_SKIP() << "a promise of the epoll poller only";
    auto [near, far] = socket_pair();
    const csploop_id id = watch(near.get(), CSPLOOP_WATCH_READ | CSPLOOP_WATCH_EDGE);
    for (int i = 1; i <= 3; ++i) {
        send_all(far, "x");
        h.until([&] { return seen(id) == i; }, "an edge");
        h.settle();
        EXPECT_EQ(seen(id), i);
    }
    EXPECT_EQ(csploop_unwatch(loop, id), 0);
}

TEST_P(Watch, UnwatchedIsSilentAndStaysOpen) {
    auto [near, far] = socket_pair();
    const csploop_id id = watch(near.get(), CSPLOOP_WATCH_READ);
    send_all(far, "x");
    EXPECT_EQ(csploop_unwatch(loop, id), 0);
    EXPECT_EQ(csploop_unwatch(loop, id), CSPLOOP_EBADID);
    EXPECT_EQ(csploop_watch_modify(loop, id, CSPLOOP_WATCH_READ), CSPLOOP_EBADID);
    h.settle();
    EXPECT_TRUE(h.log().empty()) << "and there is no CLOSED record";
    EXPECT_EQ(receive(near, 1), "x");
}

TEST_P(Watch, TheSameDescriptorCanBeWatchedAgain) {
    auto [near, far] = socket_pair();
    for (int i = 0; i < 10; ++i) {
        const csploop_id id = watch(near.get(), CSPLOOP_WATCH_WRITE);
        h.until([&] { return seen(id) > 0; }, "writable");
        EXPECT_EQ(csploop_unwatch(loop, id), 0);
    }
}

TEST_P(Watch, AReusedNumberIsAFreshRegistration) {
    for (int i = 0; i < 10; ++i) {
        auto [near, far] = socket_pair();
        const csploop_id id = watch(near.get(), CSPLOOP_WATCH_READ);
        send_all(far, "x");
        h.until([&] { return seen(id) > 0; }, "readable");
        EXPECT_EQ(csploop_unwatch(loop, id), 0);
    }
}

TEST_P(Watch, WhatCannotBeWatchedIsAnErrorAtOnce) {
    csploop_id id = 0;
    char name[] = "/tmp/csploop-test-XXXXXX";
    Fd file(mkstemp(name));
    unlink(name);
    EXPECT_EQ(csploop_watch(loop, &id, file.get(), CSPLOOP_WATCH_READ, h.fn(), h.arg()), CSPLOOP_EPERM);
    EXPECT_EQ(csploop_watch(loop, &id, -1, CSPLOOP_WATCH_READ, h.fn(), h.arg()), CSPLOOP_EBADF);
    EXPECT_EQ(csploop_watch(loop, &id, 1 << 20, CSPLOOP_WATCH_READ, h.fn(), h.arg()), CSPLOOP_EBADF);
    auto [near, far] = socket_pair();
    EXPECT_EQ(csploop_watch(loop, &id, near.get(), 64, h.fn(), h.arg()), CSPLOOP_EINVAL);
    const csploop_id first = watch(near.get(), CSPLOOP_WATCH_READ);
    EXPECT_EQ(csploop_watch(loop, &id, near.get(), CSPLOOP_WATCH_READ, h.fn(), h.arg()), CSPLOOP_EEXIST);
    EXPECT_EQ(csploop_stream_adopt(loop, &id, near.get(), nullptr, h.fn(), h.arg()), CSPLOOP_EEXIST);
    EXPECT_EQ(csploop_watch_modify(loop, first, 64), CSPLOOP_EINVAL);
    h.settle();
    send_all(far, "x");
    h.until([&] { return seen(first) > 0; }, "the loop, unharmed");
    EXPECT_EQ(csploop_unwatch(loop, first), 0);
}

TEST_P(Watch, ADescriptorClosedTooEarlyHarmsNobody) {
    auto [near, far] = socket_pair();
    auto [near2, far2] = socket_pair();
    const csploop_id gone = watch(near.get(), CSPLOOP_WATCH_READ), other = watch(near2.get(), CSPLOOP_WATCH_READ);
    near.close();
    send_all(far2, "x");
    h.until([&] { return seen(other) > 0; }, "the other watcher");
    EXPECT_EQ(csploop_watch_modify(loop, gone, CSPLOOP_WATCH_WRITE), CSPLOOP_EBADF);
    EXPECT_EQ(csploop_unwatch(loop, gone), 0);
    EXPECT_EQ(csploop_unwatch(loop, other), 0);
}

TEST_P(Watch, ADescriptorClosedAfterItsEdgeHarmsNobody) {
    auto [near, far] = socket_pair();
    auto [near2, far2] = socket_pair();
    fill(near);
    const csploop_id gone = watch(near.get(), CSPLOOP_WATCH_READ | CSPLOOP_WATCH_WRITE | CSPLOOP_WATCH_EDGE);
    const csploop_id other = watch(near2.get(), CSPLOOP_WATCH_READ);
    h.settle();
    send_all(far, "x");
    h.until([&] { return seen(gone) > 0; }, "the edge of READ; WRITE is watched still");
    near.close();
    send_all(far2, "x");
    h.until([&] { return seen(other) > 0; }, "the other watcher");
    EXPECT_EQ(csploop_unwatch(loop, gone), 0);
    EXPECT_EQ(csploop_unwatch(loop, other), 0);
}

TEST_P(Watch, ANumberThatIsAnothersByNowIsLeftAlone) {
    char name[] = "/tmp/csploop-test-XXXXXX";
    const Fd file(mkstemp(name)); // cannot be watched
    unlink(name);
    auto [socket, peer] = socket_pair(); // can
    for (const int stranger : {file.get(), socket.get()}) {
        auto [near, far] = socket_pair();
        const csploop_id id = watch(near.get(), CSPLOOP_WATCH_READ);
        h.settle();
        const int number = near.release();
        ASSERT_EQ(dup2(stranger, number), number);
        const Fd closed_in_the_end(number);
        EXPECT_EQ(csploop_watch_modify(loop, id, CSPLOOP_WATCH_READ | CSPLOOP_WATCH_WRITE), CSPLOOP_EBADF);
        h.settle();
        EXPECT_EQ(seen(id), 0);
        EXPECT_EQ(csploop_unwatch(loop, id), 0);
    }
}

TEST_P(Watch, ADescriptorClosedAfterItsErrorHarmsNobody) {
    auto [reading, writing] = pipe_pair();
    auto [near2, far2] = socket_pair();
    const csploop_id gone = watch(writing.get(), CSPLOOP_WATCH_WRITE);
    const csploop_id other = watch(near2.get(), CSPLOOP_WATCH_READ);
    reading.close();
    h.until([&] { return seen(gone) > 1; }, "the error, told for as long as it lasts");
    writing.close();
    send_all(far2, "x");
    h.until([&] { return seen(other) > 0; }, "the other watcher");
    EXPECT_EQ(csploop_unwatch(loop, gone), 0);
    EXPECT_EQ(csploop_unwatch(loop, other), 0);
}

TEST_P(Watch, ManyWatchersAllSpeak) {
    std::vector<std::pair<Fd, Fd>> pairs;
    std::vector<csploop_id> ids;
    for (int i = 0; i < 300; ++i) {
        pairs.push_back(socket_pair());
        ids.push_back(watch(pairs.back().first.get(), CSPLOOP_WATCH_READ));
    }
    for (auto &pair : pairs)
        send_all(pair.second, "x");
    for (csploop_id id : ids)
        h.until([&] { return seen(id) > 0; }, "each of them");
    for (csploop_id id : ids)
        EXPECT_EQ(csploop_unwatch(loop, id), 0);
}

TEST_P(Watch, WatchersOfTheLoopEndWithIt) {
    auto [near, far] = socket_pair();
    {
        Harness other(GetParam());
        csploop_id id = 0;
        ASSERT_EQ(csploop_watch(other.loop(), &id, near.get(), CSPLOOP_WATCH_READ, other.fn(), other.arg()), 0);
    }
    EXPECT_TRUE(fd_is_open(near.get()));
    const csploop_id id = watch(near.get(), CSPLOOP_WATCH_WRITE);
    h.until([&] { return seen(id) > 0; }, "the second loop's watcher");
    EXPECT_EQ(csploop_unwatch(loop, id), 0);
}

class WatchInTurn : public PollerTest {};
CSPLOOP_ON_ALL_POLLERS(WatchInTurn);

TEST_P(WatchInTurn, UnwatchingAnotherInTheMiddleSilencesIt) {
    Harness callbacks(Mode{GetParam(), Wait::own, Form::callback});
    auto [near1, far1] = socket_pair();
    auto [near2, far2] = socket_pair();
    csploop_id ids[2] = {};
    ASSERT_EQ(
        csploop_watch(callbacks.loop(), &ids[0], near1.get(), CSPLOOP_WATCH_READ, callbacks.fn(), callbacks.arg()), 0);
    ASSERT_EQ(
        csploop_watch(callbacks.loop(), &ids[1], near2.get(), CSPLOOP_WATCH_READ, callbacks.fn(), callbacks.arg()), 0);
    callbacks.on = [&](const csploop_record &record) {
        csploop_unwatch(callbacks.loop(), record.id == ids[0] ? ids[1] : ids[0]);
        csploop_unwatch(callbacks.loop(), record.id);
    };
    send_all(far1, "x");
    send_all(far2, "x");
    callbacks.step();
    callbacks.settle();
    EXPECT_EQ(callbacks.log().size(), 1u);
}

TEST_P(WatchInTurn, UnwatchingDropsItsQueuedRecord) {
    h.set_capacity(1);
    auto [near1, far1] = socket_pair();
    auto [near2, far2] = socket_pair();
    csploop_id ids[2] = {};
    ASSERT_EQ(csploop_watch(loop, &ids[0], near1.get(), CSPLOOP_WATCH_READ, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_watch(loop, &ids[1], near2.get(), CSPLOOP_WATCH_READ, nullptr, nullptr), 0);
    send_all(far1, "x");
    send_all(far2, "x");
    ASSERT_EQ(h.turn(-1), 1);
    const csploop_id queued = h.log()[0].record.id == ids[0] ? ids[1] : ids[0];
    EXPECT_EQ(csploop_unwatch(loop, queued), 0);
    EXPECT_EQ(csploop_unwatch(loop, h.log()[0].record.id), 0);
    h.settle();
    EXPECT_EQ(h.count(queued, CSPLOOP_KIND_WATCH), 0);
}
