#include "fork.hpp"

#include <atomic>
#include <pthread.h>

namespace csploop {

namespace {

std::atomic<uint32_t> generation{1};

// Counting forks costs nothing per call, where asking for the process id would be a system call each time.
[[maybe_unused]] const int registered =
    pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1, std::memory_order_relaxed); });

} // namespace

uint32_t fork_generation() {
    return generation.load(std::memory_order_relaxed);
}

} // namespace csploop
