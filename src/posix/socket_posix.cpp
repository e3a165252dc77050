// Sockets where neither accept4 nor MSG_NOSIGNAL can be relied on.
#include "socket.hpp"

#include <cerrno>
#include <fcntl.h>

namespace csploop::sys {

namespace {

int prepare(int fd) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    if (const int code = set_nonblocking(fd))
        return code;
#ifdef SO_NOSIGPIPE
    return set_flag(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#else
    return 0;
#endif
}

int prepared(int fd) {
    if (fd < 0)
        return -errno;
    const int code = prepare(fd);
    if (!code)
        return fd;
    close(fd);
    return code;
}

#ifdef MSG_NOSIGNAL
constexpr int send_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
#else
constexpr int send_flags = MSG_DONTWAIT;
#endif

} // namespace

int open_stream_socket(int family) {
    return prepared(::socket(family, SOCK_STREAM, 0));
}

int accept(int fd) {
    return prepared(::accept(fd, nullptr, nullptr));
}

int64_t send_socket(int fd, const iovec *parts, int count) {
    msghdr message{};
    message.msg_iov = const_cast<iovec *>(parts);
    message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
    ssize_t sent;
    do {
        sent = ::sendmsg(fd, &message, send_flags);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

bool is_abstract(const char *) {
    return false;
}

} // namespace csploop::sys
