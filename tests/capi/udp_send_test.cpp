// Datagrams: what leaves, in which order, what is lost and told, and how sockets close.
#include "support/fd_leaks.hpp"
#include "support/udp.hpp"

#include <sys/un.h>
#include <unistd.h>

using namespace csploop_test;

class UdpSend : public UdpTest {};
CSPLOOP_IN_ALL_MODES(UdpSend);

TEST_P(UdpSend, ARefusedPeerIsToldAndTheSocketGoesOn) {
    const csploop_id id = bind_to();
    Fd far = plain_udp();
    const int gone = udp_port(far.get());
    far.close();
    ASSERT_EQ(csploop_udp_read_start(loop, id), 0);
    ASSERT_EQ(csploop_udp_connect(loop, id, "127.0.0.1", gone), 0);
    ASSERT_EQ(send(id, "anybody?"), 0);
    h.until_event(id, CSPLOOP_KIND_DATAGRAM_ERROR, "the refusal");
    EXPECT_EQ(h.first(id, CSPLOOP_KIND_DATAGRAM_ERROR).result, CSPLOOP_ECONNREFUSED);
    const Fd here = plain_udp();
    ASSERT_EQ(csploop_udp_connect(loop, id, "127.0.0.1", udp_port(here.get())), 0);
    ASSERT_EQ(send(id, "you"), 0);
    h.turn(0);
    EXPECT_EQ(receive_datagram(here), "you");
}

TEST_P(UdpSend, ADatagramThatCannotBeSentIsToldAndTheRestGoesOn) {
    const csploop_id id = bind_to();
    const Fd far = plain_udp();
    const std::string address = address_of("127.0.0.1", udp_port(far.get()));
    const std::string too_long(70000, 'x');
    ASSERT_EQ(send_to(id, "before", address), 0);
    ASSERT_EQ(send_to(id, too_long, address), 0);
    ASSERT_EQ(send_to(id, "between", address), 0);
    ASSERT_EQ(send_to(id, "x", std::string(3, '\1')), 0); // no address at all
    ASSERT_EQ(send(id, "to nobody"), 0);
    ASSERT_EQ(send_to(id, "after", address), 0);
    h.until([&] { return h.count(id, CSPLOOP_KIND_DATAGRAM_ERROR) == 3; }, "three errors");
    std::vector<int64_t> errors;
    for (const Event &event : h.log())
        errors.push_back(event.record.result);
    EXPECT_EQ(errors[0], CSPLOOP_EMSGSIZE);
    EXPECT_EQ(errors[1], CSPLOOP_EINVAL);
    EXPECT_LT(errors[2], 0); // EDESTADDRREQ
    for (const char *expected : {"before", "between", "after"})
        EXPECT_EQ(receive_datagram(far), expected);
    EXPECT_TRUE(nothing_waits(far));
    EXPECT_EQ(csploop_udp_buffered(loop, id, nullptr), 0);
}

TEST_P(UdpSend, SubmissionsSendWithAndWithoutAddress) {
    const csploop_id id = bind_to();
    const Fd far = plain_udp();
    const std::string address = address_of("127.0.0.1", udp_port(far.get()));
    const std::string out = address + "first" + address + "second";
    const auto op = [&](uint64_t data, uint64_t length, size_t bytes) {
        return csploop_submission{id, 5, data, length, CSPLOOP_OP_SEND, static_cast<uint32_t>(bytes)};
    };
    h.turn(0, {op(0, 5, address.size()), op(address.size() + 5, 6, address.size())}, out);
    EXPECT_EQ(receive_datagram(far), "first");
    EXPECT_EQ(receive_datagram(far), "second");
    ASSERT_EQ(csploop_udp_connect(loop, id, "127.0.0.1", udp_port(far.get())), 0);
    h.turn(0, {op(2, 3, 0), op(0, 0, 0), {id, 0, 0, 0, CSPLOOP_OP_READ_START, 0}}, "--abc");
    EXPECT_EQ(receive_datagram(far), "abc");
    EXPECT_EQ(receive_datagram(far), "");
    h.forget();
    // Beyond the slab, in every way.
    h.turn(0,
           {op(0, 6, 0),
            op(6, 0, 0),
            op(0, UINT64_MAX, 0),
            op(UINT64_MAX, 1, 0),
            op(0, 1, 5),
            op(0, 0, 200),
            {id, 5, 0, 1, CSPLOOP_OP_WRITE, 0}},
           "12345");
    h.settle();
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_REJECTED), 7);
    EXPECT_TRUE(nothing_waits(far));
    h.turn(0, {{id, 0, 0, 0, CSPLOOP_OP_READ_STOP, 0}, {id, 0, 0, 0, CSPLOOP_OP_CLOSE, CSPLOOP_CLOSE_DRAIN}});
    h.until_event(id, CSPLOOP_KIND_CLOSED, "CLOSED");
    EXPECT_EQ(send(id, "x"), CSPLOOP_EBADID);
}

