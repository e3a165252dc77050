// Reading: both modes, stopping and starting, the end of file.
#include "support/streams.hpp"

using namespace csploop_test;

class Read : public StreamTest {};
CSPLOOP_IN_ALL_MODES(Read);

TEST_P(Read, BytesArriveInOrderAndOnce) {
    Stream stream = reading();
    std::string sent;
    for (int i = 0; i < 50; ++i) {
        const std::string piece = pattern(static_cast<size_t>(i) * 37 + 1, static_cast<uint64_t>(i));
        send_all(stream.far, piece);
        sent += piece;
        h.until([&] { return h.text(stream.id).size() == sent.size(); }, "the piece");
    }
    EXPECT_EQ(h.text(stream.id), sent);
}

TEST_P(Read, EndOfFileComesOnceAfterTheData) {
    Stream stream = reading();
    send_all(stream.far, "last words");
    stream.far.close();
    h.until_event(stream.id, CSPLOOP_KIND_EOF, "EOF");
    h.settle();
    EXPECT_EQ(h.text(stream.id), "last words");
    EXPECT_EQ(h.kinds(stream.id), (std::vector<uint16_t>{CSPLOOP_KIND_READ, CSPLOOP_KIND_EOF}));
    EXPECT_EQ(h.first(stream.id, CSPLOOP_KIND_EOF).result, 0);
    EXPECT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), CSPLOOP_ENOTCONN);
}

TEST_P(Read, EndOfFileIsInALaterBatchThanTheData) {
    Stream stream = reading();
    send_all(stream.far, "x");
    stream.far.close();
    int read_turn = -1, eof_turn = -1;
    h.on = [&](const csploop_record &record) {
        if (record.kind == CSPLOOP_KIND_READ)
            read_turn = h.turns();
        if (record.kind == CSPLOOP_KIND_EOF)
            eof_turn = h.turns();
    };
    h.until_event(stream.id, CSPLOOP_KIND_EOF, "EOF");
    EXPECT_GE(read_turn, 0);
    EXPECT_GT(eof_turn, read_turn);
}

TEST_P(Read, AHalfClosedPeerStillReads) {
    Stream stream = tcp();
    ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), 0);
    send_all(stream.far, "request");
    ::shutdown(stream.far.get(), SHUT_WR);
    h.until_event(stream.id, CSPLOOP_KIND_EOF, "the half close");
    EXPECT_EQ(h.text(stream.id), "request");
    ASSERT_EQ(write(stream.id, "response"), 0);
    h.turn(0);
    EXPECT_EQ(receive(stream.far, 8), "response");
}

TEST_P(Read, AtMostOneReadPerStreamAndBatch) {
    Stream stream = reading();
    const std::string data = pattern(300000);
    std::string_view rest = data;
    int turn_of_last = -1;
    h.on = [&](const csploop_record &record) {
        if (record.kind != CSPLOOP_KIND_READ)
            return;
        EXPECT_NE(turn_of_last, h.turns());
        turn_of_last = h.turns();
    };
    h.until(
        [&] {
            rest.remove_prefix(send_some(stream.far, rest));
            return h.text(stream.id).size() == data.size();
        },
        "all the bytes");
    EXPECT_EQ(h.text(stream.id), data);
}

TEST_P(Read, StopKeepsDataInTheKernelUntilStart) {
    Stream stream = reading();
    send_all(stream.far, "one");
    h.until([&] { return h.text(stream.id) == "one"; }, "one");
    ASSERT_EQ(csploop_stream_read_stop(loop, stream.id), 0);
    ASSERT_EQ(csploop_stream_read_stop(loop, stream.id), 0) << "twice is no error";
    send_all(stream.far, "two");
    h.settle();
    EXPECT_EQ(h.text(stream.id), "one");
    ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), 0);
    h.until([&] { return h.text(stream.id) == "onetwo"; }, "two");
}

