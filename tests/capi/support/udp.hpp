// The fixture of the datagram tests: sockets of the loop under test, and plain ones as their peers.
#pragma once

#include "harness.hpp"
#include "sockets.hpp"

#include <cstdint>
#include <map>
#include <poll.h>

namespace csploop_test {

inline csploop_udp_options udp_options(uint32_t flags = 0, uint32_t high_water = 0, uint32_t max_datagram = 0) {
    return {sizeof(csploop_udp_options), flags, high_water, max_datagram};
}

struct Datagram {
    std::string bytes;
    std::string address; // the sender's, as in the slab
    bool truncated;
};

// A plain blocking socket on 127.0.0.1.
inline Fd plain_udp() {
    Fd fd(socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
    return fd;
}

inline int udp_port(int fd) {
    sockaddr_in6 address{}; // the port lies where that of IPv4 does
    socklen_t length = sizeof address;
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr *>(&address), &length), 0);
    return ntohs(address.sin6_port);
}

inline std::string receive_datagram(const Fd &fd) {
    std::string data(70000, '\0');
    pollfd entry{fd.get(), POLLIN, 0};
    EXPECT_EQ(poll(&entry, 1, 10000), 1) << "no datagram came";
    const ssize_t count = recv(fd.get(), data.data(), data.size(), MSG_DONTWAIT);
    EXPECT_GE(count, 0) << strerror(errno);
    data.resize(count < 0 ? 0 : static_cast<size_t>(count));
    return data;
}

inline bool nothing_waits(const Fd &fd) {
    pollfd entry{fd.get(), POLLIN, 0};
    return poll(&entry, 1, 0) == 0;
}

class UdpTest : public ModeTest {
protected:
    void SetUp() override {
        h.on = [this](const csploop_record &record) {
            if (record.kind == CSPLOOP_KIND_RECV)
                keep(record);
            if (react)
                react(record);
        };
    }
    // The slab is the same for both forms; callbacks and the batch see it before the next turn.
    void keep(const csploop_record &record) {
        uint64_t size = 0;
        const auto *slab = static_cast<const char *>(csploop_slab(loop, &size));
        ASSERT_LE(record.offset + static_cast<uint64_t>(record.result), size);
        uint32_t length = 77;
        const auto *sender = static_cast<const char *>(csploop_udp_sender(loop, &record, &length));
        EXPECT_EQ(length, record.flags & CSPLOOP_RECV_ADDRESS);
        EXPECT_EQ(sender == nullptr, length == 0);
        if (sender) {
            EXPECT_EQ(reinterpret_cast<uintptr_t>(sender) % 8, 0u);
            EXPECT_EQ(sender + (length + 7) / 8 * 8, slab + record.offset);
        }
        came[record.id].push_back({std::string(slab + record.offset, static_cast<size_t>(record.result)),
                                   sender ? std::string(sender, length) : "",
                                   (record.flags & CSPLOOP_RECV_TRUNCATED) != 0});
    }
    csploop_id bind_to(const char *host = "127.0.0.1", const csploop_udp_options *options = nullptr) {
        csploop_id id = 0;
        EXPECT_EQ(csploop_udp_bind(loop, &id, host, 0, options, h.fn(), h.arg()), 0);
        return id;
    }
    csploop_id adopt(int fd, const csploop_udp_options *options = nullptr) {
        csploop_id id = 0;
        EXPECT_EQ(csploop_udp_adopt(loop, &id, fd, options, h.fn(), h.arg()), 0);
        return id;
    }
    int port(csploop_id id) { return udp_port(csploop_udp_fd(loop, id)); }
    std::string address_of(const char *host, int to_port) {
        char address[28];
        const int length = csploop_udp_address(address, sizeof address, host, to_port);
        EXPECT_GT(length, 0);
        return std::string(address, static_cast<size_t>(length));
    }
    std::string address_of(csploop_id id) { return address_of("127.0.0.1", port(id)); }
    int send_to(csploop_id id, std::string_view data, const std::string &address) {
        return csploop_udp_send_to(loop, id, data.data(), data.size(), address.data(), address.size());
    }
    int send(csploop_id id, std::string_view data) { return csploop_udp_send(loop, id, data.data(), data.size()); }
    void until_came(csploop_id id, size_t count) {
        h.until([&] { return came[id].size() >= count; }, "datagrams");
    }
    void finish(csploop_id id, csploop_close_flags flags = CSPLOOP_CLOSE_ABORT) {
        EXPECT_EQ(csploop_udp_close(loop, id, flags), 0);
        h.until_event(id, CSPLOOP_KIND_CLOSED, "CLOSED");
    }
    // Two Unix datagram sockets; the kernel takes few from the first before the second reads.
    std::pair<csploop_id, Fd> unix_pair(const csploop_udp_options *options = nullptr) {
        int fds[2] = {-1, -1};
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
        return {adopt(fds[0], options), Fd(fds[1])};
    }
    // Sends until the kernel takes no more; returns how many were accepted.
    int clog(csploop_id id) {
        int count = 0;
        while (csploop_udp_flush(loop, id) == 0 && count < 100000)
            EXPECT_EQ(send(id, "datagram " + std::to_string(count++)), 0);
        EXPECT_GT(csploop_udp_buffered(loop, id, nullptr), 0);
        return count;
    }

    std::map<csploop_id, std::vector<Datagram>> came;
    std::function<void(const csploop_record &)> react;
};

} // namespace csploop_test
