// Datagrams: what arrives, from whom, what is held back, and which arguments are refused.
#include "support/streams.hpp"
#include "support/udp.hpp"

using namespace csploop_test;

class Udp : public UdpTest {};
CSPLOOP_IN_ALL_MODES(Udp);

TEST_P(Udp, DatagramsKeepTheirBordersTheirOrderAndTheirSender) {
    const csploop_id a = bind_to(), b = bind_to();
    ASSERT_EQ(csploop_udp_read_start(loop, b), 0);
    std::vector<std::string> sent;
    for (int i = 0; i < 100; ++i)
        sent.push_back(std::string(static_cast<size_t>(i * 7 % 50), static_cast<char>('a' + i % 26)));
    sent.push_back(std::string(65507, 'x'));
    for (const std::string &data : sent)
        ASSERT_EQ(send_to(a, data, address_of(b)), 0);
    until_came(b, sent.size());
    for (size_t i = 0; i < sent.size(); ++i) {
        EXPECT_EQ(came[b][i].bytes, sent[i]) << i;
        EXPECT_EQ(came[b][i].address, address_of(a));
        EXPECT_FALSE(came[b][i].truncated);
    }
    finish(a);
    finish(b);
}

TEST_P(Udp, ManyComeInOneTurn) {
    const csploop_id id = bind_to();
    const Fd far = plain_udp();
    const std::string address = address_of(id);
    for (int i = 0; i < 40; ++i)
        ASSERT_EQ(sendto(far.get(), "x", 1, 0, reinterpret_cast<const sockaddr *>(address.data()),
                         static_cast<socklen_t>(address.size())),
                  1);
    ASSERT_EQ(csploop_udp_read_start(loop, id), 0);
    h.turn(0);
    EXPECT_EQ(came[id].size(), 40u);
}

TEST_P(Udp, TheSendersAddressIsGoodForTheAnswer) {
    const csploop_id id = bind_to();
    ASSERT_EQ(csploop_udp_read_start(loop, id), 0);
    react = [&](const csploop_record &record) {
        if (record.kind != CSPLOOP_KIND_RECV)
            return;
        uint32_t length = 0;
        const void *sender = csploop_udp_sender(loop, &record, &length);
        EXPECT_EQ(csploop_udp_send_to(loop, record.id, "pong", 4, sender, length), 0);
    };
    const Fd far = plain_udp();
    const std::string address = address_of(id);
    ASSERT_EQ(sendto(far.get(), "ping", 4, 0, reinterpret_cast<const sockaddr *>(address.data()),
                     static_cast<socklen_t>(address.size())),
              4);
    until_came(id, 1);
    h.turn(0);
    EXPECT_EQ(receive_datagram(far), "pong");
    EXPECT_EQ(csploop_udp_sender(loop, nullptr, nullptr), nullptr);
    EXPECT_EQ(csploop_udp_sender(nullptr, nullptr, nullptr), nullptr);
}

TEST_P(Udp, EmptyDatagramsArriveAndLeave) {
    const csploop_id id = bind_to();
    const Fd far = plain_udp();
    ASSERT_EQ(csploop_udp_read_start(loop, id), 0);
    ASSERT_EQ(csploop_udp_connect(loop, id, "127.0.0.1", udp_port(far.get())), 0);
    ASSERT_EQ(csploop_udp_send(loop, id, nullptr, 0), 0);
    h.turn(0);
    EXPECT_EQ(receive_datagram(far), "");
    const std::string address = address_of(id);
    ASSERT_EQ(sendto(far.get(), "", 0, 0, reinterpret_cast<const sockaddr *>(address.data()),
                     static_cast<socklen_t>(address.size())),
              0);
    until_came(id, 1);
    EXPECT_EQ(came[id][0].bytes, "");
    EXPECT_EQ(came[id][0].address, address_of("127.0.0.1", udp_port(far.get())));
}

