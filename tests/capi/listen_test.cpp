// Listeners: every family, accepting, pausing, running out of descriptors.
#include "support/descriptors.hpp"
#include "support/streams.hpp"

using namespace csploop_test;

class Listen : public StreamTest {
protected:
    // Both directions through an accepted stream.
    void talk(csploop_id id, const Fd &client) {
        ASSERT_EQ(csploop_stream_read_start(loop, id, CSPLOOP_READ_SLAB), 0);
        send_all(client, "hello");
        h.until([&] { return h.text(id) == "hello"; }, "hello");
        ASSERT_EQ(write(id, "world"), 0);
        h.turn(0);
        EXPECT_EQ(receive(client, 5), "world");
    }
    csploop_id accept_one(csploop_id listener, size_t n = 0) {
        h.until([&] { return h.accepted(listener, n) != 0; }, "a connection");
        return h.accepted(listener, n);
    }
};
CSPLOOP_IN_ALL_MODES(Listen);

TEST_P(Listen, AcceptsTcpOverIpv4) {
    const Listener listener = listen();
    EXPECT_EQ(local(listener.id), "127.0.0.1:" + std::to_string(listener.port));
    Fd client = dial_tcp(listener.port);
    const csploop_id id = accept_one(listener.id);
    EXPECT_EQ(local(id), "127.0.0.1:" + std::to_string(listener.port));
    EXPECT_EQ(peer(id), "127.0.0.1:" + std::to_string(port_of(client.get())));
    const csploop_record record = h.first(listener.id, CSPLOOP_KIND_ACCEPT);
    EXPECT_EQ(static_cast<int>(record.offset), csploop_stream_fd(loop, id));
    talk(id, client);
}

TEST_P(Listen, AcceptsTcpOverIpv6) {
    if (!has_ipv6_loopback())
        GTEST_SKIP() << "no IPv6 loopback here";
    const Listener listener = listen(nullptr, "::1");
    EXPECT_EQ(local(listener.id), "[::1]:" + std::to_string(listener.port));
    Fd client = dial_tcp6(listener.port);
    const csploop_id id = accept_one(listener.id);
    EXPECT_EQ(peer(id), "[::1]:" + std::to_string(port_of(client.get())));
    talk(id, client);
}

TEST_P(Listen, V6OnlyRefusesIpv4) {
    if (!has_ipv6_loopback())
        GTEST_SKIP() << "no IPv6 loopback here";
    const csploop_stream_options options = stream_options(CSPLOOP_LISTEN_V6ONLY);
    const Listener listener = listen(&options, "::");
    int only = 0;
    socklen_t length = sizeof only;
    ASSERT_EQ(getsockopt(csploop_stream_fd(loop, listener.id), IPPROTO_IPV6, IPV6_V6ONLY, &only, &length), 0);
    EXPECT_EQ(only, 1);
    Fd client(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(listener.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr *>(&address), sizeof address), -1);
    EXPECT_EQ(errno, ECONNREFUSED);
}

TEST_P(Listen, AcceptsOnAUnixPath) {
    const SocketPath path;
    csploop_id listener = 0;
    ASSERT_EQ(csploop_unix_listen(loop, &listener, path.text().c_str(), nullptr, h.fn(), h.arg()), 0);
    EXPECT_EQ(local(listener), path.text());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.text().c_str(), sizeof address.sun_path - 1);
    Fd client = dial(AF_UNIX, &address, sizeof address);
    const csploop_id id = accept_one(listener);
    EXPECT_EQ(local(id), path.text());
    EXPECT_EQ(peer(id), "") << "the client has no name";
    talk(id, client);
    finish(listener);
    EXPECT_TRUE(std::filesystem::exists(path.text())) << "the path is not unlinked";
}

#if defined(__linux__)
TEST_P(Listen, AcceptsOnAnAbstractName) {
    const std::string name = "@csploop-test-" + std::to_string(getpid());
    csploop_id listener = 0;
    ASSERT_EQ(csploop_unix_listen(loop, &listener, name.c_str(), nullptr, h.fn(), h.arg()), 0);
    EXPECT_EQ(local(listener), name);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
    Fd client = dial(AF_UNIX, &address, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size()));
    talk(accept_one(listener), client);
}
#endif

TEST_P(Listen, AdoptsAListeningSocket) {
    auto [plain, port] = plain_listener();
    const int fd = plain.get();
    csploop_id listener = 0;
    ASSERT_EQ(csploop_listener_adopt(loop, &listener, fd, nullptr, h.fn(), h.arg()), 0);
    plain.release();
    EXPECT_EQ(csploop_stream_fd(loop, listener), fd);
    Fd client = dial_tcp(port);
    talk(accept_one(listener), client);
    finish(listener);
    EXPECT_FALSE(fd_is_open(fd));
}

