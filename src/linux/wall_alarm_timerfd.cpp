// A timerfd on the real-time clock that is cancelled, and so readable, when the clock is set.
#include "wall_alarm.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/timerfd.h>
#include <unistd.h>

namespace csploop {

WallAlarm::~WallAlarm() {
    close(nullptr);
}

int WallAlarm::open(Poller &poller) {
    if (fd_ >= 0)
        return 0;
    const int fd = ::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (const int code = poller.add(fd, ready::read, Poller::tag_wall)) {
        ::close(fd);
        return code;
    }
    fd_ = fd;
    return 0;
}

int WallAlarm::arm(Poller &poller, int64_t wall_ns) {
    if (wall_ns == armed_)
        return 0;
    if (const int code = open(poller))
        return code;
    itimerspec setting{};
    if (wall_ns != INT64_MAX) {
        const int64_t at = std::max<int64_t>(wall_ns, 1); // 0 would disarm
        setting.it_value = {static_cast<time_t>(at / 1000000000), static_cast<long>(at % 1000000000)};
    }
    if (::timerfd_settime(fd_, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &setting, nullptr) < 0 &&
        errno != ECANCELED)
        return -errno;
    armed_ = wall_ns;
    return 0;
}

void WallAlarm::rang() {
    uint64_t expirations;
    // ECANCELED tells that the clock was set; either way the loop looks at the clock now.
    [[maybe_unused]] const ssize_t count = ::read(fd_, &expirations, sizeof expirations);
    armed_ = INT64_MIN; // what is armed is spent
}

int64_t WallAlarm::longest_sleep_ns() const {
    return INT64_MAX;
}

void WallAlarm::close(Poller *poller) {
    if (fd_ < 0)
        return;
    if (poller)
        poller->remove(fd_);
    ::close(fd_);
    fd_ = -1;
    armed_ = INT64_MAX;
}

} // namespace csploop