TEST_P(Udp, Ipv6) {
    if (!has_ipv6_loopback())
        GTEST_SKIP() << "no IPv6 here";
    const csploop_udp_options only = udp_options(CSPLOOP_UDP_V6ONLY);
    const csploop_id a = bind_to("::1", &only), b = bind_to("::1");
    ASSERT_EQ(csploop_udp_read_start(loop, b), 0);
    ASSERT_EQ(csploop_udp_connect(loop, a, "::1", port(b)), 0);
    ASSERT_EQ(send(a, "six"), 0);
    until_came(b, 1);
    EXPECT_EQ(came[b][0].bytes, "six");
    EXPECT_EQ(came[b][0].address, address_of("::1", port(a)));
    char text[128];
    EXPECT_GT(csploop_udp_peer_address(loop, a, text, sizeof text), 0);
    EXPECT_EQ(text, "[::1]:" + std::to_string(port(b)));
    EXPECT_EQ(csploop_udp_connect(loop, a, "127.0.0.1", 1), CSPLOOP_EINVAL);
}

TEST_P(Udp, TruncationIsTold) {
    const csploop_udp_options options = udp_options(0, 0, 10);
    const csploop_id a = bind_to(), b = bind_to("127.0.0.1", &options);
    ASSERT_EQ(csploop_udp_read_start(loop, b), 0);
    for (const char *data : {"0123456789", "0123456789X", "short"})
        ASSERT_EQ(send_to(a, data, address_of(b)), 0);
    until_came(b, 3);
    EXPECT_EQ(came[b][0].bytes, "0123456789");
    EXPECT_FALSE(came[b][0].truncated);
    EXPECT_EQ(came[b][1].bytes, "0123456789");
    EXPECT_TRUE(came[b][1].truncated);
    EXPECT_EQ(came[b][1].address, address_of(a));
    EXPECT_EQ(came[b][2].bytes, "short");
    EXPECT_FALSE(came[b][2].truncated);
}

TEST_P(Udp, NothingIsSeenAfterReadStopUntilTheNextStart) {
    const csploop_id a = bind_to(), b = bind_to();
    for (const char *data : {"one", "two", "", "four"})
        ASSERT_EQ(send_to(a, data, address_of(b)), 0);
    h.turn(0);
    react = [&](const csploop_record &record) {
        if (record.kind == CSPLOOP_KIND_RECV && came[b].size() == 1) {
            EXPECT_EQ(csploop_udp_read_stop(loop, b), 0);
        }
    };
    ASSERT_EQ(csploop_udp_read_start(loop, b), 0);
    until_came(b, 1);
    h.settle();
    if (GetParam().form == Form::batch) { // a batch that was handed out is the host's to hold back
        EXPECT_EQ(came[b].size(), 4u);
        return;
    }
    EXPECT_EQ(came[b].size(), 1u);
    ASSERT_EQ(send_to(a, "five", address_of(b)), 0);
    h.settle();
    ASSERT_EQ(csploop_udp_read_start(loop, b), 0);
    until_came(b, 5);
    std::string all;
    for (const Datagram &datagram : came[b]) {
        all += datagram.bytes + ",";
        EXPECT_EQ(datagram.address, address_of(a));
    }
    EXPECT_EQ(all, "one,two,,four,five,");
}

TEST_P(Udp, CloseDropsWhatWasNotDelivered) {
    const csploop_id a = bind_to(), b = bind_to();
    for (int i = 0; i < 3; ++i)
        ASSERT_EQ(send_to(a, "x", address_of(b)), 0);
    h.turn(0);
    react = [&](const csploop_record &record) {
        if (record.kind == CSPLOOP_KIND_RECV && came[b].size() == 1) {
            EXPECT_EQ(csploop_udp_close(loop, b, CSPLOOP_CLOSE_DRAIN), 0);
        }
    };
    ASSERT_EQ(csploop_udp_read_start(loop, b), 0);
    h.until_event(b, CSPLOOP_KIND_CLOSED, "CLOSED");
    EXPECT_EQ(came[b].size(), GetParam().form == Form::batch ? 3u : 1u);
    EXPECT_EQ(h.kinds(b).back(), CSPLOOP_KIND_CLOSED);
}

