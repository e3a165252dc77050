// Blocks of memory for unsent bytes, kept for reuse so that a write costs no malloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace csploop {

struct Block {
    // Small ones for what writes gather in a turn, large ones for what the kernel would not take at once.
    static constexpr size_t small = 16 * 1024;
    static constexpr size_t large = 128 * 1024;

    std::unique_ptr<uint8_t[]> data;
    size_t capacity = 0;
    size_t used = 0;
};

class BlockPool {
public:
    // For `wanted` bytes or the first part of them.
    Block take(size_t wanted) {
        std::vector<Block> &spare = wanted > Block::small ? spare_large_ : spare_small_;
        if (!spare.empty()) {
            Block block = std::move(spare.back());
            spare.pop_back();
            return block;
        }
        const size_t capacity = wanted > Block::small ? Block::large : Block::small;
        return {std::unique_ptr<uint8_t[]>(new uint8_t[capacity]), capacity, 0};
    }
    void give(Block &&block) noexcept {
        const bool is_large = block.capacity == Block::large;
        std::vector<Block> &spare = is_large ? spare_large_ : spare_small_;
        if (spare.size() >= (is_large ? most_spare_large : most_spare_small))
            return;
        block.used = 0;
        try {
            spare.push_back(std::move(block));
        } catch (const std::bad_alloc &) { // then it is not kept
        }
    }
    void clear() {
        std::vector<Block>().swap(spare_small_);
        std::vector<Block>().swap(spare_large_);
    }
    size_t heap_bytes() const {
        return (spare_small_.capacity() + spare_large_.capacity()) * sizeof(Block) +
               spare_small_.size() * Block::small + spare_large_.size() * Block::large;
    }

private:
    static constexpr size_t most_spare_small = 64; // 1 MiB each
    static constexpr size_t most_spare_large = 8;
    std::vector<Block> spare_small_;
    std::vector<Block> spare_large_;
};

} // namespace csploop
