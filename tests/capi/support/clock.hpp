// The system's own clocks, to compare the loop's with.
#pragma once

#include <cstdint>
#include <ctime>

namespace csploop_test {

inline int64_t clock_ns(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}
inline int64_t monotonic_ns() {
    return clock_ns(CLOCK_MONOTONIC);
}
inline int64_t wall_ns() {
    return clock_ns(CLOCK_REALTIME);
}

constexpr int64_t microsecond = 1000;
constexpr int64_t millisecond = 1000 * microsecond;
constexpr int64_t second = 1000 * millisecond;

} // namespace csploop_test
