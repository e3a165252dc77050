#include "guard.hpp"

#include <csploop/bridge.h>

// What the C ABI calls a bridge.
struct csploop_bridge final : csploop::Bridge {
    using csploop::Bridge::Bridge;
};

using namespace csploop::capi;

int csploop_bridge_new(csploop_t *loop, csploop_bridge_t **out, const csploop_bridge_options *options, csploop_fn fn,
                       void *arg) {
    if (!out)
        return CSPLOOP_EINVAL;
    *out = nullptr;
    return on_loop(loop, [&](csploop_t &l) {
        csploop_bridge_options own = CSPLOOP_BRIDGE_OPTIONS_INIT;
        if (const int code = read_options(own, options))
            return code;
        constexpr uint32_t most_record = 1 << 20;
        constexpr uint32_t most_capacity = 1 << 24;
        if (own.policy > CSPLOOP_BRIDGE_DROP_OLDEST || own.record_size > most_record || own.capacity > most_capacity)
            return static_cast<int>(CSPLOOP_EINVAL);
        auto bridge = std::make_unique<csploop_bridge>(l, own, fn, arg);
        if (const int code = l.add_bridge(*bridge))
            return code;
        *out = bridge.release();
        return 0;
    });
}

int csploop_bridge_push(csploop_bridge_t *bridge, const void *data, size_t length) {
    if (!bridge)
        return CSPLOOP_EINVAL;
    if (bridge->forked())
        return CSPLOOP_ECHILD;
    return guard([&] { return bridge->push(data, length); });
}

int csploop_bridge_push_many(csploop_bridge_t *bridge, uint32_t *out_records, const void *records, uint32_t count) {
    if (out_records)
        *out_records = 0;
    if (!bridge)
        return CSPLOOP_EINVAL;
    if (bridge->forked())
        return CSPLOOP_ECHILD;
    uint32_t taken = 0;
    const int code = guard([&] { return bridge->push_many(taken, records, count); });
    if (out_records)
        *out_records = taken;
    return code;
}

int csploop_bridge_drain(csploop_bridge_t *bridge, uint32_t *out_items, size_t *out_bytes, void *buffer,
                         size_t buffer_bytes) {
    if (!bridge || (!buffer && buffer_bytes))
        return CSPLOOP_EINVAL;
    if (bridge->forked())
        return CSPLOOP_ECHILD;
    if (!bridge->loop().usable_from_this_thread())
        return CSPLOOP_ETHREAD;
    return guard([&] { return bridge->drain(out_items, out_bytes, buffer, buffer_bytes); });
}

int csploop_bridge_close(csploop_bridge_t *bridge) {
    if (!bridge)
        return CSPLOOP_EINVAL;
    if (bridge->forked())
        return CSPLOOP_ECHILD;
    return guard([&] {
        bridge->close();
        return 0;
    });
}

int csploop_bridge_stats(const csploop_bridge_t *bridge, csploop_bridge_counts *out) {
    if (!bridge || !out || out->size < sizeof out->size)
        return CSPLOOP_EINVAL;
    csploop_bridge_counts counts{};
    bridge->stats(counts);
    counts.size = out->size;
    std::memcpy(out, &counts, out->size < sizeof counts ? out->size : sizeof counts);
    return 0;
}

csploop_id csploop_bridge_id(const csploop_bridge_t *bridge) {
    return bridge ? bridge->id() : 0;
}

csploop_bridge_t *csploop_bridge_ref(csploop_bridge_t *bridge) {
    if (bridge)
        bridge->ref();
    return bridge;
}

csploop_bridge_t *csploop_bridge_unref(csploop_bridge_t *bridge) {
    if (bridge)
        guard([&] {
            bridge->unref();
            return 0;
        });
    return nullptr;
}
