// Writing: order, copies and references, gathering, backlog, and a peer that does not read.
#include "support/streams.hpp"

using namespace csploop_test;

class Write : public StreamTest {
protected:
    // Reads the far end until everything arrived, turning the loop meanwhile.
    std::string collect(const Stream &stream, size_t size) {
        std::string got;
        h.until(
            [&] {
                got += receive_some(stream.far);
                return got.size() >= size;
            },
            "the bytes to arrive");
        return got;
    }
};
CSPLOOP_IN_ALL_MODES(Write);

TEST_P(Write, GoesOutWhenTheTurnEnds) {
    Stream stream = pair();
    ASSERT_EQ(write(stream.id, "one "), 0);
    ASSERT_EQ(write(stream.id, "two"), 0);
    EXPECT_EQ(receive_some(stream.far), "") << "gathered, not sent yet";
    EXPECT_EQ(csploop_stream_buffered(loop, stream.id), 7);
    h.turn(0);
    EXPECT_EQ(receive(stream.far, 7), "one two");
    EXPECT_EQ(csploop_stream_buffered(loop, stream.id), 0);
    EXPECT_TRUE(h.log().empty()) << "copied writes that fit say nothing";
}

TEST_P(Write, GoesOutAtOnceAboveTheHighWaterMark) {
    const csploop_stream_options options = stream_options(0, 1000);
    Stream stream = pair(&options);
    ASSERT_EQ(write(stream.id, std::string(1000, 'a')), 0);
    EXPECT_EQ(receive_some(stream.far), "");
    ASSERT_EQ(write(stream.id, "b"), 0);
    EXPECT_EQ(receive_some(stream.far), std::string(1000, 'a') + "b");
}

TEST_P(Write, CopiesBeforeTheCallReturns) {
    Stream stream = pair();
    std::string data = "original";
    ASSERT_EQ(write(stream.id, data), 0);
    data = "changed!";
    h.turn(0);
    EXPECT_EQ(receive(stream.far, 8), "original");
}

TEST_P(Write, FlushSendsNow) {
    Stream stream = pair();
    ASSERT_EQ(write(stream.id, "now"), 0);
    EXPECT_EQ(csploop_stream_flush(loop, stream.id), 0);
    EXPECT_EQ(receive_some(stream.far), "now");
    EXPECT_EQ(csploop_stream_flush(loop, stream.id), 0);
}

TEST_P(Write, ByReferenceCompletesOnceWithItsLength) {
    Stream stream = pair();
    const std::string data = pattern(5000);
    ASSERT_EQ(write_ref(stream.id, data), 0);
    EXPECT_EQ(collect(stream, data.size()), data);
    h.until_event(stream.id, CSPLOOP_KIND_WRITTEN, "WRITTEN");
    h.settle();
    EXPECT_EQ(h.kinds(stream.id), (std::vector<uint16_t>{CSPLOOP_KIND_WRITTEN}));
    EXPECT_EQ(h.first(stream.id, CSPLOOP_KIND_WRITTEN).result, 5000);
}

TEST_P(Write, EmptyWritesAreFine) {
    Stream stream = pair();
    EXPECT_EQ(csploop_stream_write(loop, stream.id, "", 0), 0);
    EXPECT_EQ(csploop_stream_write(loop, stream.id, nullptr, 0), 0);
    EXPECT_EQ(write_ref(stream.id, ""), 0);
    h.until_event(stream.id, CSPLOOP_KIND_WRITTEN, "an empty write's WRITTEN");
    EXPECT_EQ(h.first(stream.id, CSPLOOP_KIND_WRITTEN).result, 0);
    h.settle();
    EXPECT_EQ(receive_some(stream.far), "");
}

TEST_P(Write, OrderHoldsBetweenCopiesAndReferences) {
    Stream stream = tcp();
    shrink_buffers(csploop_stream_fd(loop, stream.id));
    const std::string data = pattern(1 << 20);
    std::vector<int64_t> lengths;
    for (size_t at = 0, i = 0; at < data.size(); ++i) {
        const size_t n = std::min<size_t>(data.size() - at, 1 + i * 977 % 20000);
        const std::string_view piece = std::string_view(data).substr(at, n);
        if (i % 3 == 1) {
            ASSERT_EQ(write_ref(stream.id, piece), 0);
            lengths.push_back(static_cast<int64_t>(n));
        } else {
            ASSERT_EQ(write(stream.id, piece), 0);
        }
        at += n;
    }
    EXPECT_EQ(collect(stream, data.size()), data);
    h.until([&] { return h.count(stream.id, CSPLOOP_KIND_WRITTEN) == static_cast<int>(lengths.size()); },
            "all WRITTEN");
    std::vector<int64_t> written;
    for (const Event &event : h.log())
        if (event.record.kind == CSPLOOP_KIND_WRITTEN)
            written.push_back(event.record.result);
    EXPECT_EQ(written, lengths) << "in the order of the calls";
}

TEST_P(Write, BacklogIsReportedAndShrinksToNothing) {
    Stream stream = tcp();
    shrink_buffers(csploop_stream_fd(loop, stream.id));
    const std::string data = pattern(4 << 20);
    ASSERT_EQ(write(stream.id, data), 0);
    h.settle();
    ASSERT_GE(h.count(stream.id, CSPLOOP_KIND_BACKLOG), 1) << "the kernel cannot take it all";
    const int64_t first = h.first(stream.id, CSPLOOP_KIND_BACKLOG).result;
    EXPECT_GT(first, 0);
    EXPECT_LT(first, static_cast<int64_t>(data.size()));
    EXPECT_EQ(csploop_stream_buffered(loop, stream.id), h.last(stream.id, CSPLOOP_KIND_BACKLOG).result);
    EXPECT_EQ(collect(stream, data.size()), data);
    h.until([&] { return h.last(stream.id, CSPLOOP_KIND_BACKLOG).result == 0; }, "the backlog to be gone");
    EXPECT_EQ(csploop_stream_buffered(loop, stream.id), 0);
    int64_t previous = INT64_MAX;
    for (const Event &event : h.log()) {
        if (event.record.kind != CSPLOOP_KIND_BACKLOG)
            continue;
        EXPECT_LT(event.record.result, previous);
        previous = event.record.result;
    }
}