TEST_P(Listen, BadAddressesAreRefused) {
    csploop_id id = 77;
    EXPECT_EQ(csploop_tcp_listen(loop, &id, "localhost", 0, nullptr, h.fn(), h.arg()), CSPLOOP_EAFNOSUPPORT);
    EXPECT_EQ(csploop_tcp_listen(loop, &id, "127.0.0.1 ", 0, nullptr, h.fn(), h.arg()), CSPLOOP_EAFNOSUPPORT);
    EXPECT_EQ(csploop_tcp_listen(loop, &id, "127.0.0.1", -1, nullptr, h.fn(), h.arg()), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_tcp_listen(loop, &id, "127.0.0.1", 65536, nullptr, h.fn(), h.arg()), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_tcp_listen(loop, &id, "192.0.2.1", 0, nullptr, h.fn(), h.arg()), CSPLOOP_EADDRNOTAVAIL);
    const Listener taken = listen();
    EXPECT_EQ(csploop_tcp_listen(loop, &id, "127.0.0.1", taken.port, nullptr, h.fn(), h.arg()), CSPLOOP_EADDRINUSE);
    EXPECT_EQ(csploop_unix_listen(loop, &id, std::string(500, 'x').c_str(), nullptr, h.fn(), h.arg()), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_unix_listen(loop, &id, "", nullptr, h.fn(), h.arg()), CSPLOOP_EINVAL);
    EXPECT_LT(csploop_unix_listen(loop, &id, "/no/such/directory/socket", nullptr, h.fn(), h.arg()), 0);
}

TEST_P(Listen, ReuseportLetsTwoListenOnOnePort) {
    const csploop_stream_options options = stream_options(CSPLOOP_LISTEN_REUSEPORT);
    const Listener first = listen(&options);
    csploop_id second = 0;
    EXPECT_EQ(csploop_tcp_listen(loop, &second, "127.0.0.1", first.port, &options, h.fn(), h.arg()), 0);
}

TEST_P(Listen, NodelayIsSetOnWhatIsAccepted) {
    for (uint32_t flags : {0u, static_cast<uint32_t>(CSPLOOP_STREAM_NODELAY)}) {
        const csploop_stream_options options = stream_options(flags);
        const Listener listener = listen(&options);
        Fd client = dial_tcp(listener.port);
        const csploop_id id = accept_one(listener.id);
        int nodelay = -1;
        socklen_t length = sizeof nodelay;
        ASSERT_EQ(getsockopt(csploop_stream_fd(loop, id), IPPROTO_TCP, TCP_NODELAY, &nodelay, &length), 0);
        EXPECT_EQ(nodelay != 0, flags != 0);
    }
}

TEST_P(Listen, ManyClientsAllGetIn) {
    const csploop_stream_options options = stream_options(0, 0, 8);
    const Listener listener = listen(&options);
    std::vector<Fd> clients;
    for (size_t i = 0; i < 100; ++i) {
        clients.push_back(dial_tcp(listener.port));
        if (i % 5 == 4)
            h.until([&] { return h.accepted(listener.id, i) != 0; }, "this client");
    }
    std::vector<csploop_id> ids;
    for (size_t i = 0; i < clients.size(); ++i)
        ids.push_back(h.accepted(listener.id, i));
    std::sort(ids.begin(), ids.end());
    EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
    EXPECT_EQ(h.count(listener.id, CSPLOOP_KIND_ACCEPT), 100);
}

TEST_P(Listen, AtMostBacklogPerTurnAreAccepted) {
    const csploop_stream_options options = stream_options(0, 0, 3);
    const Listener listener = listen(&options);
    std::vector<Fd> clients;
    for (int i = 0; i < 4; ++i)
        clients.push_back(dial_tcp(listener.port));
    int before = 0;
    h.until(
        [&] {
            const int now = h.count(listener.id, CSPLOOP_KIND_ACCEPT);
            EXPECT_LE(now - before, 3);
            before = now;
            return now == 4;
        },
        "four connections");
}

TEST_P(Listen, APausedListenerLeavesClientsInTheQueue) {
    const Listener listener = listen();
    ASSERT_EQ(csploop_listener_pause(loop, listener.id), 0);
    ASSERT_EQ(csploop_listener_pause(loop, listener.id), 0);
    Fd client = dial_tcp(listener.port);
    h.settle();
    EXPECT_TRUE(h.log().empty());
    ASSERT_EQ(csploop_listener_resume(loop, listener.id), 0);
    talk(accept_one(listener.id), client);
}

TEST_P(Listen, RunningOutOfDescriptorsPausesAndSaysSo) {
    const Listener listener = listen();
    h.settle();
    Fd first = dial_tcp(listener.port), second = dial_tcp(listener.port);
    {
        const NoDescriptorsLeft none;
        h.until_event(listener.id, CSPLOOP_KIND_ACCEPT, "the error");
        h.settle();
    }
    EXPECT_EQ(h.count(listener.id, CSPLOOP_KIND_ACCEPT), 1) << "said once; it does not spin";
    EXPECT_EQ(h.first(listener.id, CSPLOOP_KIND_ACCEPT).result, CSPLOOP_EMFILE);
    h.settle();
    EXPECT_EQ(h.accepted(listener.id), 0u) << "paused until resumed";
    ASSERT_EQ(csploop_listener_resume(loop, listener.id), 0);
    h.until([&] { return h.accepted(listener.id, 1) != 0; }, "both clients, still there");
    talk(h.accepted(listener.id, 0), first);
}

