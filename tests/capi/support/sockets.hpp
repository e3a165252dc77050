// Plain blocking sockets: the peer that a loop under test talks to.
#pragma once

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace csploop_test {

// Owns one descriptor.
class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd &operator=(Fd &&other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() { close(); }
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }
    void close() {
        if (fd_ >= 0)
            ::close(std::exchange(fd_, -1));
    }

private:
    int fd_ = -1;
};

inline bool fd_is_open(int fd) {
    return fcntl(fd, F_GETFD) != -1;
}

inline std::pair<Fd, Fd> socket_pair() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    return {Fd(fds[0]), Fd(fds[1])};
}
inline std::pair<Fd, Fd> pipe_pair() { // {read end, write end}
    int fds[2] = {-1, -1};
    EXPECT_EQ(pipe(fds), 0);
    return {Fd(fds[0]), Fd(fds[1])};
}

inline Fd dial(int family, const void *address, socklen_t length) {
    Fd fd(socket(family, SOCK_STREAM, 0));
    EXPECT_EQ(connect(fd.get(), static_cast<const sockaddr *>(address), length), 0) << strerror(errno);
    return fd;
}
inline Fd dial_tcp(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return dial(AF_INET, &address, sizeof address);
}
inline Fd dial_tcp6(int port) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<uint16_t>(port));
    address.sin6_addr = in6addr_loopback;
    return dial(AF_INET6, &address, sizeof address);
}
inline bool has_ipv6_loopback() {
    Fd fd(socket(AF_INET6, SOCK_STREAM, 0));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    return fd.get() >= 0 && bind(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof address) == 0;
}

// A plain listening socket on 127.0.0.1, and its port.
inline std::pair<Fd, int> plain_listener(int backlog = 16) {
    Fd fd(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd.get(), backlog), 0);
    socklen_t length = sizeof address;
    EXPECT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr *>(&address), &length), 0);
    return {std::move(fd), ntohs(address.sin_port)};
}
inline Fd accept_plain(const Fd &listener) {
    return Fd(accept(listener.get(), nullptr, nullptr));
}

inline int port_of(int fd) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr *>(&address), &length), 0);
    const auto *v4 = reinterpret_cast<const sockaddr_in *>(&address);
    return ntohs(v4->sin_port); // at the same place for both families
}

inline void send_all(const Fd &fd, std::string_view data) {
    while (!data.empty()) {
        const ssize_t n = send(fd.get(), data.data(), data.size(), MSG_NOSIGNAL);
        ASSERT_GT(n, 0) << strerror(errno);
        data.remove_prefix(static_cast<size_t>(n));
    }
}
// Puts in what fits without blocking; returns how much that was.
inline size_t send_some(const Fd &fd, std::string_view data) {
    size_t sent = 0;
    while (sent < data.size()) {
        const ssize_t n = send(fd.get(), data.data() + sent, data.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0)
            break;
        sent += static_cast<size_t>(n);
    }
    return sent;
}
// What is there now, without blocking.
inline std::string receive_some(const Fd &fd) {
    std::string data;
    char chunk[65536];
    for (;;) {
        const ssize_t n = recv(fd.get(), chunk, sizeof chunk, MSG_DONTWAIT);
        if (n <= 0)
            return data;
        data.append(chunk, static_cast<size_t>(n));
    }
}
// Exactly this much, or less at end of file; blocks.
inline std::string receive(const Fd &fd, size_t size) {
    std::string data(size, '\0');
    size_t done = 0;
    while (done < size) {
        const ssize_t n = recv(fd.get(), data.data() + done, size - done, 0);
        if (n <= 0)
            break;
        done += static_cast<size_t>(n);
    }
    data.resize(done);
    return data;
}
// The end of file is there, now.
inline bool at_eof(const Fd &fd) {
    char byte = 0;
    return recv(fd.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}
// A close of this descriptor sends a reset.
inline void reset_on_close(const Fd &fd) {
    const linger now{1, 0};
    EXPECT_EQ(setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
}
// Small enough to fill, large enough that the kernel does not wait for delayed acknowledgements on the way.
inline void shrink_buffers(int fd) {
    const int bytes = 65536;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

// Bytes that tell their place, so that a lost, doubled or swapped piece shows.
inline std::string pattern(size_t size, uint64_t seed = 1) {
    std::string data(size, '\0');
    uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
    for (char &byte : data) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        byte = static_cast<char>(state);
    }
    return data;
}

} // namespace csploop_test
