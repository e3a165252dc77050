#include "clock.hpp"

#include <csploop/error.h>
#include <csploop/options.h>

#include <chrono>

namespace csploop {

int64_t monotonic_now() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

int64_t wall_now() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

Clock::Clock(uint32_t kind, int64_t start_ns) : simulated_(kind == CSPLOOP_CLOCK_SIMULATED) {
    if (simulated_)
        simulated_now_ = start_ns;
    if (kind == CSPLOOP_CLOCK_WALL)
        offset_ = wall_now() - monotonic_now();
}

int64_t Clock::now() const {
    return simulated_ ? simulated_now_.load(std::memory_order_relaxed) : monotonic_now() + offset_;
}

int Clock::set(int64_t now_ns) {
    if (!simulated_ || now_ns < simulated_now_.load(std::memory_order_relaxed))
        return CSPLOOP_EINVAL;
    simulated_now_.store(now_ns, std::memory_order_relaxed);
    return 0;
}

} // namespace csploop
