// A process that has no descriptor left.
#pragma once

#include "sockets.hpp"

#include <sys/resource.h>

namespace csploop_test {

// While it lives, nothing can be opened.
class NoDescriptorsLeft {
public:
    NoDescriptorsLeft() {
        EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
        rlimit none = before_;
        Fd probe(dup(0)); // the lowest free number: nothing at or above it may be opened
        none.rlim_cur = static_cast<rlim_t>(probe.get());
        probe.close();
        EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    }
    ~NoDescriptorsLeft() { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }
    NoDescriptorsLeft(const NoDescriptorsLeft &) = delete;
    NoDescriptorsLeft &operator=(const NoDescriptorsLeft &) = delete;

private:
    rlimit before_{};
};

} // namespace csploop_test
