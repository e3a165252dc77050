// A bounded queue for many producers and consumers, without locks.
//
// Each cell has a sequence number that tells whose turn it is: equal to a
// position, a producer may fill it; one more, a consumer may empty it. Both
// sides claim positions by compare-and-swap and publish through the sequence.
// Payloads lie end to end, apart from the sequences, so that a run of cells is
// claimed by one swap and copied by one memcpy (two where the ring goes round).
//
// A run is published from its last cell to its first: who sees the first sees
// them all, and only the first one's store has to be sequentially consistent
// for what Bridge looks at next (who waits for room, whether the loop knows).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace csploop {

class Ring {
public:
    // capacity: a power of two, at least 2. payload: bytes an item.
    Ring(size_t capacity, size_t payload)
        : mask_(capacity - 1), payload_(payload), sequences_(new std::atomic<size_t>[capacity]),
          memory_(new std::byte[product(capacity, payload)]) {
        for (size_t i = 0; i < capacity; ++i)
            sequences_[i].store(i, std::memory_order_relaxed);
    }

    bool push(const void *item) { return push_some(item, 1) == 1; }
    bool pop(void *item) { return pop_some(item, 1) == 1; }

    // Puts in as many of the items, which lie end to end, as there is room for in one go; 0: it is full.
    size_t push_some(const void *items, size_t count) {
        size_t position = 0;
        const size_t claimed = claim(tail_, position, count, 0);
        if (!claimed)
            return 0;
        each_stretch(position, claimed, [&](std::byte *cells, size_t offset, size_t bytes) {
            std::memcpy(cells, static_cast<const std::byte *>(items) + offset, bytes);
        });
        publish(position, claimed, 1);
        return claimed;
    }

    // Takes the oldest items out, at most count; 0: it is empty. items: NULL to throw them away.
    size_t pop_some(void *items, size_t count) {
        size_t position = 0;
        const size_t claimed = claim(head_, position, count, 1);
        if (!claimed)
            return 0;
        if (items)
            each_stretch(position, claimed, [&](const std::byte *cells, size_t offset, size_t bytes) {
                std::memcpy(static_cast<std::byte *>(items) + offset, cells, bytes);
            });
        publish(position, claimed, mask_ + 1);
        return claimed;
    }

    // Whether the oldest item can be taken: false while its producer still fills it.
    bool ready() const {
        for (;;) {
            const size_t position = head_.load(std::memory_order_acquire);
            const auto difference = distance(position, position + 1, std::memory_order_seq_cst);
            if (difference <= 0)
                return difference == 0;
        }
    }

    // A moment's view: exact when nobody pushes or pops meanwhile.
    size_t size() const {
        const size_t head = head_.load(std::memory_order_acquire);
        const size_t tail = tail_.load(std::memory_order_acquire);
        return tail > head ? tail - head : 0;
    }
    size_t capacity() const { return mask_ + 1; }
    // How many items were ever put in.
    size_t pushed() const { return tail_.load(std::memory_order_acquire); }

private:
    // Where size_t is small, the largest bridge is more than there can be.
    static size_t product(size_t capacity, size_t payload) {
        if (payload && capacity > SIZE_MAX / payload)
            throw std::bad_array_new_length();
        return capacity * payload;
    }

    // How far a cell's sequence is ahead of what it should be.
    std::ptrdiff_t distance(size_t position, size_t wanted, std::memory_order order) const {
        return static_cast<std::ptrdiff_t>(sequences_[position & mask_].load(order) - wanted);
    }

    // Moves an end over the cells that are this side's turn, at most count; returns how many, from `position` on.
    // turn: what such a cell's sequence is ahead of its position.
    size_t claim(std::atomic<size_t> &end, size_t &position, size_t count, size_t turn) {
        position = end.load(std::memory_order_relaxed);
        for (;;) {
            const auto difference = distance(position, position + turn, std::memory_order_seq_cst);
            if (difference < 0)
                return 0; // full, or empty
            if (difference > 0) {
                position = end.load(std::memory_order_relaxed);
                continue;
            }
            // The other side frees and fills in any order, so each cell is looked at.
            size_t run = 1;
            while (run < count && run <= mask_ &&
                   distance(position + run, position + run + turn, std::memory_order_acquire) == 0)
                ++run;
            if (end.compare_exchange_weak(position, position + run, std::memory_order_acq_rel))
                return run;
        }
    }

    // Gives the cells to the other side: their sequences become position + ahead.
    void publish(size_t position, size_t count, size_t ahead) {
        for (size_t i = count; i-- > 1;)
            sequences_[(position + i) & mask_].store(position + i + ahead, std::memory_order_release);
        sequences_[position & mask_].store(position + ahead, std::memory_order_seq_cst);
    }

    template <class Copy> void each_stretch(size_t position, size_t count, Copy copy) {
        const size_t start = position & mask_;
        const size_t first = std::min(count, capacity() - start);
        copy(memory_.get() + start * payload_, 0, first * payload_);
        if (first < count)
            copy(memory_.get(), first * payload_, (count - first) * payload_);
    }

    const size_t mask_;
    const size_t payload_;
    const std::unique_ptr<std::atomic<size_t>[]> sequences_;
    const std::unique_ptr<std::byte[]> memory_;
    // Apart, so that producers and the consumer do not pull one cache line to and fro.
    alignas(64) std::atomic<size_t> tail_{0};
    alignas(64) std::atomic<size_t> head_{0};
};

} // namespace csploop
