// Endings: shutdown, close in its three ways, and what is still said afterwards.
#include "support/streams.hpp"

using namespace csploop_test;

class Close : public StreamTest {
protected:
    // A TCP stream with more unsent than the kernel takes, part of it by reference.
    Stream stuffed() {
        Stream stream = tcp();
        shrink_buffers(csploop_stream_fd(loop, stream.id));
        EXPECT_EQ(write(stream.id, copied), 0);
        EXPECT_EQ(write_ref(stream.id, referenced), 0);
        h.settle();
        EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_WRITTEN), 0);
        return stream;
    }
    const std::string copied = pattern(3 << 20, 1);
    const std::string referenced = pattern(1 << 20, 2);
};
CSPLOOP_IN_ALL_MODES(Close);

TEST_P(Close, ClosedIsTheLastRecordAndTheIdIsStale) {
    Stream stream = reading();
    finish(stream.id, CSPLOOP_CLOSE_DRAIN);
    send_some(stream.far, "into the void");
    h.settle();
    EXPECT_EQ(h.kinds(stream.id), (std::vector<uint16_t>{CSPLOOP_KIND_CLOSED}));
    EXPECT_EQ(h.first(stream.id, CSPLOOP_KIND_CLOSED).result, -1);
    EXPECT_EQ(write(stream.id, "x"), CSPLOOP_EBADID);
    EXPECT_EQ(csploop_stream_close(loop, stream.id, CSPLOOP_CLOSE_ABORT), CSPLOOP_EBADID);
    EXPECT_EQ(csploop_stream_fd(loop, stream.id), CSPLOOP_EBADID);
    EXPECT_EQ(csploop_stream_buffered(loop, stream.id), CSPLOOP_EBADID);
}

TEST_P(Close, DrainSendsEverythingFirst) {
    Stream stream = stuffed();
    EXPECT_EQ(csploop_stream_close(loop, stream.id, CSPLOOP_CLOSE_DRAIN), 0);
    EXPECT_EQ(write(stream.id, "too late"), CSPLOOP_EPIPE);
    std::string got;
    h.until(
        [&] {
            got += receive_some(stream.far);
            return h.count(stream.id, CSPLOOP_KIND_CLOSED) == 1;
        },
        "the drain");
    got += receive(stream.far, copied.size() + referenced.size() - got.size());
    EXPECT_TRUE(got == copied + referenced);
    EXPECT_EQ(receive(stream.far, 1), "") << "then the end";
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_WRITTEN), 1);
    EXPECT_EQ(h.first(stream.id, CSPLOOP_KIND_WRITTEN).result, static_cast<int64_t>(referenced.size()));
    EXPECT_EQ(h.kinds(stream.id).back(), CSPLOOP_KIND_CLOSED);
}

TEST_P(Close, AbortDropsWhatIsUnsent) {
    Stream stream = stuffed();
    finish(stream.id, CSPLOOP_CLOSE_ABORT);
    std::string got;
    for (std::string piece; !(piece = receive(stream.far, 65536)).empty();)
        got += piece;
    EXPECT_LT(got.size(), copied.size());
    EXPECT_TRUE(copied.starts_with(got));
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_WRITTEN), 1);
    EXPECT_EQ(h.first(stream.id, CSPLOOP_KIND_WRITTEN).result, CSPLOOP_ECANCELED);
    EXPECT_EQ(h.kinds(stream.id).back(), CSPLOOP_KIND_CLOSED);
}

TEST_P(Close, ResetReachesThePeer) {
    Stream stream = tcp();
    finish(stream.id, CSPLOOP_CLOSE_RESET);
    char byte = 0;
    EXPECT_EQ(recv(stream.far.get(), &byte, 1, 0), -1);
    EXPECT_EQ(errno, ECONNRESET);
}

TEST_P(Close, ResetOfASocketThatKnowsNoneJustCloses) {
    Stream stream = pair();
    finish(stream.id, CSPLOOP_CLOSE_RESET);
    EXPECT_TRUE(at_eof(stream.far));
}

TEST_P(Close, ASecondCloseMayOnlySharpen) {
    Stream stream = stuffed();
    EXPECT_EQ(csploop_stream_close(loop, stream.id, CSPLOOP_CLOSE_DRAIN), 0);
    EXPECT_EQ(csploop_stream_close(loop, stream.id, CSPLOOP_CLOSE_DRAIN), CSPLOOP_EALREADY);
    h.settle();
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_CLOSED), 0) << "still draining";
    finish(stream.id, CSPLOOP_CLOSE_ABORT);
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_WRITTEN), 1);
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_CLOSED), 1);
}

TEST_P(Close, NothingIsReadOnceClosing) {
    Stream stream = stuffed();
    ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), 0);
    EXPECT_EQ(csploop_stream_close(loop, stream.id, CSPLOOP_CLOSE_DRAIN), 0);
    send_all(stream.far, "unheard");
    h.settle();
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_READ), 0);
    finish(stream.id, CSPLOOP_CLOSE_ABORT);
}

