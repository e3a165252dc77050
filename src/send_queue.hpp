// What a datagram socket has accepted and the kernel has not yet taken, in order.
//
// A datagram is staged (in the host's out slab, good until the call that
// submitted it returns) or owned (in the queue's own memory). Either way its
// bytes lie right behind those of its address.
#pragma once

#include "datagram_socket.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace csploop {

class SendQueue {
public:
    bool empty() const { return head_ == entries_.size(); }
    size_t bytes() const { return bytes_; }
    size_t count() const { return entries_.size() - head_; }

    void stage(const uint8_t *address, uint32_t address_length, size_t length) {
        entries_.push_back({address, 0, length, address_length});
        bytes_ += length;
        any_staged_ = true;
    }
    void copy(const uint8_t *address, uint32_t address_length, const uint8_t *data, size_t length) {
        // All that can fail comes first, so that a datagram is taken whole or not at all.
        grow(entries_, 1);
        grow(memory_, address_length + length);
        entries_.push_back({nullptr, memory_.size(), length, address_length});
        memory_.insert(memory_.end(), address, address + address_length);
        memory_.insert(memory_.end(), data, data + length);
        bytes_ += length;
    }
    int gather(sys::OutgoingDatagram *out, int most) const {
        int count = 0;
        for (size_t index = head_; index < entries_.size() && count < most; ++index) {
            const Entry &entry = entries_[index];
            const uint8_t *const begin = entry.staged ? entry.staged : memory_.data() + entry.offset;
            out[count++] = {begin, entry.address_length, begin + entry.address_length, entry.length};
        }
        return count;
    }
    // The first `count` are done, sent or not.
    void drop(size_t count) {
        for (; count > 0; --count)
            bytes_ -= entries_[head_++].length;
        if (empty())
            clear();
        else if (head_ >= 64 && head_ * 2 >= entries_.size())
            compact();
    }
    // Copies what is staged: the out slab is about to be reused.
    void own_staged() {
        if (!any_staged_)
            return;
        for (size_t index = head_; index < entries_.size(); ++index) {
            Entry &entry = entries_[index];
            if (!entry.staged)
                continue;
            const size_t offset = memory_.size();
            memory_.insert(memory_.end(), entry.staged, entry.staged + entry.address_length + entry.length);
            entry.offset = offset;
            entry.staged = nullptr;
        }
        any_staged_ = false;
    }
    void clear() {
        entries_.clear();
        head_ = bytes_ = 0;
        any_staged_ = false;
        memory_.clear();
        if (memory_.capacity() > most_kept)
            std::vector<uint8_t>().swap(memory_);
    }
    size_t heap_bytes() const { return entries_.capacity() * sizeof(Entry) + memory_.capacity(); }

private:
    static constexpr size_t most_kept = 64 * 1024; // memory that an idle socket keeps for its next datagrams

    struct Entry {
        const uint8_t *staged; // else at `offset` of the memory
        size_t offset;
        size_t length;
        uint32_t address_length;
    };
    template <class T>
    static void grow(std::vector<T> &vector, size_t more) {
        if (vector.size() + more > vector.capacity())
            vector.reserve(std::max(vector.size() + more, vector.capacity() * 2));
    }
    // Forgets what is done, so that a queue that never empties does not grow for ever.
    void compact() {
        entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
        size_t first = memory_.size();
        for (const Entry &entry : entries_)
            if (!entry.staged)
                first = std::min(first, entry.offset);
        memory_.erase(memory_.begin(), memory_.begin() + static_cast<std::ptrdiff_t>(first));
        for (Entry &entry : entries_)
            if (!entry.staged)
                entry.offset -= first;
    }

    std::vector<Entry> entries_;
    size_t head_ = 0;
    size_t bytes_ = 0;
    bool any_staged_ = false;
    std::vector<uint8_t> memory_; // owned datagrams, one behind the other
};

} // namespace csploop
