// The one interface to whatever tells us that descriptors are ready.
//
// Two implementations pass the same tests: epoll (src/linux) and libuv's
// uv_poll (src/uv). Everything but ring() belongs to the loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace csploop {

namespace ready {
inline constexpr uint32_t read = 1;
inline constexpr uint32_t write = 2;
inline constexpr uint32_t edge = 4;
} // namespace ready

struct Ready {
    uint64_t tag;
    uint32_t events;
};

class Poller {
public:
    // Tags that are not ids.
    static constexpr uint64_t tag_wake = 0;
    static constexpr uint64_t tag_wall = 1;

    virtual ~Poller() = default;
    virtual int add(int fd, uint32_t events, uint64_t tag) = 0;
    virtual int modify(int fd, uint32_t events, uint64_t tag) = 0;
    // Forgets fd; no event of its tag is reported from here on by this poller.
    virtual void remove(int fd) = 0;
    // Waits (timeout_ns < 0: without limit) and returns how many of `out` it filled, or an error code.
    // An interrupted wait returns 0.
    virtual int wait(int64_t timeout_ns, Ready *out, int capacity) = 0;
    // Ends a wait. Any thread, signal-safe.
    virtual void ring() noexcept = 0;
    virtual int backend_fd() const = 0;
    // Whether it has work that backend_fd does not show.
    virtual bool wants_turn() const { return false; }
    // Ends it; only the destructor may follow.
    virtual void close() = 0;
    // In a forked child, before close: lets go of the kernel objects shared with the parent without changing them.
    virtual void abandon() = 0;
    virtual int kind() const = 0;
    virtual size_t heap_bytes() const = 0;
};

// `error` receives the reason when the result is null.
std::unique_ptr<Poller> make_poller(uint32_t kind, int &error); // per system
std::unique_ptr<Poller> make_uv_poller(int &error);             // src/uv

} // namespace csploop
