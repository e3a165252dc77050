// Which of the loop's objects has which descriptor, and which file that was.
//
// A second registration of a descriptor is an answer and not a muddle. And
// when somebody closed a descriptor behind our back and its number came back
// as another, the old owner must leave the number alone: it asks here first.
#pragma once

#include "open_file.hpp"

#include <csploop/record.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <vector>

namespace csploop {

// How far an owner may take for granted that its descriptor is still its own, because looking is a system call.
// Nobody but the host can close one behind our back. If it vouches for the descriptor, or if the core has made it, so
// that no host should close it, the owner looks only when it has not looked for a while: the price of a message stays
// what it was. Else it looks each time.
class Trust {
public:
    void give(bool vouched) { given_ = vouched; }
    void renew() { looked_ms_ = now_ms(); }
    // Whether it is time to look; it is called by who then does.
    bool is_due() {
        if (!given_)
            return true;
        const uint32_t now = now_ms();
        if (now - looked_ms_ < lasts_ms)
            return false;
        looked_ms_ = now;
        return true;
    }

private:
    static constexpr uint32_t lasts_ms = 100;
    static uint32_t now_ms() {
        timespec now{};
#ifdef CLOCK_MONOTONIC_COARSE
        ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now); // a few nanoseconds
#else
        ::clock_gettime(CLOCK_MONOTONIC, &now);
#endif
        return static_cast<uint32_t>(now.tv_sec) * 1000u + static_cast<uint32_t>(now.tv_nsec / 1000000);
    }

    uint32_t looked_ms_ = 0;
    bool given_ = true;
};

class FdSet {
public:
    csploop_id owner(int fd) const { return known(fd) ? entries_[static_cast<size_t>(fd)].owner : 0; }
    // Somebody is on record, perhaps one who has lost it.
    bool has(int fd) const { return owner(fd) != 0; }
    // Somebody is on record, and has it still.
    bool in_use(int fd) const { return has(fd) && entries_[static_cast<size_t>(fd)].file.is_at(fd); }
    // It is id's, and still the file that id took.
    bool holds(int fd, csploop_id id) const {
        return owner(fd) == id && entries_[static_cast<size_t>(fd)].file.is_at(fd);
    }
    // So that taking fd cannot fail.
    void make_room(int fd) {
        const auto index = static_cast<size_t>(fd);
        if (index >= entries_.size())
            entries_.resize(index + index / 2 + 8);
    }
    // Also where an older owner is on record.
    void take(int fd, csploop_id id) {
        make_room(fd);
        entries_[static_cast<size_t>(fd)] = {id, OpenFile(fd)};
    }
    // False: the number is another's by now.
    bool release(int fd, csploop_id id) {
        if (owner(fd) != id)
            return false;
        entries_[static_cast<size_t>(fd)] = {};
        return true;
    }
    void clear() { std::vector<Entry>().swap(entries_); }
    size_t heap_bytes() const { return entries_.capacity() * sizeof(Entry); }

private:
    struct Entry {
        csploop_id owner = 0;
        OpenFile file;
    };
    bool known(int fd) const { return fd >= 0 && static_cast<size_t>(fd) < entries_.size(); }

    std::vector<Entry> entries_;
};

} // namespace csploop
