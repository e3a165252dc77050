// Turns and batches: what fits, what waits, what a submission does, what a callback may not do.
#include "support/harness.hpp"
#include "support/sockets.hpp"

using namespace csploop_test;

namespace {

void *token(uintptr_t value) {
    return reinterpret_cast<void *>(value);
}

csploop_submission submission(csploop_op op, csploop_id id, uint64_t data = 0, uint64_t length = 0, uint32_t flags = 0,
                              uint64_t token = 0) {
    return {id, token, data, length, static_cast<uint32_t>(op), flags};
}

std::vector<uint64_t> tokens(const Harness &h) {
    std::vector<uint64_t> tokens;
    for (const Event &event : h.log())
        tokens.push_back(event.record.token);
    return tokens;
}

} // namespace

class Turn : public PollerTest {};
CSPLOOP_ON_ALL_POLLERS(Turn);

TEST_P(Turn, HandsOutWhatFitsAndTheRestNextTurn) {
    h.set_capacity(4);
    for (uintptr_t i = 1; i <= 10; ++i)
        ASSERT_EQ(csploop_call_soon(loop, nullptr, nullptr, token(i)), 0);
    EXPECT_EQ(h.turn(0), 4);
    EXPECT_EQ(h.turn(-1), 4);
    EXPECT_EQ(h.turn(-1), 2);
    EXPECT_EQ(tokens(h), (std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
    for (const Event &event : h.log()) {
        EXPECT_EQ(event.record.kind, CSPLOOP_KIND_SOON);
        EXPECT_EQ(event.record.result, 0);
        EXPECT_EQ(event.record.flags, 0);
    }
}

TEST_P(Turn, DoesNotPollWhileRecordsRemain) {
    auto [reader, writer] = pipe_pair();
    csploop_id watch = 0;
    ASSERT_EQ(csploop_watch(loop, &watch, reader.get(), CSPLOOP_WATCH_READ, nullptr, nullptr), 0);
    h.set_capacity(4);
    for (uintptr_t i = 1; i <= 6; ++i)
        ASSERT_EQ(csploop_call_soon(loop, nullptr, nullptr, token(i)), 0);
    EXPECT_EQ(h.turn(0), 4);
    ASSERT_EQ(write(writer.get(), "x", 1), 1);
    EXPECT_EQ(h.turn(0), 2) << "the rest, and nothing new";
    EXPECT_EQ(h.count(watch, CSPLOOP_KIND_WATCH), 0);
    EXPECT_EQ(h.turn(0), 1);
    EXPECT_EQ(h.count(watch, CSPLOOP_KIND_WATCH), 1);
    EXPECT_EQ(csploop_unwatch(loop, watch), 0);
}

TEST_P(Turn, LeavesTheSlabAloneWhileRecordsRemain) {
    auto [near1, far1] = socket_pair();
    auto [near2, far2] = socket_pair();
    csploop_id one = 0, two = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &one, near1.release(), nullptr, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_stream_adopt(loop, &two, near2.release(), nullptr, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_stream_read_start(loop, one, CSPLOOP_READ_SLAB), 0);
    ASSERT_EQ(csploop_stream_read_start(loop, two, CSPLOOP_READ_SLAB), 0);
    send_all(far1, "first");
    send_all(far2, "second");

    csploop_record record{};
    csploop_batch batch = h.batch_of();
    batch.records = &record;
    batch.capacity = 1;
    ASSERT_EQ(csploop_turn(loop, &batch, -1), 1);
    ASSERT_EQ(record.kind, CSPLOOP_KIND_READ);
    const csploop_record earlier = record;
    const auto *earlier_bytes = static_cast<const char *>(batch.slab) + earlier.offset;
    const std::string text(earlier_bytes, static_cast<size_t>(earlier.result));
    EXPECT_EQ(text, earlier.id == one ? "first" : "second");

    send_all(far1, "FIRST");
    send_all(far2, "SECOND");
    ASSERT_EQ(csploop_turn(loop, &batch, -1), 1);
    ASSERT_EQ(record.kind, CSPLOOP_KIND_READ);
    EXPECT_NE(record.id, earlier.id);
    EXPECT_EQ(std::string(static_cast<const char *>(batch.slab) + record.offset, static_cast<size_t>(record.result)),
              record.id == one ? "first" : "second");
    EXPECT_EQ(std::string(earlier_bytes, static_cast<size_t>(earlier.result)), text);
    h.until([&] { return h.text(one) == "FIRST" && h.text(two) == "SECOND"; }, "the later bytes");
}

TEST_P(Turn, CapacityZeroHandsOutNothingAndLosesNothing) {
    h.set_capacity(0);
    ASSERT_EQ(csploop_call_soon(loop, nullptr, nullptr, token(1)), 0);
    EXPECT_EQ(h.turn(0), 0);
    EXPECT_EQ(h.turn(0), 0);
    h.set_capacity(8);
    EXPECT_EQ(h.turn(0), 1);
}

TEST_P(Turn, WithoutABatchRecordsWait) {
    ASSERT_EQ(csploop_call_soon(loop, nullptr, nullptr, token(1)), 0);
    EXPECT_EQ(csploop_turn(loop, nullptr, 0), 0);
    int64_t deadline = -1;
    EXPECT_EQ(csploop_next_deadline(loop, &deadline), 0);
    EXPECT_EQ(deadline, 0) << "an undelivered record means: turn at once";
    EXPECT_EQ(h.turn(-1), 1);
    EXPECT_EQ(tokens(h), (std::vector<uint64_t>{1}));
}

TEST_P(Turn, RunsCallbacksAndHandsOutTheOthers) {
    int calls = 0;
    csploop_fn count = [](csploop_t *, const csploop_record *, void *arg) { ++*static_cast<int *>(arg); };
    for (uintptr_t i = 1; i <= 3; ++i) {
        ASSERT_EQ(csploop_call_soon(loop, nullptr, count, &calls), 0);
        ASSERT_EQ(csploop_call_soon(loop, nullptr, nullptr, token(i)), 0);
    }
    EXPECT_EQ(h.turn(0), 3);
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(tokens(h), (std::vector<uint64_t>{1, 2, 3}));
}

TEST_P(Turn, TimeoutIsNeverEarly) {
    for (int64_t timeout : {int64_t{1}, 50 * microsecond, 3 * millisecond}) {
        const int64_t before = monotonic_ns();
        EXPECT_EQ(h.turn(timeout), 0);
        EXPECT_GE(monotonic_ns() - before, timeout);
    }
}

TEST_P(Turn, ADueTimerEndsTheWait) {
    ASSERT_EQ(csploop_call_later(loop, nullptr, millisecond, nullptr, token(9)), 0);
    waiting_for = "a turn without limit to end at the timer";
    while (h.log().empty())
        h.turn(-1);
    EXPECT_EQ(tokens(h), (std::vector<uint64_t>{9}));
}

TEST_P(Turn, InsideACallbackIsBusy) {
    struct Codes {
        int turn = 0, run = 0;
    } codes;
    csploop_fn reenter = [](csploop_t *l, const csploop_record *, void *arg) {
        auto *c = static_cast<Codes *>(arg);
        c->turn = csploop_turn(l, nullptr, 0);
        c->run = csploop_run(l, CSPLOOP_RUN_NOWAIT);
    };
    ASSERT_EQ(csploop_call_soon(loop, nullptr, reenter, &codes), 0);
    EXPECT_EQ(h.turn(0), 0);
    EXPECT_EQ(codes.turn, CSPLOOP_EBUSY);
    EXPECT_EQ(codes.run, CSPLOOP_EBUSY);
    EXPECT_EQ(h.turn(0), 0);
}

TEST_P(Turn, BadBatchesAreRefused) {
    csploop_batch batch = h.batch_of();
    batch.size = 0;
    EXPECT_EQ(csploop_turn(loop, &batch, 0), CSPLOOP_EINVAL);
    batch = h.batch_of();
    batch.records = nullptr;
    EXPECT_EQ(csploop_turn(loop, &batch, 0), CSPLOOP_EINVAL);
    batch = h.batch_of();
    batch.n_submissions = 3;
    batch.submissions = nullptr;
    EXPECT_EQ(csploop_turn(loop, &batch, 0), CSPLOOP_EINVAL);
    batch = h.batch_of();
    batch.size = sizeof batch - 1;
    EXPECT_EQ(csploop_turn(loop, &batch, 0), CSPLOOP_EINVAL);
    EXPECT_EQ(h.turn(0), 0);
}

TEST_P(Turn, ABatchOfALaterVersionIsUnderstoodUnlessItAsksForMore) {
    struct Later {
        csploop_batch batch;
        uint64_t more;
    } later{h.batch_of(), 0};
    later.batch.size = sizeof later;
    EXPECT_EQ(csploop_turn(loop, &later.batch, 0), 0);
    EXPECT_EQ(csploop_submit(loop, &later.batch), 0);
    later.more = 1;
    EXPECT_EQ(csploop_turn(loop, &later.batch, 0), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_submit(loop, &later.batch), CSPLOOP_EINVAL);
    EXPECT_EQ(h.turn(0), 0);
}

TEST_P(Turn, SubmittedTimersFireUnderTheirReservedIds) {
    csploop_id ids[3] = {};
    ASSERT_EQ(csploop_ids_reserve(loop, ids, 3), 0);
    const int64_t now = csploop_now(loop);
    h.turn(0, {submission(CSPLOOP_OP_TIMER_ADD, ids[0], static_cast<uint64_t>(now), 0, 0, 100),
               submission(CSPLOOP_OP_TIMER_ADD, ids[1], static_cast<uint64_t>(now), 0, 0, 101),
               submission(CSPLOOP_OP_WALL_TIMER_ADD, ids[2], static_cast<uint64_t>(wall_ns()), 0, 0, 102),
               submission(CSPLOOP_OP_TIMER_CANCEL, ids[1])});
    h.until([&] { return h.log().size() >= 2; }, "two timers");
    h.settle();
    EXPECT_EQ(h.log().size(), 2u);
    EXPECT_EQ(h.first(ids[0], CSPLOOP_KIND_TIMER).token, 100u);
    EXPECT_EQ(h.first(ids[0], CSPLOOP_KIND_TIMER).result, now);
    EXPECT_EQ(h.count(ids[1], CSPLOOP_KIND_TIMER), 0);
    EXPECT_EQ(h.first(ids[2], CSPLOOP_KIND_TIMER).token, 102u);
}

TEST_P(Turn, CancellingAFiredTimerInABatchIsNoError) {
    csploop_id id = 0;
    ASSERT_EQ(csploop_ids_reserve(loop, &id, 1), 0);
    h.turn(0, {submission(CSPLOOP_OP_TIMER_ADD, id, 0, 0, 0, 1)});
    h.until_event(id, CSPLOOP_KIND_TIMER, "the timer");
    h.forget();
    h.turn(0, {submission(CSPLOOP_OP_TIMER_CANCEL, id)});
    h.settle();
    EXPECT_TRUE(h.log().empty());
}

TEST_P(Turn, AReservedIdCanBeGivenBack) {
    csploop_id id = 0;
    ASSERT_EQ(csploop_ids_reserve(loop, &id, 1), 0);
    EXPECT_NE(id, 0u);
    EXPECT_EQ(csploop_cancel(loop, id), 0);
    EXPECT_EQ(csploop_cancel(loop, id), CSPLOOP_EBADID);
    h.turn(0, {submission(CSPLOOP_OP_TIMER_ADD, id, 0, 0, 0, 5)});
    EXPECT_EQ(h.first(id, CSPLOOP_KIND_REJECTED).result, CSPLOOP_EBADID);
}

TEST_P(Turn, RefusedSubmissionsComeBackRejected) {
    auto [near, far] = socket_pair();
    csploop_id stream = 0, timer = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &stream, near.release(), nullptr, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_ids_reserve(loop, &timer, 1), 0);
    const csploop_id stale = stream + (csploop_id{1} << 30);
    struct Case {
        csploop_submission submission;
        int code;
    };
    const Case cases[] = {
        {submission(CSPLOOP_OP_WRITE, stale, 0, 1, 0, 1), CSPLOOP_EBADID},
        {submission(CSPLOOP_OP_READ_START, stale, 0, 0, 0, 3), CSPLOOP_EBADID},
        {submission(CSPLOOP_OP_READ_STOP, stale, 0, 0, 0, 4), CSPLOOP_EBADID},
        {submission(CSPLOOP_OP_SHUTDOWN, stale, 0, 0, 0, 5), CSPLOOP_EBADID},
        {submission(CSPLOOP_OP_CLOSE, stale, 0, 0, 0, 6), CSPLOOP_EBADID},
        {submission(CSPLOOP_OP_TIMER_ADD, stale, 0, 0, 0, 7), CSPLOOP_EBADID},
        {submission(CSPLOOP_OP_WRITE, stream, 3, 2, 0, 8), CSPLOOP_EINVAL},
        {submission(CSPLOOP_OP_WRITE, stream, UINT64_MAX, 2, 0, 9), CSPLOOP_EINVAL},
        {submission(CSPLOOP_OP_WRITE, stream, 0, UINT64_MAX, 0, 10), CSPLOOP_EINVAL},
        {submission(CSPLOOP_OP_READ_START, stream, 0, 0, 77, 12), CSPLOOP_EINVAL},
        {submission(CSPLOOP_OP_CLOSE, stream, 0, 0, 77, 13), CSPLOOP_EINVAL},
        {submission(static_cast<csploop_op>(4711), stream, 0, 0, 0, 14), CSPLOOP_EINVAL},
    };
    for (const Case &c : cases) {
        h.forget();
        h.turn(0, {c.submission}, "four");
        ASSERT_EQ(h.log().size(), 1u) << "op " << c.submission.op << " token " << c.submission.token;
        const csploop_record &record = h.log()[0].record;
        EXPECT_EQ(record.kind, CSPLOOP_KIND_REJECTED);
        EXPECT_EQ(record.id, c.submission.id);
        EXPECT_EQ(record.token, c.submission.token);
        EXPECT_EQ(record.result, c.code) << "op " << c.submission.op << " token " << c.submission.token;
        EXPECT_EQ(record.flags, static_cast<uint16_t>(c.submission.op));
    }
    EXPECT_EQ(csploop_cancel(loop, timer), 0);
    h.turn(0, {submission(CSPLOOP_OP_WRITE, stream, 1, 3)}, "xour");
    EXPECT_EQ(receive(far, 3), "our") << "the stream is unharmed";
}

TEST_P(Turn, ARefusedWriteByReferenceEndsWithWrittenToo) {
    auto [near, far] = socket_pair();
    csploop_id stream = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &stream, near.release(), nullptr, nullptr, nullptr), 0);
    h.turn(0, {submission(CSPLOOP_OP_WRITE_REF, stream + (csploop_id{1} << 30), 0, 0, 0, 2),
               submission(CSPLOOP_OP_WRITE_REF, stream, 0, 5, 0, 11)});
    ASSERT_EQ(h.log().size(), 2u);
    EXPECT_EQ(h.log()[0].record.kind, CSPLOOP_KIND_WRITTEN);
    EXPECT_EQ(h.log()[0].record.token, 2u);
    EXPECT_EQ(h.log()[0].record.result, CSPLOOP_EBADID);
    EXPECT_EQ(h.log()[1].record.kind, CSPLOOP_KIND_WRITTEN);
    EXPECT_EQ(h.log()[1].record.token, 11u);
    EXPECT_EQ(h.log()[1].record.result, CSPLOOP_EINVAL);
}

