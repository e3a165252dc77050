// Ids: kind, generation and slot in one 63-bit number, and the table they index.
//
// A slot's generation grows each time it is freed, so an id that outlived its
// object is recognised instead of reaching a stranger. With 33 bits one slot
// can be reused eight thousand million times; after that it is retired.
#pragma once

#include <csploop/record.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace csploop {

enum class IdKind : uint8_t { none = 0, timer = 1, stream = 2, watcher = 3, bridge = 4, datagram = 5 };

namespace id {
inline constexpr unsigned slot_bits = 26;
inline constexpr unsigned generation_bits = 33;
inline constexpr uint64_t max_slots = uint64_t{1} << slot_bits;
inline constexpr uint64_t max_generation = (uint64_t{1} << generation_bits) - 1;

constexpr csploop_id make(IdKind kind, uint64_t generation, uint64_t slot) {
    return (static_cast<uint64_t>(kind) << (slot_bits + generation_bits)) | (generation << slot_bits) | slot;
}
constexpr IdKind kind(csploop_id value) {
    return static_cast<IdKind>((value >> (slot_bits + generation_bits)) & 0xf);
}
constexpr uint64_t generation(csploop_id value) {
    return (value >> slot_bits) & max_generation;
}
constexpr uint64_t slot(csploop_id value) {
    return value & (max_slots - 1);
}
} // namespace id

// A table of T, named by ids of one kind. References into it last until the next insert.
template <class T, IdKind Kind>
class SlotTable {
public:
    // Returns 0 when the table is full.
    csploop_id insert(T value) {
        uint32_t slot;
        if (free_head_ != none) {
            slot = free_head_;
            free_head_ = slots_[slot].next_free;
        } else {
            if (slots_.size() >= id::max_slots - 1)
                return 0;
            slots_.emplace_back();
            slot = static_cast<uint32_t>(slots_.size() - 1);
        }
        Slot &entry = slots_[slot];
        entry.value = std::move(value);
        entry.live = true;
        ++live_;
        return id::make(Kind, entry.generation, slot);
    }

    T *find(csploop_id name) {
        if (id::kind(name) != Kind || (name >> 63))
            return nullptr;
        const uint64_t slot = id::slot(name);
        if (slot >= slots_.size())
            return nullptr;
        Slot &entry = slots_[slot];
        return entry.live && entry.generation == id::generation(name) ? &entry.value : nullptr;
    }

    // So that `more` inserts cannot lack memory.
    void make_room(size_t more) {
        const size_t wanted = live_ + more; // those that are free are used first
        if (wanted > slots_.capacity())
            slots_.reserve(wanted > 2 * slots_.capacity() ? wanted : 2 * slots_.capacity());
    }

    // The caller knows that `name` is live.
    void erase(csploop_id name) {
        const auto slot = static_cast<uint32_t>(id::slot(name));
        Slot &entry = slots_[slot];
        entry.value = T{};
        entry.live = false;
        --live_;
        if (entry.generation == id::max_generation)
            return; // retired for good
        ++entry.generation;
        entry.next_free = free_head_;
        free_head_ = slot;
    }

    template <class F>
    void for_each(F &&visit) {
        for (uint32_t slot = 0; slot < slots_.size(); ++slot)
            if (slots_[slot].live)
                visit(id::make(Kind, slots_[slot].generation, slot), slots_[slot].value);
    }

    void clear() {
        std::vector<Slot>().swap(slots_);
        free_head_ = none;
        live_ = 0;
    }
    size_t live() const { return live_; }
    size_t heap_bytes() const { return slots_.capacity() * sizeof(Slot); }

private:
    static constexpr uint32_t none = UINT32_MAX;
    struct Slot {
        T value{};
        uint64_t generation : id::generation_bits = 1;
        uint64_t live : 1 = 0;
        uint32_t next_free = none;
    };
    std::vector<Slot> slots_;
    uint32_t free_head_ = none;
    size_t live_ = 0;
};

} // namespace csploop
