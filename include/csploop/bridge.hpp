// csploop/bridge.hpp - a C++20 owner of one reference to a bridge; csploop.hpp includes it and makes bridges.
//
// Any-thread but for drain, which is loop-thread. Destroying one drops its reference.
#ifndef CSPLOOP_BRIDGE_HPP
#define CSPLOOP_BRIDGE_HPP

#include <csploop/bridge.h>
#include <csploop/result.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

namespace csploop {
inline namespace v0 {

// One reference to a bridge. share() gives producers their own.
class Bridge {
public:
    struct Drained {
        uint32_t items;
        size_t bytes;
    };
    explicit Bridge(csploop_bridge_t *owned) noexcept : bridge_(owned) {}
    Bridge share() const noexcept { return Bridge(csploop_bridge_ref(capi())); }
    csploop_bridge_t *capi() const noexcept { return bridge_.get(); }
    csploop_id id() const noexcept { return csploop_bridge_id(capi()); }
    Result<void> push(std::span<const std::byte> item) const noexcept {
        return detail::result_of(csploop_bridge_push(capi(), item.data(), item.size()));
    }
    Result<void> push(std::string_view item) const noexcept { return push(std::as_bytes(std::span(item))); }
    template <class T>
    requires(std::is_trivially_copyable_v<T> &&
             !std::is_convertible_v<T, std::string_view>) Result<void> push(const T &record)
    const noexcept { return push(std::as_bytes(std::span(&record, 1))); }
    // taken: how many of them went in, also after an error.
    template <class T>
    requires std::is_trivially_copyable_v<T> Result<void> push_many(std::span<const T> records,
                                                                    uint32_t *taken = nullptr)
    const noexcept {
        if (records.size() > UINT32_MAX) {
            if (taken)
                *taken = 0;
            return Error(CSPLOOP_EINVAL);
        }
        return detail::result_of(csploop_bridge_push_many(capi(), taken, records.data(),
                                                          static_cast<uint32_t>(records.size())));
    }
    // After EMSGSIZE, ask for the needed size with csploop_bridge_drain itself.
    Result<Drained> drain(std::span<std::byte> buffer) const noexcept {
        Drained drained{0, 0};
        const int code = csploop_bridge_drain(capi(), &drained.items, &drained.bytes, buffer.data(), buffer.size());
        return code < 0 ? Result<Drained>(Error(code)) : Result<Drained>(drained);
    }
    Result<void> close() const noexcept { return detail::result_of(csploop_bridge_close(capi())); }
    csploop_bridge_counts counts() const noexcept {
        csploop_bridge_counts counts{};
        counts.size = sizeof counts;
        csploop_bridge_stats(capi(), &counts);
        return counts;
    }

private:
    struct Unref {
        void operator()(csploop_bridge_t *bridge) const noexcept { csploop_bridge_unref(bridge); }
    };
    std::unique_ptr<csploop_bridge_t, Unref> bridge_;
};

} // namespace v0
} // namespace csploop
#endif
