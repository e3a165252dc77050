// Datagrams on Linux: recvmmsg and sendmmsg move many with one call.
#include "datagram_socket.hpp"

#include <algorithm>
#include <cerrno>

namespace csploop::sys {

int open_datagram_socket(int family) {
    const int fd = ::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

Moved receive_datagrams(int fd, IncomingDatagram *datagrams, int count) {
    mmsghdr messages[most_datagrams_per_call];
    iovec parts[most_datagrams_per_call];
    count = std::min(count, most_datagrams_per_call);
    for (int i = 0; i < count; ++i) {
        parts[i] = {datagrams[i].data, datagrams[i].length};
        messages[i] = {};
        messages[i].msg_hdr.msg_name = datagrams[i].address;
        messages[i].msg_hdr.msg_namelen = datagrams[i].address_length;
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int received;
    do {
        received = ::recvmmsg(fd, messages, static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
    } while (received < 0 && errno == EINTR);
    if (received < 0)
        return {0, -errno};
    for (int i = 0; i < received; ++i) {
        // The kernel tells the address's whole length, also where it did not fit.
        datagrams[i].address_length = std::min(messages[i].msg_hdr.msg_namelen, datagrams[i].address_length);
        datagrams[i].length = messages[i].msg_len;
        datagrams[i].truncated = messages[i].msg_hdr.msg_flags & MSG_TRUNC;
    }
    return {received, 0};
}

Moved send_datagrams(int fd, const OutgoingDatagram *datagrams, int count) {
    mmsghdr messages[most_datagrams_per_call];
    iovec parts[most_datagrams_per_call];
    count = std::min(count, most_datagrams_per_call);
    for (int i = 0; i < count; ++i) {
        parts[i] = {const_cast<uint8_t *>(datagrams[i].data), datagrams[i].length};
        messages[i] = {};
        if (datagrams[i].address_length) {
            messages[i].msg_hdr.msg_name = const_cast<uint8_t *>(datagrams[i].address);
            messages[i].msg_hdr.msg_namelen = datagrams[i].address_length;
        }
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int sent;
    do {
        sent = ::sendmmsg(fd, messages, static_cast<unsigned>(count), MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? Moved{0, -errno} : Moved{sent, 0};
}

} // namespace csploop::sys
