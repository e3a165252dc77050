// Wakes the loop at a time of day, also when the system's clock is set.
//
// Linux has a descriptor for that (src/linux); elsewhere the loop looks at the
// clock at least once a second while anyone waits for a time of day (src/posix).
#pragma once

#include "poller.hpp"

#include <cstdint>

namespace csploop {

class WallAlarm {
public:
    WallAlarm() = default;
    ~WallAlarm();
    WallAlarm(const WallAlarm &) = delete;
    WallAlarm &operator=(const WallAlarm &) = delete;

    // What arming needs, so that a lack of it is known before there is something to arm for. Cheap when done before.
    int open(Poller &poller);
    // Rings at wall_ns, or INT64_MAX for never. Cheap when nothing changed.
    int arm(Poller &poller, int64_t wall_ns);
    // The descriptor was ready: time to look at the clock, and to arm anew.
    void rang();
    // The longest that the loop may sleep while armed; INT64_MAX where the descriptor sees to it.
    int64_t longest_sleep_ns() const;
    void close(Poller *poller);

private:
    int fd_ = -1;
    int64_t armed_ = INT64_MAX;
};

} // namespace csploop
