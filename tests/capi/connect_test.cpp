// Connecting: who answers, who refuses, what was written before.
#include "support/streams.hpp"

using namespace csploop_test;

class Connect : public StreamTest {
protected:
    csploop_id connect_tcp(int port, const char *host = "127.0.0.1") {
        csploop_id id = 0;
        EXPECT_EQ(csploop_tcp_connect(loop, &id, host, port, nullptr, h.fn(), h.arg()), 0);
        return id;
    }
    int64_t outcome(csploop_id id) {
        h.until_event(id, CSPLOOP_KIND_CONNECT, "CONNECT");
        return h.first(id, CSPLOOP_KIND_CONNECT).result;
    }
};
CSPLOOP_IN_ALL_MODES(Connect);

TEST_P(Connect, ReachesATcpListener) {
    auto [listener, port] = plain_listener();
    const csploop_id id = connect_tcp(port);
    EXPECT_EQ(outcome(id), 0);
    Fd far = accept_plain(listener);
    EXPECT_EQ(peer(id), "127.0.0.1:" + std::to_string(port));
    ASSERT_EQ(csploop_stream_read_start(loop, id, CSPLOOP_READ_SLAB), 0);
    send_all(far, "greeting");
    h.until([&] { return h.text(id) == "greeting"; }, "the greeting");
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_CONNECT), 1);
}

TEST_P(Connect, ReachesAnIpv6Listener) {
    if (!has_ipv6_loopback())
        GTEST_SKIP() << "no IPv6 loopback here";
    const Listener listener = listen(nullptr, "::1");
    const csploop_id id = connect_tcp(listener.port, "::1");
    EXPECT_EQ(outcome(id), 0);
    h.until([&] { return h.accepted(listener.id) != 0; }, "the connection");
    EXPECT_EQ(local(id), peer(h.accepted(listener.id)));
}

TEST_P(Connect, ReachesUnixPathsAndAbstractNames) {
    const SocketPath path;
    std::vector<std::string> names{path.text()};
#if defined(__linux__)
    names.push_back("@csploop-connect-" + std::to_string(getpid()));
#endif
    for (const std::string &name : names) {
        csploop_id listener = 0, id = 0;
        ASSERT_EQ(csploop_unix_listen(loop, &listener, name.c_str(), nullptr, h.fn(), h.arg()), 0);
        ASSERT_EQ(csploop_unix_connect(loop, &id, name.c_str(), nullptr, h.fn(), h.arg()), 0);
        EXPECT_EQ(outcome(id), 0);
        h.until([&] { return h.accepted(listener) != 0; }, "the connection");
        const csploop_id far = h.accepted(listener);
        EXPECT_EQ(peer(id), name);
        ASSERT_EQ(csploop_stream_read_start(loop, far, CSPLOOP_READ_SLAB), 0);
        ASSERT_EQ(write(id, "through"), 0);
        h.until([&] { return h.text(far) == "through"; }, "the bytes");
    }
}

TEST_P(Connect, ARefusalComesAsARecord) {
    auto [listener, port] = plain_listener();
    listener.close();
    const csploop_id id = connect_tcp(port);
    EXPECT_EQ(outcome(id), CSPLOOP_ECONNREFUSED);
    EXPECT_LT(write(id, "x"), 0) << "it only waits to be closed";
    finish(id);
    EXPECT_EQ(h.kinds(id), (std::vector<uint16_t>{CSPLOOP_KIND_CONNECT, CSPLOOP_KIND_CLOSED}));
}

TEST_P(Connect, UnixRefusalsComeAsRecordsToo) {
    const SocketPath path;
    csploop_id id = 0;
    ASSERT_EQ(csploop_unix_connect(loop, &id, path.text().c_str(), nullptr, h.fn(), h.arg()), 0);
    EXPECT_EQ(outcome(id), CSPLOOP_ENOENT);
    finish(id);
}

TEST_P(Connect, BadAddressesAreRefusedAtOnce) {
    csploop_id id = 0;
    EXPECT_EQ(csploop_tcp_connect(loop, &id, "example.org", 80, nullptr, h.fn(), h.arg()), CSPLOOP_EAFNOSUPPORT);
    EXPECT_EQ(csploop_tcp_connect(loop, &id, "127.0.0.1", 65536, nullptr, h.fn(), h.arg()), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_tcp_connect(loop, &id, "127.0.0.1", -1, nullptr, h.fn(), h.arg()), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_unix_connect(loop, &id, "", nullptr, h.fn(), h.arg()), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_unix_connect(loop, &id, std::string(500, 'x').c_str(), nullptr, h.fn(), h.arg()), CSPLOOP_EINVAL);
}