TEST_P(UdpSend, WhatTheKernelDoesNotTakeWaitsInOrder) {
    auto [id, far] = unix_pair();
    const int accepted = clog(id);
    // More join the queue, by call and by submission, whose slab is gone before they leave.
    {
        std::string out = "by submission";
        h.turn(0, {{id, 0, 0, out.size(), CSPLOOP_OP_SEND, 0}}, out);
        out.assign(out.size(), '!');
    }
    ASSERT_EQ(send(id, "last"), 0);
    uint32_t datagrams = 0;
    EXPECT_EQ(csploop_udp_buffered(loop, id, &datagrams),
              static_cast<int64_t>(13 + 4 + ("datagram " + std::to_string(accepted - 1)).size()));
    EXPECT_EQ(datagrams, 3u);
    h.until_event(id, CSPLOOP_KIND_BACKLOG, "BACKLOG");
    EXPECT_GT(h.first(id, CSPLOOP_KIND_BACKLOG).result, 0);
    EXPECT_GT(h.first(id, CSPLOOP_KIND_BACKLOG).offset, 0u);
    int64_t deadline = -1;
    EXPECT_EQ(csploop_next_deadline(loop, &deadline), 0);
    EXPECT_EQ(deadline, INT64_MAX) << "only the kernel can tell when to go on";
    for (int i = 0; i < accepted - 1; ++i)
        EXPECT_EQ(receive_datagram(far), "datagram " + std::to_string(i));
    h.until([&] { return h.last(id, CSPLOOP_KIND_BACKLOG).result == 0; }, "the end of the backlog");
    EXPECT_EQ(receive_datagram(far), "datagram " + std::to_string(accepted - 1));
    EXPECT_EQ(receive_datagram(far), "by submission");
    EXPECT_EQ(receive_datagram(far), "last");
    EXPECT_EQ(csploop_udp_buffered(loop, id, &datagrams), 0);
    EXPECT_EQ(datagrams, 0u);
}