TEST_P(Turn, OneBadSubmissionDoesNotStopTheOthers) {
    auto [near, far] = socket_pair();
    csploop_id stream = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &stream, near.release(), nullptr, nullptr, nullptr), 0);
    h.turn(0,
           {submission(CSPLOOP_OP_WRITE, stream, 0, 2), submission(CSPLOOP_OP_WRITE, 1, 0, 2),
            submission(CSPLOOP_OP_WRITE, stream, 2, 2)},
           "abcd");
    EXPECT_EQ(receive(far, 4), "abcd");
    h.settle();
    EXPECT_EQ(h.count(1, CSPLOOP_KIND_REJECTED), 1);
}

TEST_P(Turn, SubmissionsDriveAStreamFromStartToEnd) {
    auto [near, far] = socket_pair();
    csploop_id stream = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &stream, near.release(), nullptr, nullptr, token(7)), 0);
    static const std::string referenced = "-by reference";
    send_all(far, "question");
    h.turn(0,
           {submission(CSPLOOP_OP_READ_START, stream, 0, 0, CSPLOOP_READ_SLAB),
            submission(CSPLOOP_OP_WRITE, stream, 0, 6),
            submission(CSPLOOP_OP_WRITE_REF, stream, reinterpret_cast<uintptr_t>(referenced.data()), referenced.size(),
                       0, 55),
            submission(CSPLOOP_OP_SHUTDOWN, stream)},
           "copied");
    EXPECT_EQ(receive(far, 100), "copied-by reference");
    h.until([&] { return h.text(stream) == "question"; }, "the question");
    h.until_event(stream, CSPLOOP_KIND_SHUTDOWN, "the shutdown");
    const csploop_record written = h.first(stream, CSPLOOP_KIND_WRITTEN);
    EXPECT_EQ(written.result, static_cast<int64_t>(referenced.size()));
    EXPECT_EQ(written.token, 55u);
    h.turn(0,
           {submission(CSPLOOP_OP_READ_STOP, stream), submission(CSPLOOP_OP_CLOSE, stream, 0, 0, CSPLOOP_CLOSE_DRAIN)});
    h.until_event(stream, CSPLOOP_KIND_CLOSED, "the end");
    EXPECT_EQ(h.first(stream, CSPLOOP_KIND_CLOSED).token, 7u);
    EXPECT_EQ(h.log().back().record.kind, CSPLOOP_KIND_CLOSED);
}

