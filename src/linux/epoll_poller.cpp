// The poller on Linux: epoll, with an eventfd to end a wait.
#include "poller.hpp"

#include <csploop/error.h>
#include <csploop/options.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace csploop {

namespace {

constexpr int max_events = 256;

uint32_t to_epoll(uint32_t events) {
    return ((events & ready::read) ? uint32_t{EPOLLIN} : 0) | ((events & ready::write) ? uint32_t{EPOLLOUT} : 0) |
           ((events & ready::edge) ? uint32_t{EPOLLET} : 0);
}

uint32_t from_epoll(uint32_t events) {
    uint32_t result = 0;
    if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP))
        result |= ready::read;
    if (events & EPOLLOUT)
        result |= ready::write;
    if (events & (EPOLLERR | EPOLLHUP))
        result |= ready::read | ready::write;
    return result;
}

class EpollPoller final : public Poller {
public:
    ~EpollPoller() override { close(); }

    int open() {
        epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
        if (epoll_fd_ < 0)
            return -errno;
        wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (wake_fd_ < 0)
            return -errno;
        // Edge-triggered: each write is an event of its own, so nobody need read the counter back to zero.
        return control(EPOLL_CTL_ADD, wake_fd_, EPOLLIN | EPOLLET, tag_wake);
    }

    int add(int fd, uint32_t events, uint64_t tag) override {
        return control(EPOLL_CTL_ADD, fd, to_epoll(events), tag);
    }
    int modify(int fd, uint32_t events, uint64_t tag) override {
        const int code = control(EPOLL_CTL_MOD, fd, to_epoll(events), tag);
        // Not registered, or not even to be watched: closed behind our back, and the number is another file's.
        return code == -ENOENT || code == -EPERM ? static_cast<int>(CSPLOOP_EBADF) : code;
    }
    void remove(int fd) override { control(EPOLL_CTL_DEL, fd, 0, 0); } // gone already is as good

    int wait(int64_t timeout_ns, Ready *out, int capacity) override {
        epoll_event events[max_events];
        const int count = wait_events(events, std::min(capacity, max_events), timeout_ns);
        if (count < 0)
            return errno == EINTR ? 0 : -errno;
        for (int i = 0; i < count; ++i)
            out[i] = {events[i].data.u64, from_epoll(events[i].events)};
        return count;
    }

    void ring() noexcept override {
        const int saved = errno; // a signal handler must leave errno as it was
        const uint64_t one = 1;
        // The counter cannot fill up (2^64 wakes) and a full one would still be readable.
        [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
        errno = saved;
    }

    int backend_fd() const override { return epoll_fd_; }

    void abandon() override { close(); } // closing our numbers leaves the parent's objects alone
    void close() override {
        if (epoll_fd_ >= 0)
            ::close(epoll_fd_);
        if (wake_fd_ >= 0)
            ::close(wake_fd_);
        epoll_fd_ = wake_fd_ = -1;
    }
    int kind() const override { return CSPLOOP_POLLER_EPOLL; }
    size_t heap_bytes() const override { return sizeof *this; }

private:
    int control(int operation, int fd, uint32_t events, uint64_t tag) {
        epoll_event event{};
        event.events = events;
        event.data.u64 = tag;
        return ::epoll_ctl(epoll_fd_, operation, fd, &event) == 0 ? 0 : -errno;
    }

    int wait_events(epoll_event *events, int capacity, int64_t timeout_ns) {
        if (timeout_ns <= 0)
            return ::epoll_wait(epoll_fd_, events, capacity, timeout_ns < 0 ? -1 : 0);
#ifdef SYS_epoll_pwait2
        if (has_pwait2_) {
            const timespec timeout{static_cast<time_t>(timeout_ns / 1000000000),
                                   static_cast<long>(timeout_ns % 1000000000)};
            const auto count = static_cast<int>(
                ::syscall(SYS_epoll_pwait2, epoll_fd_, events, capacity, &timeout, nullptr, size_t{0}));
            if (count >= 0 || (errno != ENOSYS && errno != EPERM))
                return count;
            has_pwait2_ = false; // a kernel before 5.11, or a filter that does not know the call
        }
#endif
        // Rounded up: waking early would spin.
        const int64_t milliseconds = std::min<int64_t>((timeout_ns - 1) / 1000000 + 1, 1 << 30);
        return ::epoll_wait(epoll_fd_, events, capacity, static_cast<int>(milliseconds));
    }

    int epoll_fd_ = -1;
    int wake_fd_ = -1;
    bool has_pwait2_ = true;
};

std::unique_ptr<Poller> make_epoll_poller(int &error) {
    auto poller = std::make_unique<EpollPoller>();
    error = poller->open();
    if (error)
        return nullptr;
    return poller;
}

} // namespace

std::unique_ptr<Poller> make_poller(uint32_t kind, int &error) {
    if (kind == CSPLOOP_POLLER_UV)
        return make_uv_poller(error);
    return make_epoll_poller(error);
}

} // namespace csploop