TEST_P(Write, AStreamThatMayNotSendDoesNotSpin) {
    Stream stream = tcp();
    shrink_buffers(csploop_stream_fd(loop, stream.id));
    ASSERT_EQ(write(stream.id, pattern(4 << 20)), 0);
    h.settle(20);
    h.forget();
    int64_t unsent = csploop_stream_buffered(loop, stream.id);
    int64_t deadline = -1;
    EXPECT_EQ(csploop_next_deadline(loop, &deadline), 0);
    EXPECT_EQ(deadline, INT64_MAX) << "only the kernel can tell when to go on";
    h.settle(20);
    // On a loaded machine TCP's windows may grow this late; but records come for bytes that moved, never for nothing.
    for (const Event &event : h.log()) {
        EXPECT_EQ(event.record.kind, CSPLOOP_KIND_BACKLOG);
        EXPECT_LT(event.record.result, unsent);
        unsent = event.record.result;
    }
}

TEST_P(Write, MoreWritesJoinTheBacklogInOrder) {
    Stream stream = tcp();
    shrink_buffers(csploop_stream_fd(loop, stream.id));
    const std::string data = pattern(3 << 20);
    const size_t half = data.size() / 2;
    ASSERT_EQ(write(stream.id, std::string_view(data).substr(0, half)), 0);
    h.settle();
    ASSERT_GT(csploop_stream_buffered(loop, stream.id), 0);
    for (size_t at = half; at < data.size(); at += 65536)
        ASSERT_EQ(write(stream.id, std::string_view(data).substr(at, 65536)), 0);
    EXPECT_EQ(collect(stream, data.size()), data);
}

TEST_P(Write, ToAGonePeerIsAnErrorWithoutSigpipe) {
    struct sigaction before {};
    static volatile sig_atomic_t raised = 0;
    struct sigaction count = {};
    count.sa_handler = [](int) { raised = raised + 1; };
    sigaction(SIGPIPE, &count, &before);

    Stream socket_stream = pair();
    socket_stream.far.close();
    auto [pipe_reader, pipe_writer] = pipe_pair();
    const csploop_id pipe_id = adopt(pipe_writer.release());
    pipe_reader.close();
    Stream reset_stream = tcp();
    reset_on_close(reset_stream.far);
    reset_stream.far.close();
    static const std::string data = pattern(100);
    for (csploop_id id : {socket_stream.id, pipe_id, reset_stream.id}) {
        const int code = write_ref(id, data);
        h.until([&] { return h.count(id, CSPLOOP_KIND_ERROR) > 0; }, "ERROR");
        h.settle();
        EXPECT_EQ(h.count(id, CSPLOOP_KIND_ERROR), 1);
        const int64_t error = h.first(id, CSPLOOP_KIND_ERROR).result;
        EXPECT_TRUE(error == CSPLOOP_EPIPE || error == CSPLOOP_ECONNRESET) << csploop_strerror(static_cast<int>(error));
        EXPECT_EQ(write(id, "more"), CSPLOOP_EPIPE);
        finish(id);
        EXPECT_EQ(h.count(id, CSPLOOP_KIND_WRITTEN), code == 0 ? 1 : 0);
        EXPECT_EQ(h.kinds(id).back(), CSPLOOP_KIND_CLOSED);
    }
    EXPECT_EQ(raised, 0);
    sigaction(SIGPIPE, &before, nullptr);
}

TEST_P(Write, APipeThatBreaksWhileItWaitsForRoomIsAnError) {
    auto [reader, writer] = pipe_pair();
    const csploop_id id = adopt(writer.release());
    static const std::string data = pattern(1 << 20);
    ASSERT_EQ(write_ref(id, data), 0);
    h.settle();
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_WRITTEN), 0);
    reader.close();
    h.until_event(id, CSPLOOP_KIND_ERROR, "ERROR");
    finish(id);
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_WRITTEN), 1);
    EXPECT_LT(h.first(id, CSPLOOP_KIND_WRITTEN).result, 0);
}

TEST_P(Write, InsideACallbackGoesOutByTheEndOfTheTurn) {
    Stream stream = reading();
    h.on = [&](const csploop_record &record) {
        if (record.kind == CSPLOOP_KIND_READ) {
            EXPECT_EQ(write(stream.id, h.log().back().bytes), 0);
        }
    };
    send_all(stream.far, "echo");
    h.until([&] { return h.text(stream.id) == "echo"; }, "the read");
    if (GetParam().form == Form::batch)
        h.turn(0);
    EXPECT_EQ(receive_some(stream.far), "echo");
}

TEST_P(Write, BadLengthsAreRefused) {
    Stream stream = pair();
    EXPECT_EQ(csploop_stream_write(loop, stream.id, nullptr, 1), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_stream_write_ref(loop, stream.id, nullptr, 1, h.fn(), h.arg()), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_stream_write(loop, stream.id, "x", SIZE_MAX), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_stream_write_ref(loop, stream.id, "x", SIZE_MAX, h.fn(), h.arg()), CSPLOOP_EINVAL);
    ASSERT_EQ(write(stream.id, "ok"), 0);
    h.turn(0);
    EXPECT_EQ(receive(stream.far, 2), "ok");
}
