// Memory that runs out once: which allocation fails is counted over several calls.
#pragma once

#include <csploop.h>

namespace csploop_test {

// How many allocations of this thread go well before one fails, once; negative: none fails.
extern thread_local long allocations_until_failure;

class FailingNew {
public:
    explicit FailingNew(long fails_at) : left_(fails_at) {}
    bool failed() const { return left_ < 0; }

    // Only what `call` allocates counts.
    template <class Call>
    int armed(Call call) {
        allocations_until_failure = left_;
        const int code = call();
        left_ = allocations_until_failure;
        allocations_until_failure = -1;
        return code;
    }
    // A call that may fail once, and must work when it is repeated.
    template <class Call>
    int again(Call call) {
        const bool had_failed = failed();
        const int code = armed(call);
        return code == CSPLOOP_ENOMEM && !had_failed ? armed(call) : code;
    }

private:
    long left_;
};

} // namespace csploop_test
