// How many round trips two threads make: each is a switch to the other and back, which takes long where others have
// the processors. There fewer will do.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace csploop_test {

class RoundTrips {
public:
    explicit RoundTrips(int64_t most) : wanted_(most) {}

    int64_t wanted() const { return wanted_.load(); }

    // For the thread that begins them: whether there is a round i (0, 1, …). It is said before the round which is last.
    bool begin(int64_t i) {
        if (i >= wanted())
            return false;
        if (i >= least && std::chrono::steady_clock::now() > enough_)
            wanted_ = i + 1;
        return true;
    }

private:
    static constexpr int64_t least = 200;
    const std::chrono::steady_clock::time_point enough_ = std::chrono::steady_clock::now() + std::chrono::seconds(8);
    std::atomic<int64_t> wanted_;
};

} // namespace csploop_test
