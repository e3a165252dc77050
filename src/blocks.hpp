// Blocks of memory for unsent bytes, kept for reuse so that a write costs no malloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace csploop {

struct Block {
    static constexpr size_t standard = 16 * 1024;

    std::unique_ptr<uint8_t[]> data;
    size_t capacity = 0;
    size_t used = 0;
};

class BlockPool {
public:
    Block take(size_t at_least) {
        if (at_least <= Block::standard) {
            if (!spare_.empty()) {
                Block block = std::move(spare_.back());
                spare_.pop_back();
                return block;
            }
            at_least = Block::standard;
        }
        return {std::unique_ptr<uint8_t[]>(new uint8_t[at_least]), at_least, 0};
    }
    void give(Block &&block) {
        if (block.capacity != Block::standard || spare_.size() >= most_spare)
            return;
        block.used = 0;
        spare_.push_back(std::move(block));
    }
    void clear() { std::vector<Block>().swap(spare_); }
    size_t heap_bytes() const { return spare_.capacity() * sizeof(Block) + spare_.size() * Block::standard; }

private:
    static constexpr size_t most_spare = 64;
    std::vector<Block> spare_;
};

} // namespace csploop
