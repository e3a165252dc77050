#include "bridge.hpp"

#include "loop.hpp"

#include <csploop/error.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

namespace csploop {

Bridge::Bridge(Loop &loop, const csploop_bridge_options &options, csploop_fn callback, void *user)
    : fn(callback), arg(user), loop_(loop), policy_(options.policy), record_size_(options.record_size),
      ring_(std::bit_ceil(options.capacity ? std::max(options.capacity, 2u) : 1024u),
            options.record_size ? options.record_size : sizeof(Bytes)),
      room_() {
    loop_.hold();
}

Bridge::~Bridge() {
    if (!record_size_) {
        Bytes item;
        while (ring_.pop(&item))
            delete[] item.data;
        if (stashed_)
            delete[] stash_.data;
    }
    if (!forked())
        room_.~condition_variable();
    loop_.release();
}

Bridge *Bridge::ref() {
    host_references_.fetch_add(1, std::memory_order_relaxed);
    return this;
}

void Bridge::unref() {
    if (host_references_.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return;
    orphaned_.store(true, std::memory_order_release);
    if (!forked())
        close();
    release();
}

void Bridge::release() {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1)
        delete this;
}

bool Bridge::forked() const {
    return loop_.forked();
}

void Bridge::signal() {
    // The look is ordered after the item's own publication, the drain's look at the ring after it cleared the flag:
    // one of the two sees the other. Only the first push after a drain pays for the exchange.
    if (signaled_.load(std::memory_order_seq_cst) || signaled_.exchange(true, std::memory_order_seq_cst))
        return;
    wakes_.fetch_add(1, std::memory_order_relaxed);
    loop_.bridge_signaled(*this);
}

void Bridge::quiet() {
    // Once closed it stays set: the loop looks until it has told CLOSED, and must not hear of us after that.
    if (is_closed())
        return;
    signaled_.exchange(false, std::memory_order_seq_cst); // an exchange, to see what its setter did before
    // A push or close between the last look and the line above found signaled_ set and stayed silent.
    if (ring_.ready() || is_closed())
        signal();
}

int Bridge::push(const void *data, size_t length) {
    if (is_closed())
        return CSPLOOP_ECLOSED;
    if (record_size_) {
        if (length != record_size_ || !data)
            return CSPLOOP_EINVAL;
        return push_item(data);
    }
    if ((!data && length) || length > UINT32_MAX)
        return CSPLOOP_EINVAL;
    std::unique_ptr<uint8_t[]> copy(new uint8_t[length ? length : 1]);
    if (length)
        std::memcpy(copy.get(), data, length);
    const Bytes item{copy.get(), length};
    const int code = push_item(&item);
    if (!code)
        copy.release(); // the ring has it
    return code;
}

int Bridge::push_item(const void *item) {
    if (!ring_.push(item)) {
        int code = 0;
        switch (policy_) {
        case CSPLOOP_BRIDGE_FAIL:
            refused_.fetch_add(1, std::memory_order_relaxed);
            return CSPLOOP_EAGAIN;
        case CSPLOOP_BRIDGE_DROP_OLDEST:
            code = push_dropping(item);
            break;
        default:
            code = push_blocking(item);
        }
        if (code)
            return code;
    }
    signal();
    return 0;
}

int Bridge::push_many(uint32_t &taken, const void *records, uint32_t count) {
    taken = 0;
    if (!record_size_ || (!records && count))
        return CSPLOOP_EINVAL;
    const auto *const bytes = static_cast<const uint8_t *>(records);
    while (taken < count) {
        if (is_closed())
            return CSPLOOP_ECLOSED;
        const void *const next = bytes + size_t{taken} * record_size_;
        if (const size_t some = ring_.push_some(next, count - taken)) {
            taken += static_cast<uint32_t>(some);
            signal();
        } else if (policy_ == CSPLOOP_BRIDGE_DROP_OLDEST) {
            dropped_.fetch_add(ring_.pop_some(nullptr, count - taken), std::memory_order_relaxed);
        } else if (policy_ == CSPLOOP_BRIDGE_FAIL) {
            refused_.fetch_add(count - taken, std::memory_order_relaxed);
            return CSPLOOP_EAGAIN;
        } else if (const int code = push_blocking(next)) {
            return code;
        } else {
            ++taken;
            signal();
        }
    }
    return 0;
}

int Bridge::push_dropping(const void *item) {
    while (!ring_.push(item)) {
        if (is_closed())
            return CSPLOOP_ECLOSED;
        drop_oldest();
    }
    return 0;
}

bool Bridge::drop_oldest() {
    Bytes bytes{};
    if (!(record_size_ ? ring_.pop_some(nullptr, 1) == 1 : ring_.pop(&bytes)))
        return false;
    delete[] bytes.data;
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return true;
}

int Bridge::push_blocking(const void *item) {
    if (loop_.owned_by_this_thread())
        return CSPLOOP_EDEADLK;
    blocked_.fetch_add(1, std::memory_order_relaxed);
    std::unique_lock lock(room_mutex_);
    // Announced before the ring is tried again: whoever makes room after that try sees us and notifies.
    waiting_.fetch_add(1, std::memory_order_seq_cst);
    bool taken = false;
    while (!is_closed() && !(taken = ring_.push(item)))
        room_.wait(lock);
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    // Not asked again: what is in is in, also when somebody closes just now.
    return taken ? 0 : CSPLOOP_ECLOSED;
}

void Bridge::room_made() {
    if (waiting_.load(std::memory_order_seq_cst) == 0)
        return;
    { const std::lock_guard lock(room_mutex_); }
    room_.notify_all();
}

int Bridge::drain(uint32_t *out_items, size_t *out_bytes, void *buffer, size_t buffer_bytes) {
    auto *const out = static_cast<uint8_t *>(buffer);
    size_t used = 0;
    uint32_t items = 0;
    bool emptied = false;
    size_t needed = 0;
    if (record_size_) {
        const size_t room = std::min<size_t>(buffer_bytes / record_size_, UINT32_MAX);
        while (items < room) {
            const size_t some = ring_.pop_some(out + items * size_t{record_size_}, room - items);
            if (!some)
                break;
            items += static_cast<uint32_t>(some);
        }
        used = items * size_t{record_size_};
        emptied = !ring_.ready();
        if (!emptied && room == 0)
            needed = record_size_;
    } else {
        for (;;) {
            if (!stashed_.load(std::memory_order_relaxed)) {
                if (!ring_.pop(&stash_)) {
                    emptied = true;
                    break;
                }
                stashed_.store(true, std::memory_order_relaxed);
            }
            const size_t wanted = sizeof(uint32_t) + stash_.length;
            if (buffer_bytes - used < wanted) {
                if (items == 0)
                    needed = wanted;
                break;
            }
            const auto length = static_cast<uint32_t>(stash_.length);
            std::memcpy(out + used, &length, sizeof length);
            if (length)
                std::memcpy(out + used + sizeof length, stash_.data, length);
            delete[] stash_.data;
            stashed_.store(false, std::memory_order_relaxed);
            used += wanted;
            ++items;
        }
    }
    drained_.fetch_add(items, std::memory_order_relaxed);
    if (items)
        room_made();
    if (emptied)
        quiet();
    if (out_items)
        *out_items = items;
    if (out_bytes)
        *out_bytes = needed ? needed : used;
    return needed ? CSPLOOP_EMSGSIZE : 0;
}

void Bridge::close() {
    if (closed_.exchange(true, std::memory_order_seq_cst))
        return;
    { const std::lock_guard lock(room_mutex_); }
    room_.notify_all();
    // The loop shall hear of it even when the bridge is empty and was told nothing.
    if (!signaled_.exchange(true, std::memory_order_seq_cst))
        loop_.bridge_signaled(*this);
    else
        loop_.wake(); // it has us on its list, but may be asleep since it was drained
}

void Bridge::abandon() {
    closed_.store(true, std::memory_order_seq_cst);
    { const std::lock_guard lock(room_mutex_); }
    room_.notify_all();
    while (drop_oldest()) {
    }
    if (stashed_.exchange(false)) {
        delete[] stash_.data;
        dropped_.fetch_add(1, std::memory_order_relaxed);
    }
}

void Bridge::stats(csploop_bridge_counts &out) const {
    out.capacity = static_cast<uint32_t>(ring_.capacity());
    out.pushed = ring_.pushed();
    out.drained = drained_;
    out.dropped = dropped_;
    out.refused = refused_;
    out.blocked = blocked_;
    out.wakes = wakes_;
    out.queued = queued();
}

} // namespace csploop