TEST_P(UdpSend, AFullReceiverOfAnUnconnectedSocketDoesNotKeepTheLoopTurning) {
    const Fd far(socket(AF_UNIX, SOCK_DGRAM, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string path = testing::TempDir() + "csploop-" + std::to_string(getpid());
    ASSERT_LT(path.size(), sizeof name.sun_path);
    path.copy(name.sun_path, path.size());
    unlink(path.c_str());
    ASSERT_EQ(bind(far.get(), reinterpret_cast<sockaddr *>(&name), sizeof name), 0);
    const std::string address(reinterpret_cast<const char *>(&name), sizeof name);
    for (const bool draining : {false, true}) {
        const csploop_id id = adopt(socket(AF_UNIX, SOCK_DGRAM, 0));
        int count = 0;
        while (csploop_udp_flush(loop, id) == 0 && count < 100000)
            ASSERT_EQ(send_to(id, std::to_string(count++), address), 0);
        ASSERT_GT(csploop_udp_buffered(loop, id, nullptr), 0);
        if (draining) {
            ASSERT_EQ(csploop_udp_close(loop, id, CSPLOOP_CLOSE_DRAIN), 0);
        }
        csploop_id timer = 0;
        const int before = h.turns();
        ASSERT_EQ(csploop_call_later(loop, &timer, 100000000, h.fn(), h.arg()), 0);
        h.until_event(timer, CSPLOOP_KIND_TIMER, "the timer");
        EXPECT_LT(h.turns() - before, 100);
        for (int i = 0; i < count - 1; ++i)
            EXPECT_EQ(receive_datagram(far), std::to_string(i));
        if (draining)
            h.until_event(id, CSPLOOP_KIND_CLOSED, "CLOSED");
        else
            h.until([&] { return h.last(id, CSPLOOP_KIND_BACKLOG).result == 0; }, "the end of the backlog");
        EXPECT_EQ(receive_datagram(far), std::to_string(count - 1));
        EXPECT_TRUE(nothing_waits(far));
        if (!draining)
            finish(id);
    }
    unlink(path.c_str());
}

TEST_P(UdpSend, CloseSendsWhatIsUnsentAndAbortDropsIt) {
    for (const auto flags : {CSPLOOP_CLOSE_DRAIN, CSPLOOP_CLOSE_ABORT}) {
        auto [id, far] = unix_pair();
        const int accepted = clog(id);
        ASSERT_EQ(csploop_udp_close(loop, id, flags), 0);
        EXPECT_EQ(send(id, "late"), CSPLOOP_EPIPE);
        EXPECT_EQ(csploop_udp_close(loop, id, flags), CSPLOOP_EALREADY);
        int got = 0;
        for (; flags == CSPLOOP_CLOSE_DRAIN && got < accepted - 1; ++got) {
            EXPECT_EQ(receive_datagram(far), "datagram " + std::to_string(got));
        }
        h.until_event(id, CSPLOOP_KIND_CLOSED, "CLOSED");
        while (!nothing_waits(far) && got < accepted + 1) {
            // A socket pair whose other end has closed is readable for ever; MSG_DONTWAIT tells.
            char byte[64];
            if (recv(far.get(), byte, sizeof byte, MSG_DONTWAIT) < 0)
                break;
            ++got;
        }
        EXPECT_EQ(got, flags == CSPLOOP_CLOSE_DRAIN ? accepted : accepted - 1);
        EXPECT_EQ(h.kinds(id).back(), CSPLOOP_KIND_CLOSED);
    }
}

TEST_P(UdpSend, ADrainingCloseCanBeSharpened) {
    auto [id, far] = unix_pair();
    clog(id);
    ASSERT_EQ(csploop_udp_close(loop, id, CSPLOOP_CLOSE_DRAIN), 0);
    h.settle();
    EXPECT_EQ(h.count(id, CSPLOOP_KIND_CLOSED), 0);
    finish(id);
    EXPECT_EQ(csploop_udp_close(loop, id, CSPLOOP_CLOSE_ABORT), CSPLOOP_EBADID);
}

TEST_P(UdpSend, BroadcastHasToBeAllowed) {
    const csploop_udp_options allow = udp_options(CSPLOOP_UDP_BROADCAST);
    const csploop_id plain = bind_to(), open = bind_to("127.0.0.1", &allow);
    ASSERT_EQ(send_to(plain, "x", address_of("255.255.255.255", 9)), 0);
    h.until_event(plain, CSPLOOP_KIND_DATAGRAM_ERROR, "the error");
    EXPECT_EQ(h.first(plain, CSPLOOP_KIND_DATAGRAM_ERROR).result, CSPLOOP_EACCES);
    int value = 0;
    socklen_t length = sizeof value;
    ASSERT_EQ(getsockopt(csploop_udp_fd(loop, open), SOL_SOCKET, SO_BROADCAST, &value, &length), 0);
    EXPECT_EQ(value, 1);
}

TEST_P(UdpSend, MoreThanHighWaterGoesOutAtOnce) {
    const csploop_udp_options options = udp_options(0, 100);
    const csploop_id id = bind_to("127.0.0.1", &options);
    const Fd far = plain_udp();
    const std::string address = address_of("127.0.0.1", udp_port(far.get()));
    ASSERT_EQ(send_to(id, "waits", address), 0);
    EXPECT_TRUE(nothing_waits(far));
    ASSERT_EQ(send_to(id, std::string(96, 'x'), address), 0);
    EXPECT_EQ(receive_datagram(far), "waits");
    EXPECT_EQ(receive_datagram(far).size(), 96u);
}

TEST_P(UdpSend, ALoopThatClosesSendsFirstAndLeavesNoDescriptor) {
    const Fd far = plain_udp();
    const auto before = open_fds();
    {
        Harness other(GetParam());
        csploop_id id = 0;
        ASSERT_EQ(csploop_udp_bind(other.loop(), &id, "127.0.0.1", 0, nullptr, nullptr, nullptr), 0);
        ASSERT_EQ(csploop_udp_connect(other.loop(), id, "127.0.0.1", udp_port(far.get())), 0);
        ASSERT_EQ(csploop_udp_send(other.loop(), id, "bye", 3), 0);
    }
    EXPECT_EQ(receive_datagram(far), "bye");
    EXPECT_EQ(open_fds(), before);
}
