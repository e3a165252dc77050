// A bounded queue for many producers and consumers, without locks.
//
// Each cell carries a sequence number that tells whose turn it is: equal to a
// position, a producer may fill it; one more, a consumer may empty it. Both
// sides claim positions by compare-and-swap and publish through the sequence.
#pragma once

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
        : mask_(capacity - 1), payload_(payload), stride_(sizeof(Cell) + (payload + 7) / 8 * 8),
          memory_(new std::byte[stride_ * capacity]) {
        for (size_t i = 0; i < capacity; ++i)
            new (memory_.get() + i * stride_) Cell{{i}};
    }

    bool push(const void *item) {
        size_t position = tail_.load(std::memory_order_relaxed);
        for (;;) {
            Cell *const cell = at(position);
            const auto difference =
                static_cast<std::ptrdiff_t>(cell->sequence.load(std::memory_order_seq_cst) - position);
            if (difference < 0)
                return false; // full
            if (difference > 0) {
                position = tail_.load(std::memory_order_relaxed);
            } else if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
                std::memcpy(data(cell), item, payload_);
                cell->sequence.store(position + 1, std::memory_order_seq_cst);
                return true;
            }
        }
    }

    bool pop(void *item) {
        size_t position = head_.load(std::memory_order_relaxed);
        for (;;) {
            Cell *const cell = at(position);
            const auto difference =
                static_cast<std::ptrdiff_t>(cell->sequence.load(std::memory_order_seq_cst) - (position + 1));
            if (difference < 0)
                return false; // empty
            if (difference > 0) {
                position = head_.load(std::memory_order_relaxed);
            } else if (head_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
                std::memcpy(item, data(cell), payload_);
                // Ordered before the look at who waits for room (Bridge).
                cell->sequence.store(position + mask_ + 1, std::memory_order_seq_cst);
                return true;
            }
        }
    }

    // A moment's view: exact when nobody pushes or pops meanwhile.
    size_t size() const {
        const size_t head = head_.load(std::memory_order_acquire);
        const size_t tail = tail_.load(std::memory_order_acquire);
        return tail > head ? tail - head : 0;
    }
    size_t capacity() const { return mask_ + 1; }

private:
    struct Cell {
        std::atomic<size_t> sequence;
    };
    Cell *at(size_t position) {
        return std::launder(reinterpret_cast<Cell *>(memory_.get() + (position & mask_) * stride_));
    }
    static void *data(Cell *cell) { return cell + 1; }

    const size_t mask_;
    const size_t payload_;
    const size_t stride_;
    const std::unique_ptr<std::byte[]> memory_;
    // Apart, so that producers and the consumer do not pull one cache line to and fro.
    alignas(64) std::atomic<size_t> tail_{0};
    alignas(64) std::atomic<size_t> head_{0};
};

} // namespace csploop