TEST_P(Read, StoppedStreamsStillHearOfNothingButWrites) {
    Stream stream = reading();
    ASSERT_EQ(csploop_stream_read_stop(loop, stream.id), 0);
    stream.far.close();
    h.settle();
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_EOF), 0);
    ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), 0);
    h.until_event(stream.id, CSPLOOP_KIND_EOF, "EOF");
}

TEST_P(Read, ReadyModeOnlyTells) {
    Stream stream = reading(CSPLOOP_READ_READY);
    send_all(stream.far, "fetch me");
    h.until_event(stream.id, CSPLOOP_KIND_READABLE, "READABLE");
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_READ), 0);
    char buffer[5];
    EXPECT_EQ(csploop_stream_read_into(loop, stream.id, buffer, sizeof buffer), 5);
    EXPECT_EQ(std::string(buffer, 5), "fetch");
    h.forget();
    h.until_event(stream.id, CSPLOOP_KIND_READABLE, "READABLE again, for the rest");
    EXPECT_EQ(csploop_stream_read_into(loop, stream.id, buffer, sizeof buffer), 3);
    EXPECT_EQ(csploop_stream_read_into(loop, stream.id, buffer, sizeof buffer), CSPLOOP_EAGAIN);
    h.forget();
    h.settle();
    EXPECT_TRUE(h.log().empty());
}

TEST_P(Read, ReadyModeSeesTheEnd) {
    Stream stream = reading(CSPLOOP_READ_READY);
    send_all(stream.far, "x");
    stream.far.close();
    h.until_event(stream.id, CSPLOOP_KIND_READABLE, "READABLE");
    char buffer[16];
    EXPECT_EQ(csploop_stream_read_into(loop, stream.id, buffer, sizeof buffer), 1);
    EXPECT_EQ(csploop_stream_read_into(loop, stream.id, buffer, sizeof buffer), 0);
    h.until_event(stream.id, CSPLOOP_KIND_EOF, "EOF");
    h.settle();
    EXPECT_EQ(h.count(stream.id, CSPLOOP_KIND_EOF), 1);
}

TEST_P(Read, ModesCanChangeWhileReading) {
    Stream stream = reading();
    send_all(stream.far, "slab");
    h.until([&] { return h.text(stream.id) == "slab"; }, "the first mode");
    ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_READY), 0);
    send_all(stream.far, "ready");
    h.until_event(stream.id, CSPLOOP_KIND_READABLE, "the second mode");
    ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), 0);
    h.until([&] { return h.text(stream.id) == "slabready"; }, "the first mode again");
}

TEST_P(Read, ReadIntoChecksItsArguments) {
    Stream stream = reading(CSPLOOP_READ_READY);
    char byte = 0;
    EXPECT_EQ(csploop_stream_read_into(loop, stream.id, nullptr, 1), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_stream_read_into(loop, stream.id, &byte, 0), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_stream_read_into(loop, stream.id, &byte, 1), CSPLOOP_EAGAIN);
    EXPECT_EQ(csploop_stream_read_start(loop, stream.id, 2), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_stream_read_start(loop, stream.id, -1), CSPLOOP_EINVAL);
}

TEST_P(Read, AResetIsAnErrorOnce) {
    Stream stream = tcp();
    ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), 0);
    reset_on_close(stream.far);
    stream.far.close();
    h.until_event(stream.id, CSPLOOP_KIND_ERROR, "ERROR");
    h.settle();
    EXPECT_EQ(h.kinds(stream.id), (std::vector<uint16_t>{CSPLOOP_KIND_ERROR}));
    EXPECT_EQ(h.first(stream.id, CSPLOOP_KIND_ERROR).result, CSPLOOP_ECONNRESET);
    EXPECT_EQ(write(stream.id, "x"), CSPLOOP_EPIPE);
    finish(stream.id);
}

TEST_P(Read, NoDataIsLostBetweenManySmallAndLargePieces) {
    Stream stream = tcp();
    ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), 0);
    const std::string data = pattern(1 << 19);
    size_t at = 0, next = 1;
    h.until(
        [&] {
            if (at < data.size())
                at += send_some(stream.far, std::string_view(data).substr(at, next));
            next = next * 7 % 100003 + 1;
            return h.text(stream.id).size() == data.size();
        },
        "all the bytes");
    EXPECT_EQ(h.text(stream.id), data);
}

