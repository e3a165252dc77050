// The read slab: one stretch of memory that all reads of a turn share.
//
// It is made with the first read. The system gives its pages as they are
// touched, so a loop that reads little holds little.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace csploop {

class Slab {
public:
    static constexpr size_t least_read = 4096;      // with less room than this, reading waits for the next turn
    static constexpr size_t most_read = 256 * 1024; // of one stream in one turn
    static constexpr size_t fair_read = 16 * 1024;  // what is kept free for each stream still to come

    explicit Slab(size_t size) : size_(size) {}

    void reset() { used_ = 0; }
    // How much a stream may read now when `others` are ready behind it. 0: no room.
    size_t share(size_t others) const {
        const size_t room = size_ - used_;
        if (room < least_read)
            return 0;
        const size_t kept = std::min(others * fair_read, room);
        return std::min(most_read, std::max({room - kept, std::min(fair_read, room), least_read}));
    }
    uint8_t *next() {
        if (!data_)
            data_.reset(new uint8_t[size_]); // left uninitialised on purpose
        return data_.get() + used_;
    }
    // Returns the offset of what was read.
    uint32_t take(size_t length) {
        const auto offset = static_cast<uint32_t>(used_);
        used_ += (length + 7) & ~size_t{7};
        if (used_ > size_)
            used_ = size_;
        return offset;
    }
    const uint8_t *data() const { return data_.get(); }
    size_t size() const { return size_; }
    size_t heap_bytes() const { return data_ ? size_ : 0; }
    void free() { data_.reset(); }

private:
    size_t size_;
    size_t used_ = 0;
    std::unique_ptr<uint8_t[]> data_;
};

} // namespace csploop
