// Non-blocking socket calls, each a thin cover over the system's: results >= 0
// or a negative error code, EINTR handled, no SIGPIPE ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/socket.h>
#include <sys/uio.h>

namespace csploop::sys {

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    sockaddr *get() { return reinterpret_cast<sockaddr *>(&storage); }
    const sockaddr *get() const { return reinterpret_cast<const sockaddr *>(&storage); }
    int family() const { return storage.ss_family; }
};

// Literal addresses only: EAFNOSUPPORT for anything that would need a resolver.
int parse_tcp_address(const char *host, int port, Address &out);
int parse_unix_address(const char *path, Address &out);
std::string format_address(const Address &address);
int local_address(int fd, Address &out);
int peer_address(int fd, Address &out);

int connect(int fd, const Address &address); // 0, or EINPROGRESS negated, or an error
int socket_error(int fd);                    // SO_ERROR, negated
int set_nonblocking(int fd);
int set_nodelay(int fd);
int set_flag(int fd, int level, int option, int value);
// 1: a stream socket, 0: another stream descriptor (pipe, tty), or why it is neither.
int stream_kind(int fd);
int is_listening(int fd); // 1, 0 or an error
void close(int fd);
void reset_on_close(int fd);

// Closes a descriptor unless it has found an owner.
class FdGuard {
public:
    explicit FdGuard(int fd) : fd_(fd) {}
    ~FdGuard() {
        if (fd_ >= 0)
            close(fd_);
    }
    FdGuard(const FdGuard &) = delete;
    FdGuard &operator=(const FdGuard &) = delete;
    void release() { fd_ = -1; }

private:
    int fd_;
};

// These do not wait, whatever others have made of the descriptor's mode meanwhile.
int64_t receive(int fd, bool is_socket, void *buffer, size_t length);
int64_t send(int fd, bool is_socket, const iovec *parts, int count);

// Per system (src/linux, src/posix). Sockets are close-on-exec, non-blocking, without SIGPIPE.
int open_stream_socket(int family);
int accept(int fd);
int64_t send_socket(int fd, const iovec *parts, int count);
bool is_abstract(const char *path); // a Unix address outside of the file system

} // namespace csploop::sys
