// What a stream has accepted and the kernel has not yet taken, in order.
//
// A part is one of three: staged (in the host's out slab, good until the call
// that submitted it returns), owned (in one of our blocks), or by reference
// (the host's memory until its WRITTEN record).
#pragma once

#include "blocks.hpp"
#include "completions.hpp"

#include <csploop/record.h>

#include <cstddef>
#include <cstdint>
#include <sys/uio.h>
#include <vector>

namespace csploop {

class WriteQueue {
public:
    bool empty() const { return head_ == parts_.size(); }
    size_t bytes() const { return bytes_; }
    // By-reference parts that have not ended: so many completions are owed.
    size_t references() const { return references_; }

    void stage(const uint8_t *data, size_t length);
    void copy(const uint8_t *data, size_t length, BlockPool &pool);
    void reference(const uint8_t *data, size_t length, csploop_fn fn, uint64_t token);

    // Fills `out` with up to `most` parts; returns how many.
    int gather(iovec *out, int most) const;
    // The kernel took `length` bytes: by-reference parts that are done are reported to `out`, which has room for them.
    void consume(size_t length, csploop_id id, BlockPool &pool, Completions &out);
    // Copies what is staged into blocks: the out slab is about to be reused. For lack of memory some may be left
    // staged; the order and all else stay as they are.
    void own_staged(BlockPool &pool);
    // Drops everything; by-reference parts end with `code`. `out` has room for them.
    void drop(int code, csploop_id id, BlockPool &pool, Completions &out);
    size_t heap_bytes() const;

private:
    enum class Kind : uint8_t { staged, owned, reference };
    struct Part {
        const uint8_t *data;
        size_t length;
        Kind kind;
        csploop_fn fn = nullptr;
        uint64_t token = 0;
        size_t total = 0; // of a reference
        Block block{};    // of an owned part
    };
    void fill_last(const uint8_t *data, size_t length);
    void finish(Part &part, int64_t result, csploop_id id, BlockPool &pool, Completions &out);

    std::vector<Part> parts_;
    size_t head_ = 0;
    size_t bytes_ = 0;
    size_t staged_ = 0; // how many staged parts there are
    size_t references_ = 0;
};

} // namespace csploop
