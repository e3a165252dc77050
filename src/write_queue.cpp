#include "write_queue.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace csploop {

void WriteQueue::stage(const uint8_t *data, size_t length) {
    parts_.push_back({.data = data, .length = length, .kind = Kind::staged});
    ++staged_;
    bytes_ += length;
}

void WriteQueue::copy(const uint8_t *data, size_t length, BlockPool &pool) {
    // The last block is filled up first: many small writes become one part.
    size_t fits = 0;
    if (!empty() && parts_.back().kind == Kind::owned)
        fits = std::min(parts_.back().block.capacity - parts_.back().block.used, length);
    // All that can fail comes first, so that a write is taken whole or not at all.
    Block only;
    std::vector<Block> several;
    if (const size_t rest = length - fits; rest > Block::large) {
        for (size_t left = rest; left > 0; left -= std::min(left, several.back().capacity))
            several.push_back(pool.take(left));
    } else if (rest > 0) {
        only = pool.take(rest);
    }
    if (parts_.size() + several.size() + 1 > parts_.capacity())
        parts_.reserve(parts_.size() * 2 + several.size() + 1);
    fill_last(data, fits);
    bytes_ += length;
    data += fits;
    length -= fits;
    const auto fill = [&](Block &block) {
        const size_t used = std::min(length, block.capacity);
        const uint8_t *const begin = block.data.get();
        std::memcpy(block.data.get(), data, used);
        block.used = used;
        data += used;
        length -= used;
        parts_.push_back({.data = begin, .length = used, .kind = Kind::owned, .block = std::move(block)});
    };
    if (only.data)
        fill(only);
    for (Block &block : several)
        fill(block);
}

void WriteQueue::fill_last(const uint8_t *data, size_t length) {
    if (length == 0)
        return;
    Part &last = parts_.back();
    std::memcpy(last.block.data.get() + last.block.used, data, length);
    last.block.used += length;
    last.length += length;
}

void WriteQueue::reference(const uint8_t *data, size_t length, csploop_fn fn, uint64_t token) {
    parts_.push_back(
        {.data = data, .length = length, .kind = Kind::reference, .fn = fn, .token = token, .total = length});
    ++references_;
    bytes_ += length;
}

int WriteQueue::gather(iovec *out, int most) const {
    int count = 0;
    for (size_t index = head_; index < parts_.size() && count < most; ++index) {
        const Part &part = parts_[index];
        out[count++] = {const_cast<uint8_t *>(part.data), part.length};
    }
    return count;
}

void WriteQueue::finish(Part &part, int64_t result, csploop_id id, BlockPool &pool, Completions &out) {
    switch (part.kind) {
    case Kind::staged:
        --staged_;
        break;
    case Kind::owned:
        pool.give(std::move(part.block));
        break;
    case Kind::reference:
        --references_;
        out.push_back(completion(CSPLOOP_KIND_WRITTEN, id, part.fn, reinterpret_cast<void *>(part.token), result));
        break;
    }
}

void WriteQueue::consume(size_t length, csploop_id id, BlockPool &pool, Completions &out) {
    bytes_ -= length;
    while (head_ < parts_.size()) {
        Part &part = parts_[head_];
        if (part.length > length) {
            part.data += length;
            part.length -= length;
            break;
        }
        length -= part.length;
        finish(part, static_cast<int64_t>(part.total), id, pool, out);
        ++head_;
    }
    if (head_ == parts_.size()) {
        parts_.clear();
        head_ = 0;
    } else if (head_ >= 32 && head_ * 2 >= parts_.size()) {
        parts_.erase(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
    }
}

void WriteQueue::own_staged(BlockPool &pool) {
    if (staged_ == 0)
        return;
    // Staged parts that follow one another, or an owned part with room, become one.
    size_t most_parts = 0; // that it can come to, so that nothing below but a block can lack memory
    for (size_t index = head_; index < parts_.size(); ++index)
        most_parts += parts_[index].kind == Kind::staged ? parts_[index].length / Block::large + 3 : 1;
    std::vector<Part> old;
    old.reserve(most_parts);
    old.swap(parts_);
    size_t index = std::exchange(head_, 0);
    bytes_ = 0;
    const auto keep = [&](Part &part) {
        bytes_ += part.length;
        parts_.push_back(std::move(part));
    };
    try {
        for (; index < old.size(); ++index) {
            if (old[index].kind == Kind::staged) {
                copy(old[index].data, old[index].length, pool);
                --staged_;
            } else {
                keep(old[index]);
            }
        }
    } catch (const std::bad_alloc &) {
        for (; index < old.size(); ++index)
            keep(old[index]);
        throw;
    }
}

void WriteQueue::drop(int code, csploop_id id, BlockPool &pool, Completions &out) {
    for (; head_ < parts_.size(); ++head_)
        finish(parts_[head_], code, id, pool, out);
    parts_.clear();
    head_ = 0;
    bytes_ = 0;
}

size_t WriteQueue::heap_bytes() const {
    size_t total = parts_.capacity() * sizeof(Part);
    for (size_t index = head_; index < parts_.size(); ++index)
        total += parts_[index].block.capacity;
    return total;
}

} // namespace csploop
