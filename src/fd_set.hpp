// Which descriptors this loop has, so that a second registration is an answer and not a muddle.
#pragma once

#include <cstddef>
#include <vector>

namespace csploop {

class FdSet {
public:
    bool has(int fd) const {
        return fd >= 0 && static_cast<size_t>(fd) < taken_.size() && taken_[static_cast<size_t>(fd)];
    }
    void add(int fd) {
        const auto index = static_cast<size_t>(fd);
        if (index >= taken_.size())
            taken_.resize(index + index / 2 + 64);
        taken_[index] = true;
    }
    void remove(int fd) {
        if (has(fd))
            taken_[static_cast<size_t>(fd)] = false;
    }
    void clear() { std::vector<bool>().swap(taken_); }
    size_t heap_bytes() const { return taken_.capacity() / 8; }

private:
    std::vector<bool> taken_;
};

} // namespace csploop