// Two streams of one turn, and what a callback may do to the other.
class ReadInTurn : public PollerTest {
protected:
    void SetUp() override {
        for (Stream &stream : streams) {
            auto [near, far] = socket_pair();
            ASSERT_EQ(csploop_stream_adopt(callbacks.loop(), &stream.id, near.release(), nullptr, callbacks.fn(),
                                           callbacks.arg()),
                      0);
            ASSERT_EQ(csploop_stream_read_start(callbacks.loop(), stream.id, CSPLOOP_READ_SLAB), 0);
            stream.far = std::move(far);
        }
    }
    csploop_id other(csploop_id id) const { return id == streams[0].id ? streams[1].id : streams[0].id; }
    Harness callbacks{Mode{GetParam(), Wait::own, Form::callback}};
    Stream streams[2];
};
CSPLOOP_ON_ALL_POLLERS(ReadInTurn);

TEST_P(ReadInTurn, StoppingTheOtherHoldsItsDataBack) {
    csploop_id stopped = 0;
    callbacks.on = [&](const csploop_record &record) {
        if (record.kind != CSPLOOP_KIND_READ || stopped)
            return;
        stopped = other(record.id);
        EXPECT_EQ(csploop_stream_read_stop(callbacks.loop(), stopped), 0);
    };
    for (Stream &stream : streams)
        send_all(stream.far, "held");
    callbacks.until([&] { return stopped != 0; }, "the first READ");
    callbacks.settle();
    EXPECT_EQ(callbacks.count(stopped, CSPLOOP_KIND_READ), 0);
    for (Stream &stream : streams)
        send_all(stream.far, " and more");
    callbacks.settle();
    EXPECT_EQ(callbacks.count(stopped, CSPLOOP_KIND_READ), 0);
    ASSERT_EQ(csploop_stream_read_start(callbacks.loop(), stopped, CSPLOOP_READ_SLAB), 0);
    callbacks.until([&] { return callbacks.text(stopped) == "held and more"; }, "what was held back, first");
}

// A small slab, so that only the first part of what is held back fits; then that part is held back again.
TEST_P(ReadInTurn, HeldDataThatComesInPartsKeepsItsOrder) {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.slab_bytes = 16 << 10;
    Harness small(Mode{GetParam(), Wait::own, Form::callback}, options);
    Stream mine[2];
    const std::string data[2] = {pattern(10 << 10, 1), pattern(10 << 10, 2)};
    bool held = true;
    small.on = [&](const csploop_record &record) {
        if (record.kind == CSPLOOP_KIND_SOON) {
            for (const Stream &stream : mine)
                if (stream.id) {
                    EXPECT_EQ(csploop_stream_read_stop(small.loop(), stream.id), 0);
                }
        } else if (record.id == mine[0].id && held) {
            held = false;
            EXPECT_EQ(csploop_stream_read_stop(small.loop(), mine[1].id), 0);
        }
    };
    for (int i = 0; i < 2; ++i) {
        auto [near, far] = socket_pair();
        csploop_id id = 0;
        ASSERT_EQ(csploop_stream_adopt(small.loop(), &id, near.release(), nullptr, small.fn(), small.arg()), 0);
        ASSERT_EQ(csploop_stream_read_start(small.loop(), id, CSPLOOP_READ_SLAB), 0);
        send_all(far, data[i]);
        mine[i] = {id, std::move(far)};
        ASSERT_EQ(csploop_call_soon(small.loop(), nullptr, small.fn(), small.arg()), 0);
        small.turn(0); // what it reads is held back: the callback that stops reading comes first
        ASSERT_EQ(small.count(id, CSPLOOP_KIND_READ), 0);
    }
    for (const Stream &stream : mine)
        ASSERT_EQ(csploop_stream_read_start(small.loop(), stream.id, CSPLOOP_READ_SLAB), 0);
    small.until([&] { return !held; }, "the READ of the first");
    small.settle();
    EXPECT_EQ(small.count(mine[1].id, CSPLOOP_KIND_READ), 0);
    ASSERT_EQ(csploop_stream_read_start(small.loop(), mine[1].id, CSPLOOP_READ_SLAB), 0);
    small.until([&] { return small.text(mine[1].id).size() == data[1].size(); }, "the rest");
    EXPECT_TRUE(small.text(mine[1].id) == data[1]);
    EXPECT_TRUE(small.text(mine[0].id) == data[0]);
}