TEST_P(Turn, SubmitWorksBetweenTurnsAndInsideCallbacks) {
    auto [near, far] = socket_pair();
    csploop_id stream = 0;
    ASSERT_EQ(csploop_stream_adopt(loop, &stream, near.release(), nullptr, nullptr, nullptr), 0);
    auto submit = [&](std::string_view text) {
        const csploop_submission write = submission(CSPLOOP_OP_WRITE, stream, 0, text.size());
        csploop_batch batch = h.batch_of({}, text);
        batch.submissions = &write;
        batch.n_submissions = 1;
        EXPECT_EQ(csploop_submit(loop, &batch), 0);
        EXPECT_EQ(batch.n_submissions, 0u);
    };
    submit("between");
    EXPECT_EQ(receive(far, 7), "between") << "sent before the call returned";
    struct Inside {
        decltype(submit) *call;
        const Fd *far;
        std::string got;
    } inside{&submit, &far, {}};
    csploop_fn fn = [](csploop_t *, const csploop_record *, void *arg) {
        auto *i = static_cast<Inside *>(arg);
        (*i->call)("inside");
        i->got = receive(*i->far, 6);
    };
    ASSERT_EQ(csploop_call_soon(loop, nullptr, fn, &inside), 0);
    EXPECT_EQ(h.turn(0), 0);
    EXPECT_EQ(inside.got, "inside");
}