TEST_P(Listen, AClosedListenerAcceptsNoMore) {
    const Listener listener = listen();
    Fd client = dial_tcp(listener.port);
    finish(listener.id);
    h.settle();
    EXPECT_EQ(h.kinds(listener.id), (std::vector<uint16_t>{CSPLOOP_KIND_CLOSED}));
    EXPECT_EQ(csploop_listener_pause(loop, listener.id), CSPLOOP_EBADID);
    EXPECT_EQ(csploop_stream_close(loop, listener.id, CSPLOOP_CLOSE_ABORT), CSPLOOP_EBADID);
}

TEST_P(Listen, AcceptedStreamsOutliveTheirListener) {
    const Listener listener = listen();
    Fd client = dial_tcp(listener.port);
    const csploop_id id = accept_one(listener.id);
    finish(listener.id);
    talk(id, client);
}

TEST_P(Listen, AnAcceptedStreamCanBeGivenItsOwnHandler) {
    const Listener listener = listen();
    Fd client = dial_tcp(listener.port);
    const csploop_id id = accept_one(listener.id);
    int seen = 0;
    csploop_fn mine = [](csploop_t *, const csploop_record *record, void *arg) {
        if (record->kind == CSPLOOP_KIND_READ)
            ++*static_cast<int *>(arg);
    };
    ASSERT_EQ(csploop_stream_set_handler(loop, id, mine, &seen), 0);
    ASSERT_EQ(csploop_stream_read_start(loop, id, CSPLOOP_READ_SLAB), 0);
    send_all(client, "x");
    h.until([&] { return seen > 0; }, "the new handler's call");
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_READ), 0);
    ASSERT_EQ(csploop_stream_set_handler(loop, id, h.fn(), h.arg()), 0);
}

TEST_P(Listen, ClosingAnUndeliveredAcceptLosesNoDescriptor) {
    // The leak check at the end of each test is the judge.
    h.set_capacity(1);
    const Listener listener = listen();
    std::vector<Fd> clients;
    for (int i = 0; i < 5; ++i)
        clients.push_back(dial_tcp(listener.port));
    h.until([&] { return h.accepted(listener.id) != 0; }, "the first client");
    finish(listener.id);
}

// A listener's record waits behind another one for a batch with room; meanwhile the listener gets a callback and
// closes, which overtakes it.
TEST_P(Listen, AnAcceptThatOutlivesItsListenerLosesNoDescriptor) {
    csploop_id listener = 0;
    ASSERT_EQ(csploop_tcp_listen(loop, &listener, "127.0.0.1", 0, nullptr, nullptr, nullptr), 0);
    Fd client = dial_tcp(port_of(csploop_stream_fd(loop, listener)));
    pollfd readable{csploop_stream_fd(loop, listener), POLLIN, 0};
    ASSERT_EQ(poll(&readable, 1, -1), 1);
    h.set_capacity(0);
    ASSERT_EQ(csploop_call_soon(loop, nullptr, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_run(loop, CSPLOOP_RUN_NOWAIT), CSPLOOP_EPENDING);
    std::vector<uint16_t> heard;
    csploop_fn hear = [](csploop_t *, const csploop_record *record, void *arg) {
        static_cast<std::vector<uint16_t> *>(arg)->push_back(record->kind);
    };
    ASSERT_EQ(csploop_stream_set_handler(loop, listener, hear, &heard), 0);
    ASSERT_EQ(csploop_stream_close(loop, listener, CSPLOOP_CLOSE_ABORT), 0);
    h.settle();
    EXPECT_EQ(heard, (std::vector<uint16_t>{CSPLOOP_KIND_CLOSED}));
    h.set_capacity(8);
    h.settle();
    ASSERT_EQ(h.log().size(), 1u);
    EXPECT_EQ(h.log()[0].record.kind, CSPLOOP_KIND_SOON);
    pollfd ended{client.get(), POLLIN, 0};
    EXPECT_EQ(poll(&ended, 1, 10000), 1) << "nobody has it, so it is closed";
    EXPECT_TRUE(at_eof(client));
}

TEST_P(Listen, StreamsAndListenersAreNotMixedUp) {
    const Listener listener = listen();
    Stream stream = pair();
    EXPECT_EQ(csploop_listener_pause(loop, stream.id), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_stream_write(loop, listener.id, "x", 1), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_stream_read_start(loop, listener.id, CSPLOOP_READ_SLAB), CSPLOOP_EINVAL);
}