TEST_P(ReadInTurn, StoppingItselfEndsReading) {
    callbacks.on = [&](const csploop_record &record) {
        if (record.kind == CSPLOOP_KIND_READ) {
            EXPECT_EQ(csploop_stream_read_stop(callbacks.loop(), record.id), 0);
        }
    };
    for (Stream &stream : streams)
        send_all(stream.far, "a");
    callbacks.until([&] { return callbacks.log().size() == 2; }, "both");
    for (Stream &stream : streams)
        send_all(stream.far, "b");
    callbacks.settle();
    EXPECT_EQ(callbacks.log().size(), 2u);
}

TEST_P(ReadInTurn, ClosingTheOtherDropsItsData) {
    csploop_id closed = 0;
    callbacks.on = [&](const csploop_record &record) {
        if (record.kind != CSPLOOP_KIND_READ || closed)
            return;
        closed = other(record.id);
        EXPECT_EQ(csploop_stream_close(callbacks.loop(), closed, CSPLOOP_CLOSE_ABORT), 0);
    };
    for (Stream &stream : streams)
        send_all(stream.far, "never seen");
    callbacks.until([&] { return callbacks.count(closed, CSPLOOP_KIND_CLOSED) == 1; }, "CLOSED");
    callbacks.settle();
    EXPECT_EQ(callbacks.kinds(closed), (std::vector<uint16_t>{CSPLOOP_KIND_CLOSED}));
}

TEST_P(ReadInTurn, QueuedRecordsOfAStoppedStreamWaitForStart) {
    h.set_capacity(1);
    Stream mine[2];
    for (Stream &stream : mine) {
        auto [near, far] = socket_pair();
        ASSERT_EQ(csploop_stream_adopt(loop, &stream.id, near.release(), nullptr, nullptr, nullptr), 0);
        ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), 0);
        stream.far = std::move(far);
        send_all(stream.far, "queued");
    }
    ASSERT_EQ(h.turn(-1), 1);
    const csploop_id queued = h.log()[0].record.id == mine[0].id ? mine[1].id : mine[0].id;
    ASSERT_EQ(csploop_stream_read_stop(loop, queued), 0);
    h.settle();
    EXPECT_EQ(h.count(queued, CSPLOOP_KIND_READ), 0);
    for (Stream &stream : mine)
        send_all(stream.far, " later");
    h.settle();
    ASSERT_EQ(csploop_stream_read_start(loop, queued, CSPLOOP_READ_SLAB), 0);
    h.until([&] { return h.text(queued) == "queued later"; }, "what was held back, first");
}

TEST_P(ReadInTurn, QueuedRecordsOfAClosedStreamAreDropped) {
    h.set_capacity(1);
    Stream mine[2];
    for (Stream &stream : mine) {
        auto [near, far] = socket_pair();
        ASSERT_EQ(csploop_stream_adopt(loop, &stream.id, near.release(), nullptr, nullptr, nullptr), 0);
        ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), 0);
        stream.far = std::move(far);
        send_all(stream.far, "queued");
    }
    ASSERT_EQ(h.turn(-1), 1);
    const csploop_id queued = h.log()[0].record.id == mine[0].id ? mine[1].id : mine[0].id;
    ASSERT_EQ(csploop_stream_close(loop, queued, CSPLOOP_CLOSE_ABORT), 0);
    h.until_event(queued, CSPLOOP_KIND_CLOSED, "CLOSED");
    h.settle();
    EXPECT_EQ(h.kinds(queued), (std::vector<uint16_t>{CSPLOOP_KIND_CLOSED}));
}

