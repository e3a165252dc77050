// Which of the loop's objects has which descriptor.
//
// A second registration of a descriptor is an answer and not a muddle. And
// when somebody closed a descriptor behind our back and its number came back
// as another, the old owner must leave the number alone: it asks here first.
#pragma once

#include <csploop/record.h>

#include <cstddef>
#include <vector>

namespace csploop {

class FdSet {
public:
    csploop_id owner(int fd) const {
        return fd >= 0 && static_cast<size_t>(fd) < owners_.size() ? owners_[static_cast<size_t>(fd)] : 0;
    }
    bool has(int fd) const { return owner(fd) != 0; }
    // So that taking fd cannot fail.
    void make_room(int fd) {
        const auto index = static_cast<size_t>(fd);
        if (index >= owners_.size())
            owners_.resize(index + index / 2 + 8);
    }
    // Also where an older owner is on record.
    void take(int fd, csploop_id id) {
        make_room(fd);
        owners_[static_cast<size_t>(fd)] = id;
    }
    // False: the number is another's by now.
    bool release(int fd, csploop_id id) {
        if (owner(fd) != id)
            return false;
        owners_[static_cast<size_t>(fd)] = 0;
        return true;
    }
    void clear() { std::vector<csploop_id>().swap(owners_); }
    size_t heap_bytes() const { return owners_.capacity() * sizeof(csploop_id); }

private:
    std::vector<csploop_id> owners_;
};

} // namespace csploop