TEST_P(Connect, WritesBeforeConnectWaitForIt) {
    auto [listener, port] = plain_listener();
    const csploop_id id = connect_tcp(port);
    static const std::string second = "second";
    EXPECT_EQ(write(id, "first "), 0);
    EXPECT_EQ(write_ref(id, second), 0);
    EXPECT_EQ(csploop_stream_shutdown(loop, id), 0);
    h.until_event(id, CSPLOOP_KIND_SHUTDOWN, "the writes to go out");
    Fd far = accept_plain(listener);
    EXPECT_EQ(receive(far, 100), "first second");
    EXPECT_EQ(h.kinds(id), (std::vector<uint16_t>{CSPLOOP_KIND_CONNECT, CSPLOOP_KIND_WRITTEN, CSPLOOP_KIND_SHUTDOWN}));
}

TEST_P(Connect, AWriteBeforeARefusalStillCompletesOnce) {
    auto [listener, port] = plain_listener();
    listener.close();
    const csploop_id id = connect_tcp(port);
    static const std::string data = "nobody will read this";
    EXPECT_EQ(write_ref(id, data), 0);
    EXPECT_EQ(outcome(id), CSPLOOP_ECONNREFUSED);
    finish(id);
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_WRITTEN), 1);
    EXPECT_LT(h.first(id, CSPLOOP_KIND_WRITTEN).result, 0);
    EXPECT_EQ(h.kinds(id).back(), CSPLOOP_KIND_CLOSED);
}

TEST_P(Connect, ReadingBeforeConnectIsTooEarly) {
    auto [listener, port] = plain_listener();
    const csploop_id id = connect_tcp(port);
    if (h.log().empty()) {
        EXPECT_EQ(csploop_stream_read_start(loop, id, CSPLOOP_READ_SLAB), CSPLOOP_ENOTCONN);
    }
    EXPECT_EQ(outcome(id), 0);
    EXPECT_EQ(csploop_stream_read_start(loop, id, CSPLOOP_READ_SLAB), 0);
}

TEST_P(Connect, CanBeClosedBeforeItEnds) {
    // A listener whose queue is full answers nobody, so this connect stays under way.
    auto [listener, port] = plain_listener(0);
    Fd filler = dial_tcp(port);
    csploop_id id = connect_tcp(port);
    static const std::string data = "unsent";
    ASSERT_EQ(write_ref(id, data), 0);
    h.settle();
    ASSERT_TRUE(h.log().empty());
    finish(id);
    h.settle();
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_CONNECT), 0) << "dropped by the close";
    EXPECT_EQ(h.first(id, CSPLOOP_KIND_WRITTEN).result, CSPLOOP_ECANCELED);
    EXPECT_EQ(h.kinds(id), (std::vector<uint16_t>{CSPLOOP_KIND_WRITTEN, CSPLOOP_KIND_CLOSED}));
}

TEST_P(Connect, CanBeClosedBeforeItEndsAlsoAfterShutdown) {
    auto [listener, port] = plain_listener();
    listener.close(); // whether it is still connecting or refused already depends on the system
    const csploop_id id = connect_tcp(port);
    const int shut = csploop_stream_shutdown(loop, id);
    EXPECT_TRUE(shut == 0 || shut == CSPLOOP_EPIPE) << csploop_strerror(shut);
    finish(id, CSPLOOP_CLOSE_DRAIN);
    h.settle();
    EXPECT_EQ(h.kinds(id), (std::vector<uint16_t>{CSPLOOP_KIND_CLOSED}));
}

TEST_P(Connect, LargeTransferBetweenTwoStreamsOfOneLoop) {
    const Listener listener = listen();
    const csploop_id client = connect_tcp(listener.port);
    h.until([&] { return h.accepted(listener.id) != 0; }, "the connection");
    const csploop_id server = h.accepted(listener.id);
    ASSERT_EQ(csploop_stream_read_start(loop, server, CSPLOOP_READ_SLAB), 0);
    const std::string data = pattern(sized<size_t>(24 << 20, 4 << 20));
    size_t at = 0, got = 0;
    bool same = true;
    h.on = [&](const csploop_record &record) {
        if (record.id != server || record.kind != CSPLOOP_KIND_READ)
            return;
        const std::string &bytes = h.log().back().bytes;
        same = same && data.compare(got, bytes.size(), bytes) == 0;
        got += bytes.size();
    };
    h.until(
        [&] {
            // Copied and by reference, in turn, with a bounded backlog.
            while (at < data.size() && csploop_stream_buffered(loop, client) < (1 << 20)) {
                const size_t n = std::min<size_t>(data.size() - at, 1000 + at % 70000);
                EXPECT_EQ(at % 2 ? write(client, std::string_view(data).substr(at, n))
                                 : write_ref(client, std::string_view(data).substr(at, n)),
                          0);
                at += n;
            }
            if (h.log().size() > 1000)
                h.forget();
            return got == data.size();
        },
        "all the bytes");
    EXPECT_TRUE(same) << "some byte was lost, doubled or moved";
}