TEST_P(ReadInTurn, ReadIntoNoRoomIsRefusedAlsoWhereDataIsHeldBack) {
    csploop_fn stop = [](csploop_t *l, const csploop_record *, void *arg) {
        EXPECT_EQ(csploop_stream_read_stop(l, *static_cast<csploop_id *>(arg)), 0);
    };
    csploop_id id = streams[0].id;
    send_all(streams[0].far, "held");
    ASSERT_EQ(csploop_call_soon(callbacks.loop(), nullptr, stop, &id), 0);
    callbacks.settle();
    ASSERT_EQ(callbacks.count(id, CSPLOOP_KIND_READ), 0);
    char buffer[8];
    EXPECT_EQ(csploop_stream_read_into(callbacks.loop(), id, buffer, 0), CSPLOOP_EINVAL) << "0 means the end";
    EXPECT_EQ(csploop_stream_read_into(callbacks.loop(), id, buffer, sizeof buffer), 4);
    EXPECT_EQ(std::string(buffer, 4), "held");
}

namespace {

// Gives a stream a new handler, in the turn that has a READ of it waiting.
struct Handover {
    csploop_id id = 0;
    csploop_fn fn = nullptr;
    void *arg = nullptr;
    static void now(csploop_t *l, const csploop_record *, void *arg) {
        const auto *h = static_cast<Handover *>(arg);
        EXPECT_EQ(csploop_stream_set_handler(l, h->id, h->fn, h->arg), 0);
    }
};

void append_read(csploop_t *l, const csploop_record *record, void *arg) {
    if (record->kind == CSPLOOP_KIND_READ)
        static_cast<std::string *>(arg)->append(static_cast<const char *>(csploop_slab(l, nullptr)) + record->offset,
                                                static_cast<size_t>(record->result));
}

} // namespace

// Whoever replaces a handler frees what the old one used: not even a record that has completed already may reach it.
TEST_P(ReadInTurn, ANewHandlerGetsWhatIsNotDeliveredYet) {
    std::string heard;
    Handover handover{streams[0].id, append_read, &heard};
    send_all(streams[0].far, "to the new one");
    ASSERT_EQ(csploop_call_soon(callbacks.loop(), nullptr, Handover::now, &handover), 0);
    callbacks.until([&] { return !callbacks.log().empty() || !heard.empty(); }, "the READ");
    EXPECT_EQ(heard, "to the new one");
    EXPECT_TRUE(callbacks.log().empty());
}

TEST_P(ReadInTurn, ARecordMovesFromACallbackToTheBatchAndBack) {
    int token = 0;
    Handover to_batch{streams[0].id, nullptr, &token};
    send_all(streams[0].far, "moved");
    callbacks.set_capacity(0);
    ASSERT_EQ(csploop_call_soon(callbacks.loop(), nullptr, Handover::now, &to_batch), 0);
    callbacks.settle();
    EXPECT_TRUE(callbacks.log().empty()) << "it waits for a batch with room";
    std::string heard;
    ASSERT_EQ(csploop_stream_set_handler(callbacks.loop(), streams[0].id, append_read, &heard), 0);
    callbacks.turn(0);
    EXPECT_EQ(heard, "moved");
    EXPECT_TRUE(callbacks.log().empty());
    // And once more, with room: the batch has it, under the new token.
    callbacks.set_capacity(8);
    send_all(streams[0].far, "again");
    ASSERT_EQ(csploop_call_soon(callbacks.loop(), nullptr, Handover::now, &to_batch), 0);
    callbacks.until([&] { return callbacks.text(streams[0].id) == "again"; }, "the READ in the batch");
    EXPECT_EQ(callbacks.log().back().record.token, reinterpret_cast<uint64_t>(&token));
}
