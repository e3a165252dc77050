// Datagrams where one call moves one.
#include "datagram_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

namespace csploop::sys {

namespace {

#ifdef MSG_NOSIGNAL
constexpr int send_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
#else
constexpr int send_flags = MSG_DONTWAIT;
#endif

int receive_one(int fd, IncomingDatagram &datagram) {
    iovec part{datagram.data, datagram.length};
    msghdr message{};
    message.msg_name = datagram.address;
    message.msg_namelen = datagram.address_length;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ssize_t length;
    do {
        length = ::recvmsg(fd, &message, MSG_DONTWAIT);
    } while (length < 0 && errno == EINTR);
    if (length < 0)
        return -errno;
    datagram.address_length = std::min<uint32_t>(message.msg_namelen, datagram.address_length);
    datagram.length = static_cast<size_t>(length);
    datagram.truncated = message.msg_flags & MSG_TRUNC;
    return 0;
}

int send_one(int fd, const OutgoingDatagram &datagram) {
    iovec part{const_cast<uint8_t *>(datagram.data), datagram.length};
    msghdr message{};
    if (datagram.address_length) {
        message.msg_name = const_cast<uint8_t *>(datagram.address);
        message.msg_namelen = datagram.address_length;
    }
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ssize_t sent;
    do {
        sent = ::sendmsg(fd, &message, send_flags);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

} // namespace

int open_datagram_socket(int family) {
    const int fd = ::socket(family, SOCK_DGRAM, 0);
    if (fd < 0)
        return -errno;
    int code = ::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : set_nonblocking(fd);
#ifdef SO_NOSIGPIPE
    if (code == 0)
        code = set_flag(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
    if (code == 0)
        return fd;
    close(fd);
    return code;
}

Moved receive_datagrams(int fd, IncomingDatagram *datagrams, int count) {
    for (int i = 0; i < count; ++i)
        if (const int code = receive_one(fd, datagrams[i]))
            return {i, code};
    return {count, 0};
}

Moved send_datagrams(int fd, const OutgoingDatagram *datagrams, int count) {
    for (int i = 0; i < count; ++i)
        if (const int code = send_one(fd, datagrams[i]))
            return {i, code};
    return {count, 0};
}

} // namespace csploop::sys
