// Peers that behave badly: floods, dribbles, resets in the middle of others' work, a full slab.
#include "support/streams.hpp"

using namespace csploop_test;

class Adversity : public StreamTest {};
CSPLOOP_IN_ALL_MODES(Adversity);

namespace {
csploop_options small_slab() {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.slab_bytes = 16384;
    return options;
}
} // namespace

TEST_P(Adversity, ADribblingPeerIsHeardToTheEnd) {
    Stream stream = reading();
    const std::string text = pattern(700);
    for (size_t i = 0; i < text.size(); ++i) {
        send_all(stream.far, std::string_view(text).substr(i, 1));
        if (i % 3 == 0)
            h.step();
    }
    h.until([&] { return h.text(stream.id).size() == text.size(); }, "the last drop");
    EXPECT_EQ(h.text(stream.id), text);
}

TEST_P(Adversity, AFloodStarvesNobody) {
    // The slab is far smaller than the flood; the quiet ones must be heard while it goes on.
    Harness small(GetParam(), small_slab());
    auto adopt_reading = [&](Fd fd) {
        csploop_id id = 0;
        EXPECT_EQ(csploop_stream_adopt(small.loop(), &id, fd.release(), nullptr, small.fn(), small.arg()), 0);
        EXPECT_EQ(csploop_stream_read_start(small.loop(), id, CSPLOOP_READ_SLAB), 0);
        return id;
    };
    auto [flood_near, flood_far] = socket_pair();
    const csploop_id flood = adopt_reading(std::move(flood_near));
    std::vector<Stream> quiet;
    for (int i = 0; i < 40; ++i) {
        auto [near, far] = socket_pair();
        quiet.push_back({adopt_reading(std::move(near)), std::move(far)});
    }
    const std::string wave = pattern(1 << 20);
    size_t sent = 0;
    auto flood_more = [&] { sent += send_some(flood_far, std::string_view(wave).substr(sent % wave.size())); };
    flood_more();
    for (Stream &stream : quiet)
        send_all(stream.far, "help");
    for (int turn = 0; turn < 4; ++turn) {
        small.step();
        flood_more();
    }
    for (Stream &stream : quiet)
        EXPECT_EQ(small.text(stream.id), "help");
    EXPECT_GT(small.text(flood).size(), 0u);
    EXPECT_LT(small.text(flood).size(), sent) << "the flood went on all the time";
    small.until(
        [&] {
            if (small.log().size() > 4000)
                ADD_FAILURE() << "the flood never ends";
            return small.text(flood).size() == sent || testing::Test::HasFailure();
        },
        "the rest of the flood");
}

TEST_P(Adversity, FloodsFromManyStarveNobody) {
    // More floods than the slab has room for in a turn, and all of them go on: each must make progress.
    Harness small(GetParam(), small_slab());
    std::vector<Stream> streams;
    const std::string wave = pattern(100000);
    for (int i = 0; i < 12; ++i) {
        auto [near, far] = socket_pair();
        csploop_id id = 0;
        ASSERT_EQ(csploop_stream_adopt(small.loop(), &id, near.release(), nullptr, small.fn(), small.arg()), 0);
        ASSERT_EQ(csploop_stream_read_start(small.loop(), id, CSPLOOP_READ_SLAB), 0);
        send_some(far, wave);
        streams.push_back({id, std::move(far)});
    }
    for (int turn = 0; turn < 24; ++turn) {
        small.step();
        for (Stream &stream : streams)
            send_some(stream.far, wave);
    }
    for (Stream &stream : streams)
        EXPECT_GT(small.count(stream.id, CSPLOOP_KIND_READ), 0);
}

TEST_P(Adversity, ManyStreamsShareAFullSlab) {
    Harness small(GetParam(), small_slab());
    std::vector<Stream> streams;
    const std::string text = pattern(6000);
    for (int i = 0; i < 30; ++i) {
        auto [near, far] = socket_pair();
        csploop_id id = 0;
        ASSERT_EQ(csploop_stream_adopt(small.loop(), &id, near.release(), nullptr, small.fn(), small.arg()), 0);
        ASSERT_EQ(csploop_stream_read_start(small.loop(), id, CSPLOOP_READ_SLAB), 0);
        send_all(far, text);
        streams.push_back({id, std::move(far)});
    }
    for (Stream &stream : streams) {
        small.until([&] { return small.text(stream.id).size() == text.size(); }, "a stream's share");
        EXPECT_EQ(small.text(stream.id), text);
    }
}

