// Without a descriptor that tells of clock changes, a second is the most that one goes unnoticed.
#include "wall_alarm.hpp"

namespace csploop {

WallAlarm::~WallAlarm() = default;

int WallAlarm::open(Poller &) {
    return 0;
}

int WallAlarm::arm(Poller &, int64_t wall_ns) {
    armed_ = wall_ns;
    return 0;
}

void WallAlarm::rang() {}

int64_t WallAlarm::longest_sleep_ns() const {
    return armed_ == INT64_MAX ? INT64_MAX : 1000000000;
}

void WallAlarm::close(Poller *) {
    armed_ = INT64_MAX;
}

} // namespace csploop