TEST_P(Turn, RejectedSubmissionsOfSubmitWaitForATurn) {
    const csploop_submission bad = submission(CSPLOOP_OP_SHUTDOWN, 12345, 0, 0, 0, 3);
    csploop_batch batch = h.batch_of();
    batch.submissions = &bad;
    batch.n_submissions = 1;
    EXPECT_EQ(csploop_submit(loop, &batch), 0);
    int64_t deadline = -1;
    EXPECT_EQ(csploop_next_deadline(loop, &deadline), 0);
    EXPECT_EQ(deadline, 0);
    EXPECT_EQ(h.turn(-1), 1);
    EXPECT_EQ(h.first(12345, CSPLOOP_KIND_REJECTED).token, 3u);
}

TEST_P(Turn, IdsReserveChecksItsArguments) {
    csploop_id id = 0;
    EXPECT_EQ(csploop_ids_reserve(loop, nullptr, 1), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_ids_reserve(loop, &id, -1), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_ids_reserve(loop, &id, 0), 0);
}

TEST_P(Turn, EintrEndsTheWaitAndIsNoError) {
    if (GetParam() == CSPLOOP_POLLER_UV)
        GTEST_SKIP() << "libuv goes on waiting after a signal; csploop_wake and csploop_stop do end that wait";
    struct sigaction action = {}, before = {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR2, &action, &before);
    // The timer raises nothing by itself: the signal comes from a POSIX timer that keeps ringing, so that none is missed.
    timer_t timer{};
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR2;
    ASSERT_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    itimerspec ring{{0, 2000000}, {0, 2000000}};
    ASSERT_EQ(timer_settime(timer, 0, &ring, nullptr), 0);
    waiting_for = "a signal to end the wait";
    EXPECT_EQ(h.turn(-1), 0);
    timer_delete(timer);
    sigaction(SIGUSR2, &before, nullptr);
}