TEST_P(Close, APeerThatBreaksDuringADrainEndsIt) {
    Stream stream = stuffed();
    EXPECT_EQ(csploop_stream_close(loop, stream.id, CSPLOOP_CLOSE_DRAIN), 0);
    reset_on_close(stream.far);
    stream.far.close();
    h.until_event(stream.id, CSPLOOP_KIND_CLOSED, "CLOSED");
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_WRITTEN), 1);
    EXPECT_LT(h.first(stream.id, CSPLOOP_KIND_WRITTEN).result, 0);
    EXPECT_EQ(h.kinds(stream.id).back(), CSPLOOP_KIND_CLOSED);
}

TEST_P(Close, UnknownFlagsAreRefused) {
    Stream stream = pair();
    EXPECT_EQ(csploop_stream_close(loop, stream.id, 3), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_stream_close(loop, stream.id, 0x80000000u), CSPLOOP_EINVAL);
    finish(stream.id);
}

TEST_P(Close, ShutdownFollowsTheWritesBeforeIt) {
    Stream stream = stuffed();
    ASSERT_EQ(csploop_stream_shutdown(loop, stream.id), 0);
    EXPECT_EQ(write(stream.id, "too late"), CSPLOOP_EPIPE);
    EXPECT_EQ(csploop_stream_shutdown(loop, stream.id), CSPLOOP_EPIPE);
    std::string got;
    h.until(
        [&] {
            got += receive_some(stream.far);
            return h.count(stream.id, CSPLOOP_KIND_SHUTDOWN) == 1;
        },
        "SHUTDOWN");
    got += receive(stream.far, copied.size() + referenced.size() - got.size());
    EXPECT_TRUE(got == copied + referenced);
    EXPECT_EQ(receive(stream.far, 1), "");
    EXPECT_EQ(h.first(stream.id, CSPLOOP_KIND_SHUTDOWN).result, 0);
    // The other direction is still open.
    ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), 0);
    send_all(stream.far, "reply");
    h.until([&] { return h.text(stream.id) == "reply"; }, "the reply");
}

TEST_P(Close, ShutdownOfAnIdleStreamIsQuick) {
    Stream stream = pair();
    ASSERT_EQ(csploop_stream_shutdown(loop, stream.id), 0);
    h.until_event(stream.id, CSPLOOP_KIND_SHUTDOWN, "SHUTDOWN");
    EXPECT_TRUE(at_eof(stream.far));
    finish(stream.id);
}

TEST_P(Close, ManyReferencesAllCompleteBeforeClosed) {
    Stream stream = tcp();
    shrink_buffers(csploop_stream_fd(loop, stream.id));
    static const std::string piece = pattern(10000);
    for (int i = 0; i < 500; ++i)
        ASSERT_EQ(write_ref(stream.id, piece), 0);
    h.settle();
    finish(stream.id, CSPLOOP_CLOSE_ABORT);
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_WRITTEN), 500);
    EXPECT_EQ(h.kinds(stream.id).back(), CSPLOOP_KIND_CLOSED);
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_CLOSED), 1);
    h.settle();
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_WRITTEN), 500);
}

TEST_P(Close, AStreamMayCloseItselfInAnyRecord) {
    Stream stream = reading();
    h.on = [&](const csploop_record &record) {
        if (record.kind == CSPLOOP_KIND_READ) {
            EXPECT_EQ(csploop_stream_close(loop, record.id, CSPLOOP_CLOSE_DRAIN), 0);
        }
    };
    send_all(stream.far, "bye");
    h.until_event(stream.id, CSPLOOP_KIND_CLOSED, "CLOSED");
    EXPECT_EQ(h.kinds(stream.id), (std::vector<uint16_t>{CSPLOOP_KIND_READ, CSPLOOP_KIND_CLOSED}));
}

TEST_P(Close, ClosingTheLoopClosesEverythingQuietly) {
    Harness other(GetParam());
    auto [near, far] = socket_pair();
    csploop_id id = 0, listener = 0;
    ASSERT_EQ(csploop_stream_adopt(other.loop(), &id, near.release(), nullptr, other.fn(), other.arg()), 0);
    ASSERT_EQ(csploop_tcp_listen(other.loop(), &listener, "127.0.0.1", 0, nullptr, other.fn(), other.arg()), 0);
    static const std::string data = pattern(1000);
    ASSERT_EQ(csploop_stream_write_ref(other.loop(), id, data.data(), data.size(), other.fn(), other.arg()), 0);
    EXPECT_EQ(csploop_close(other.loop()), 0);
    EXPECT_TRUE(other.log().empty()) << "no callback runs in close";
    EXPECT_EQ(receive(far, 2000), data) << "one last try to send, then the end";
}