TEST_P(Adversity, AResetPeerLosesNobodyElsesData) {
    const Listener listener = listen();
    std::vector<Fd> clients;
    std::vector<csploop_id> ids;
    for (size_t i = 0; i < 20; ++i) {
        clients.push_back(dial_tcp(listener.port));
        h.until([&] { return h.accepted(listener.id, i) != 0; }, "a client");
        ids.push_back(h.accepted(listener.id, i));
        ASSERT_EQ(csploop_stream_read_start(loop, ids[i], CSPLOOP_READ_SLAB), 0);
    }
    for (size_t i = 0; i < clients.size(); ++i) {
        send_all(clients[i], "message " + std::to_string(i));
        if (i % 2) {
            reset_on_close(clients[i]);
            clients[i].close();
        }
    }
    for (size_t i = 0; i < clients.size(); ++i) {
        if (i % 2) {
            h.until_event(ids[i], CSPLOOP_KIND_ERROR, "the reset");
            EXPECT_EQ(write(ids[i], "x"), CSPLOOP_EPIPE);
        } else {
            h.until([&] { return h.text(ids[i]) == "message " + std::to_string(i); }, "a good client's message");
            ASSERT_EQ(write(ids[i], "reply"), 0);
        }
    }
    h.turn(0);
    for (size_t i = 0; i < clients.size(); i += 2)
        EXPECT_EQ(receive(clients[i], 5), "reply");
}

TEST_P(Adversity, ADescriptorClosedBehindTheLoopsBackHarmsNobodyElse) {
    Stream victim = reading(), other = reading();
    // The number goes to somebody else, while the loop still believes it is its stream's.
    ::close(csploop_stream_fd(loop, victim.id));
    send_all(other.far, "still here");
    h.until([&] { return h.text(other.id) == "still here"; }, "the other stream");
    h.settle();
    ASSERT_EQ(write(other.id, "me too"), 0);
    h.turn(0);
    EXPECT_EQ(receive(other.far, 6), "me too");
    EXPECT_EQ(csploop_stream_close(loop, victim.id, CSPLOOP_CLOSE_ABORT), 0);
    h.until_event(victim.id, CSPLOOP_KIND_CLOSED, "CLOSED");
}

TEST_P(Adversity, HundredStreamsEchoEverything) {
    std::vector<Stream> streams;
    for (int i = 0; i < 100; ++i)
        streams.push_back(reading());
    const size_t rounds = sized<size_t>(10, 4);
    const size_t size = 1024;
    h.on = [&](const csploop_record &record) {
        if (record.kind != CSPLOOP_KIND_READ)
            return;
        const std::string &bytes = h.log().back().bytes;
        EXPECT_EQ(csploop_stream_write(loop, record.id, bytes.data(), bytes.size()), 0);
    };
    std::vector<std::string> echoed(streams.size());
    for (size_t round = 0; round < rounds; ++round) {
        for (size_t i = 0; i < streams.size(); ++i)
            send_all(streams[i].far, pattern(size, round * 1000 + i));
        for (size_t i = 0; i < streams.size(); ++i)
            while ((echoed[i] += receive_some(streams[i].far)).size() < (round + 1) * size)
                h.step(millisecond); // an echo may be all there is to do, and then nothing ends the wait
    }
    for (size_t i = 0; i < streams.size(); ++i)
        for (size_t round = 0; round < rounds; ++round)
            ASSERT_EQ(echoed[i].substr(round * size, size), pattern(size, round * 1000 + i));
}

TEST_P(Adversity, StreamsComeAndGoWhileOthersWork) {
    const Listener listener = listen();
    Stream steady = reading();
    size_t accepted = 0, said = 0;
    for (int round = 0; round < 30; ++round) {
        Fd client = dial_tcp(listener.port);
        send_all(client, "x");
        h.until([&] { return h.accepted(listener.id, accepted) != 0; }, "a client");
        const csploop_id id = h.accepted(listener.id, accepted++);
        ASSERT_EQ(csploop_stream_read_start(loop, id, CSPLOOP_READ_SLAB), 0);
        h.until([&] { return h.text(id) == "x"; }, "its byte");
        send_all(steady.far, "s");
        h.until([&] { return h.text(steady.id).size() == said + 1; }, "the steady one's byte");
        ++said;
        finish(id, round % 2 ? CSPLOOP_CLOSE_RESET : CSPLOOP_CLOSE_DRAIN);
    }
}