TEST_P(Udp, UnixSocketsByAdoption) {
    const SocketPath path;
    Fd server(socket(AF_UNIX, SOCK_DGRAM, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    strncpy(name.sun_path, path.text().c_str(), sizeof name.sun_path - 1);
    ASSERT_EQ(bind(server.get(), reinterpret_cast<sockaddr *>(&name), sizeof name), 0);
    const csploop_id id = adopt(server.release());
    ASSERT_EQ(csploop_udp_read_start(loop, id), 0);
    char text[128];
    EXPECT_GT(csploop_udp_local_address(loop, id, text, sizeof text), 0);
    EXPECT_EQ(text, path.text());
    EXPECT_EQ(csploop_udp_peer_address(loop, id, text, sizeof text), CSPLOOP_ENOTCONN);
    EXPECT_EQ(csploop_udp_local_address(loop, id, text, 3), CSPLOOP_ENOBUFS);

    const Fd client(socket(AF_UNIX, SOCK_DGRAM, 0)); // has no name
    const std::string data(100000, 'u');             // longer than any of UDP
    ASSERT_EQ(sendto(client.get(), data.data(), data.size(), 0, reinterpret_cast<sockaddr *>(&name), sizeof name),
              static_cast<ssize_t>(data.size()));
    until_came(id, 1);
    EXPECT_EQ(came[id][0].bytes, data);
    EXPECT_EQ(came[id][0].address, "");
    EXPECT_FALSE(came[id][0].truncated);
}

TEST_P(Udp, KeepFdGivesTheDescriptorBack) {
    const Fd far = plain_udp();
    const Fd near = plain_udp();
    const csploop_udp_options keep = udp_options(CSPLOOP_UDP_KEEP_FD);
    const csploop_id id = adopt(near.get(), &keep);
    EXPECT_EQ(csploop_udp_fd(loop, id), near.get());
    csploop_id second = 0;
    EXPECT_EQ(csploop_udp_adopt(loop, &second, near.get(), &keep, h.fn(), h.arg()), CSPLOOP_EEXIST);
    finish(id);
    EXPECT_EQ(h.first(id, CSPLOOP_KIND_CLOSED).result, near.get());
    EXPECT_TRUE(fd_is_open(near.get()));
    const csploop_id again = adopt(near.get(), &keep);
    EXPECT_NE(again, id);
    finish(again);
}

TEST_P(Udp, OptionsBeforeBinding) {
    const csploop_udp_options shared = udp_options(CSPLOOP_UDP_REUSEPORT | CSPLOOP_UDP_REUSEADDR);
    const csploop_id first = bind_to("127.0.0.1", &shared);
    csploop_id second = 0;
    EXPECT_EQ(csploop_udp_bind(loop, &second, "127.0.0.1", port(first), &shared, h.fn(), h.arg()), 0);
    csploop_id third = 0;
    EXPECT_EQ(csploop_udp_bind(loop, &third, "127.0.0.1", port(first), nullptr, h.fn(), h.arg()), CSPLOOP_EADDRINUSE);
    EXPECT_EQ(third, 0u);
}

TEST_P(Udp, BadArgumentsAreRefused) {
    const csploop_id id = bind_to();
    csploop_id out = 0;
    const csploop_udp_options unknown = udp_options(0x100);
    csploop_udp_options short_one = udp_options();
    short_one.size = 2;
    EXPECT_EQ(csploop_udp_bind(loop, &out, "127.0.0.1", 0, &unknown, h.fn(), h.arg()), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_udp_bind(loop, &out, "127.0.0.1", 0, &short_one, h.fn(), h.arg()), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_udp_bind(loop, &out, "127.0.0.1", 70000, nullptr, h.fn(), h.arg()), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_udp_bind(loop, &out, nullptr, 0, nullptr, h.fn(), h.arg()), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_udp_bind(loop, &out, "localhost", 0, nullptr, h.fn(), h.arg()), CSPLOOP_EAFNOSUPPORT);
    EXPECT_EQ(csploop_udp_bind(loop, &out, "192.0.2.1", 0, nullptr, h.fn(), h.arg()), CSPLOOP_EADDRNOTAVAIL);
    EXPECT_EQ(csploop_udp_bind(nullptr, &out, "127.0.0.1", 0, nullptr, h.fn(), h.arg()), CSPLOOP_EINVAL);
    auto [stream, other] = socket_pair();
    EXPECT_EQ(csploop_udp_adopt(loop, &out, stream.get(), nullptr, h.fn(), h.arg()), CSPLOOP_EINVAL);
    auto [reader, writer] = pipe_pair();
    EXPECT_EQ(csploop_udp_adopt(loop, &out, reader.get(), nullptr, h.fn(), h.arg()), CSPLOOP_ENOTSOCK);
    EXPECT_EQ(csploop_udp_adopt(loop, &out, -1, nullptr, h.fn(), h.arg()), CSPLOOP_EBADF);
    EXPECT_EQ(out, 0u);
    EXPECT_EQ(csploop_udp_send(loop, id, nullptr, 1), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_udp_send(loop, id, "x", SIZE_MAX), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_udp_send_to(loop, id, "x", 1, nullptr, 16), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_udp_send_to(loop, id, "x", 1, "x", 0), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_udp_send_to(loop, id, "x", 1, "x", 129), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_udp_close(loop, id, CSPLOOP_CLOSE_RESET), CSPLOOP_EINVAL);
    char room[28];
    EXPECT_EQ(csploop_udp_address(nullptr, 28, "::1", 1), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_udp_address(room, 3, "::1", 1), CSPLOOP_ENOBUFS);
    EXPECT_EQ(csploop_udp_address(room, sizeof room, "example.com", 1), CSPLOOP_EAFNOSUPPORT);
    // An id of another kind, and none.
    for (const csploop_id wrong : {csploop_id{0}, id ^ (uint64_t{1} << 40)}) {
        EXPECT_EQ(csploop_udp_send(loop, wrong, "x", 1), CSPLOOP_EBADID);
        EXPECT_EQ(csploop_udp_read_start(loop, wrong), CSPLOOP_EBADID);
        EXPECT_EQ(csploop_udp_read_stop(loop, wrong), CSPLOOP_EBADID);
        EXPECT_EQ(csploop_udp_connect(loop, wrong, "::1", 1), CSPLOOP_EBADID);
        EXPECT_EQ(csploop_udp_flush(loop, wrong), CSPLOOP_EBADID);
        EXPECT_EQ(csploop_udp_buffered(loop, wrong, nullptr), CSPLOOP_EBADID);
        EXPECT_EQ(csploop_udp_close(loop, wrong, 0), CSPLOOP_EBADID);
        EXPECT_EQ(csploop_udp_fd(loop, wrong), CSPLOOP_EBADID);
    }
    EXPECT_EQ(csploop_stream_write(loop, id, "x", 1), CSPLOOP_EBADID);
    EXPECT_EQ(send_to(id, "still works", address_of(id)), 0);
    ASSERT_EQ(csploop_udp_read_start(loop, id), 0);
    until_came(id, 1);
}

// A slab with little room: floods of datagrams and of a stream share it, and nobody starves.
TEST_P(Udp, ASmallSlabIsSharedWithStreams) {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.slab_bytes = 16 << 10;
    Harness other(GetParam(), options);
    csploop_t *const small = other.loop();
    auto [near, stream_far] = socket_pair();
    csploop_id stream = 0, socket = 0;
    ASSERT_EQ(csploop_stream_adopt(small, &stream, near.release(), nullptr, other.fn(), other.arg()), 0);
    ASSERT_EQ(csploop_stream_read_start(small, stream, CSPLOOP_READ_SLAB), 0);
    ASSERT_EQ(csploop_udp_bind(small, &socket, "127.0.0.1", 0, nullptr, other.fn(), other.arg()), 0);
    ASSERT_EQ(csploop_udp_read_start(small, socket), 0);
    const std::string to = address_of("127.0.0.1", udp_port(csploop_udp_fd(small, socket)));
    const Fd far = plain_udp();
    size_t datagrams = 0, truncated = 0, bytes = 0, sent = 0;
    const std::string flood(32 << 10, 's');
    while (datagrams < 50 && !testing::Test::HasFailure()) {
        ::send(stream_far.get(), flood.data(), flood.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        const size_t length = sent % 2 ? 20000 : 100;
        ASSERT_EQ(sendto(far.get(), flood.data(), length, 0, reinterpret_cast<const sockaddr *>(to.data()),
                         static_cast<socklen_t>(to.size())),
                  static_cast<ssize_t>(length));
        ++sent;
        for (int turn = 0; datagrams < sent && turn < 100; ++turn) {
            other.forget();
            other.turn(0);
            for (const Event &event : other.log()) {
                bytes += event.record.kind == CSPLOOP_KIND_READ ? static_cast<size_t>(event.record.result) : 0;
                datagrams += event.record.kind == CSPLOOP_KIND_RECV;
                truncated += event.record.kind == CSPLOOP_KIND_RECV && (event.record.flags & CSPLOOP_RECV_TRUNCATED);
            }
        }
        ASSERT_EQ(datagrams, sent);
    }
    EXPECT_EQ(truncated, 25u) << "20,000 bytes do not fit a slab of 16 KiB, 100 do";
    EXPECT_GT(bytes, 0u);
}

// What is held back comes in parts where the slab is small; a part that is held back again goes before the rest.
TEST_P(Udp, HeldDatagramsThatComeInPartsKeepTheirOrder) {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.slab_bytes = 16 << 10;
    Harness small(Mode{GetParam().poller, GetParam().wait, Form::callback}, options);
    std::vector<std::string> order[2];
    struct Pair {
        csploop_id id = 0;
        Fd far;
    } sockets[2];
    const csploop_udp_options short_ones = udp_options(0, 0, 2000);
    for (Pair &pair : sockets) {
        int fds[2] = {-1, -1};
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
        pair.far = Fd(fds[1]);
        ASSERT_EQ(csploop_udp_adopt(small.loop(), &pair.id, fds[0], &short_ones, small.fn(), small.arg()), 0);
    }
    bool stop = true;
    small.on = [&](const csploop_record &record) {
        if (record.kind == CSPLOOP_KIND_SOON) {
            for (const Pair &pair : sockets)
                if (stop) {
                    EXPECT_EQ(csploop_udp_read_stop(small.loop(), pair.id), 0);
                }
        } else if (record.kind == CSPLOOP_KIND_RECV) {
            const auto *const slab = static_cast<const char *>(csploop_slab(small.loop(), nullptr));
            order[record.id == sockets[1].id].push_back(std::string(slab + record.offset, 1));
        }
    };
    auto stop_in_the_turn_that_reads = [&](std::initializer_list<int> which) {
        ASSERT_EQ(csploop_call_soon(small.loop(), nullptr, small.fn(), small.arg()), 0);
        for (int i : which)
            ASSERT_EQ(csploop_udp_read_start(small.loop(), sockets[i].id), 0);
        small.settle();
    };
    // One after the other is read and held back: together they are more than the slab.
    for (int i = 0; i < 2; ++i) {
        for (const char name : {'1', '2', '3', '4', '5'}) {
            const std::string datagram(2000, name);
            ASSERT_EQ(::send(sockets[i].far.get(), datagram.data(), datagram.size(), 0), 2000);
        }
        stop_in_the_turn_that_reads({i});
    }
    // All of the first and a part of the second come out, and are held back again.
    stop_in_the_turn_that_reads({0, 1});
    EXPECT_TRUE(order[0].empty() && order[1].empty());
    stop = false;
    for (const Pair &pair : sockets)
        ASSERT_EQ(csploop_udp_read_start(small.loop(), pair.id), 0);
    small.until([&] { return order[0].size() + order[1].size() == 10; }, "all datagrams");
    const std::vector<std::string> wanted{"1", "2", "3", "4", "5"};
    EXPECT_EQ(order[0], wanted);
    EXPECT_EQ(order[1], wanted);
}
