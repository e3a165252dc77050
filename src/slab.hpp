// The read slab: one stretch of memory that all reads of a turn share.
//
// It is made with the first read. The system gives its pages as they are
// touched, so a loop that reads little holds little.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace csploop {

class Slab {
public:
    // Of one stream in one turn. Smaller shares would cut large messages into many system calls; a stream that
    // finds the slab full is the first one of the next turn, so a few floods cannot starve the others.
    static constexpr size_t most_read = 256 * 1024;

    explicit Slab(size_t size) : size_(size), least_read_(std::min(size / 4, size_t{32 * 1024})) {}

    void reset() { used_ = 0; }
    // How much a stream may read now. 0: no room that is worth a system call; reading waits for the next turn.
    size_t share() const {
        const size_t room = size_ - used_;
        return room < least_read_ ? 0 : std::min(room, most_read);
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
    size_t used() const { return used_; }
    // Somebody found no room. The first one since the last question is told; 0 for none.
    void leave_out(uint64_t id) {
        if (!left_out_)
            left_out_ = id;
    }
    uint64_t take_left_out() { return std::exchange(left_out_, 0); }
    const uint8_t *data() const { return data_.get(); }
    size_t size() const { return size_; }
    size_t heap_bytes() const { return data_ ? size_ : 0; }
    void free() { data_.reset(); }

private:
    size_t size_;
    size_t least_read_;
    size_t used_ = 0;
    uint64_t left_out_ = 0;
    std::unique_ptr<uint8_t[]> data_;
};

} // namespace csploop
