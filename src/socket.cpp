#include "socket.hpp"

#include "datagram_socket.hpp"

#include <csploop/error.h>

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace csploop::sys {

int parse_tcp_address(const char *host, int port, Address &out) {
    if (!host || port < 0 || port > 65535)
        return CSPLOOP_EINVAL;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV; // never asks a resolver
    addrinfo *found = nullptr;
    const int code = ::getaddrinfo(host, std::to_string(port).c_str(), &hints, &found);
    if (code)
        return code == EAI_MEMORY ? CSPLOOP_ENOMEM : CSPLOOP_EAFNOSUPPORT;
    std::memcpy(&out.storage, found->ai_addr, found->ai_addrlen);
    out.length = found->ai_addrlen;
    ::freeaddrinfo(found);
    return 0;
}

int parse_unix_address(const char *path, Address &out) {
    if (!path || !*path)
        return CSPLOOP_EINVAL;
    sockaddr_un address{};
    const size_t length = std::strlen(path);
    const bool abstract = is_abstract(path);
    if (length >= sizeof address.sun_path + (abstract ? 1 : 0))
        return CSPLOOP_EINVAL;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path, length);
    if (abstract)
        address.sun_path[0] = '\0';
    std::memcpy(&out.storage, &address, sizeof address);
    // An abstract name is all of its bytes; a path ends with its NUL.
    out.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
    return 0;
}

std::string format_address(const Address &address) {
    if (address.family() == AF_UNIX) {
        const auto *unix_address = reinterpret_cast<const sockaddr_un *>(&address.storage);
        const size_t offset = offsetof(sockaddr_un, sun_path);
        if (address.length <= offset)
            return "";
        const size_t length = address.length - offset;
        if (unix_address->sun_path[0] != '\0')
            return {unix_address->sun_path, ::strnlen(unix_address->sun_path, length)};
        return length > 1 ? std::string("@").append(unix_address->sun_path + 1, length - 1) : "";
    }
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    if (::getnameinfo(address.get(), address.length, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV))
        return "";
    const bool brackets = address.family() == AF_INET6;
    std::string text(brackets ? "[" : "");
    text.append(host).append(brackets ? "]:" : ":").append(port);
    return text;
}

int local_address(int fd, Address &out) {
    out.length = sizeof out.storage;
    return ::getsockname(fd, out.get(), &out.length) == 0 ? 0 : -errno;
}

int peer_address(int fd, Address &out) {
    out.length = sizeof out.storage;
    return ::getpeername(fd, out.get(), &out.length) == 0 ? 0 : -errno;
}

int connect(int fd, const Address &address) {
    // Interrupted, a connect goes on by itself, like one in progress.
    if (::connect(fd, address.get(), address.length) == 0)
        return 0;
    return errno == EINTR ? -EINPROGRESS : -errno;
}

int socket_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        return -errno;
    return -error;
}

int set_nonblocking(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    if (flags & O_NONBLOCK)
        return 0;
    return ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int set_flag(int fd, int level, int option, int value) {
    return ::setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

int set_nodelay(int fd) {
    return set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int stream_kind(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) < 0)
        return -errno;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
        return CSPLOOP_EPERM;
    if (!S_ISSOCK(status.st_mode))
        return 0;
    int type = 0;
    socklen_t length = sizeof type;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
        return -errno;
    return type == SOCK_STREAM ? 1 : CSPLOOP_EINVAL;
}

int datagram_family(int fd) {
    int type = 0;
    socklen_t length = sizeof type;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
        return -errno;
    Address address;
    if (const int code = local_address(fd, address))
        return code;
    if (type != SOCK_DGRAM)
        return CSPLOOP_EINVAL;
    const int family = address.family();
    return family == AF_INET || family == AF_INET6 || family == AF_UNIX ? family : CSPLOOP_EAFNOSUPPORT;
}

int is_listening(int fd) {
    int listening = 0;
    socklen_t length = sizeof listening;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0)
        return -errno;
    return listening ? 1 : 0;
}

void close(int fd) {
    // Not repeated on EINTR: the descriptor is gone already, and its number may be another thread's by now.
    ::close(fd);
}

void reset_on_close(int fd) {
    const linger hard{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

int64_t receive(int fd, bool is_socket, void *buffer, size_t length) {
    ssize_t count;
    if (!is_socket) {
        if (const int code = set_nonblocking(fd))
            return code;
        do {
            count = ::read(fd, buffer, length);
        } while (count < 0 && errno == EINTR);
        return count < 0 ? -errno : count;
    }
    do {
        count = ::recv(fd, buffer, length, MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

namespace {

// Pipes have neither MSG_DONTWAIT nor MSG_NOSIGNAL. Who shares one may have made it blocking. The signal is blocked for
// the call, and taken out again if it came of it.
int64_t write_without_sigpipe(int fd, const iovec *parts, int count) {
    if (const int code = set_nonblocking(fd))
        return code;
    sigset_t only_pipe, previous, waiting;
    sigemptyset(&only_pipe);
    sigaddset(&only_pipe, SIGPIPE);
    sigemptyset(&waiting);
    sigpending(&waiting);
    const bool was_pending = sigismember(&waiting, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &only_pipe, &previous);
    ssize_t written;
    do {
        written = ::writev(fd, parts, count);
    } while (written < 0 && errno == EINTR);
    const int64_t result = written < 0 ? -errno : written;
    if (result == -EPIPE && !was_pending) {
        sigpending(&waiting);
        int signal_number = 0;
        if (sigismember(&waiting, SIGPIPE) == 1)
            sigwait(&only_pipe, &signal_number);
    }
    pthread_sigmask(SIG_SETMASK, &previous, nullptr);
    return result;
}

} // namespace

int64_t send(int fd, bool is_socket, const iovec *parts, int count) {
    return is_socket ? send_socket(fd, parts, count) : write_without_sigpipe(fd, parts, count);
}

} // namespace csploop::sys
