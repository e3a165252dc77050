// Where a loop's time comes from. All values are ns.
#pragma once

#include <atomic>
#include <cstdint>

namespace csploop {

int64_t monotonic_now();
int64_t wall_now();

class Clock {
public:
    Clock(uint32_t kind, int64_t start_ns);

    int64_t now() const; // any thread
    bool simulated() const { return simulated_; }
    // Real clocks: the system's wall clock, jumps and all. Simulated: now().
    int64_t wall() const { return simulated_ ? now() : wall_now(); }
    int set(int64_t now_ns);

private:
    bool simulated_;
    int64_t offset_ = 0; // added to the monotonic clock
    std::atomic<int64_t> simulated_now_{0};
};

} // namespace csploop
