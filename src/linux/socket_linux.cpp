// Sockets on Linux: flags that make descriptors right from the start.
#include "socket.hpp"

#include <cerrno>

namespace csploop::sys {

int open_stream_socket(int family) {
    const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int accept(int fd) {
    const int client = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return client < 0 ? -errno : client;
}

int64_t send_socket(int fd, const iovec *parts, int count) {
    ssize_t sent;
    do {
        if (count == 1) {
            sent = ::send(fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
        } else {
            msghdr message{};
            message.msg_iov = const_cast<iovec *>(parts);
            message.msg_iovlen = static_cast<size_t>(count);
            sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

bool is_abstract(const char *path) {
    return path[0] == '@';
}

} // namespace csploop::sys
