// csploop/csploop.hpp - C++20 owners over the C ABI. Header-only; stands on csploop.h and nothing else.
//
// Loop and Bridge own one reference each; capi() gives the handle for whatever is not wrapped here.
// Callables are kept until their last record and may capture anything. One that throws stops the loop, and
// run() or turn() throws its exception on; the others of that turn still run.
// Threads as in the C headers: post, stop, wake and all of Bridge but drain are any-thread, the rest is loop-thread.
// Destroy a Loop on its own thread and not from inside one of its callables.
#ifndef CSPLOOP_CSPLOOP_HPP
#define CSPLOOP_CSPLOOP_HPP

#include <chrono>
#include <csploop.h>
#include <csploop/bridge.hpp>
#include <csploop/result.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>

// The inline namespace gives these classes symbols of their own, whatever else is linked in.
namespace csploop {
inline namespace v0 {

using Handler = std::function<void(const csploop_record &)>;
using Options = csploop_options;
using StreamOptions = csploop_stream_options;
using UdpOptions = csploop_udp_options;

namespace detail {
// The callables of one loop. A box is what `arg` points to; it goes with the last record that can come to it.
class Boxes {
public:
    struct Box {
        Boxes *owner;
        std::shared_ptr<Handler> handler; // shared, because a callable may replace or remove itself while it runs
    };
    static std::unique_ptr<Box> make(Boxes *owner, std::shared_ptr<Handler> handler) {
        return std::make_unique<Box>(Box{owner, std::move(handler)});
    }
    // noexcept: with the registration made, there is no way back from a lack of memory.
    void keep(csploop_id id, std::unique_ptr<Box> box) noexcept { named_[id] = std::move(box); }
    void drop(csploop_id id) noexcept { auto going = named_.extract(id); }
    // Boxes without an id of their own, from any thread: posts and by-reference writes.
    Box *keep_loose(std::unique_ptr<Box> box) {
        std::lock_guard lock(mutex_);
        Box *key = box.get();
        loose_.emplace(key, std::move(box));
        return key;
    }
    // What goes may call us again as it is destroyed, so it goes when we are done.
    void drop_loose(Box *box) noexcept {
        decltype(loose_)::node_type going;
        std::lock_guard lock(mutex_);
        going = loose_.extract(box);
    }
    void drop_all() noexcept {
        auto named = std::exchange(named_, {});
        decltype(loose_) loose;
        std::lock_guard lock(mutex_);
        loose.swap(loose_);
    }
    void rethrow() {
        if (auto thrown = std::exchange(thrown_, nullptr))
            std::rethrow_exception(thrown);
    }

    static void call(csploop_t *loop, const csploop_record *record, void *arg) noexcept {
        auto *box = static_cast<Box *>(arg);
        Boxes *boxes = box->owner;
        const std::shared_ptr<Handler> handler = box->handler;
        switch (record->kind) {
        case CSPLOOP_KIND_POST:
        case CSPLOOP_KIND_WRITTEN:
            boxes->drop_loose(box);
            break;
        case CSPLOOP_KIND_SOON:
        case CSPLOOP_KIND_TIMER:
        case CSPLOOP_KIND_CLOSED:
            boxes->drop(record->id);
            break;
        case CSPLOOP_KIND_ACCEPT:
            boxes->inherit(loop, *record, handler);
            break;
        default:
            break;
        }
        try {
            (*handler)(*record);
        } catch (...) {
            if (!boxes->thrown_)
                boxes->thrown_ = std::current_exception();
            csploop_stop(loop);
        }
    }

private:
    // An accepted stream gets a box of its own, because it may outlive its listener.
    void inherit(csploop_t *loop, const csploop_record &record, const std::shared_ptr<Handler> &handler) noexcept {
        if (record.result < 0)
            return;
        const auto id = static_cast<csploop_id>(record.result);
        auto box = make(this, handler);
        if (csploop_stream_set_handler(loop, id, &call, box.get()) == 0)
            keep(id, std::move(box));
    }

    std::unordered_map<csploop_id, std::unique_ptr<Box>> named_;
    std::mutex mutex_;
    std::unordered_map<Box *, std::unique_ptr<Box>> loose_;
    std::exception_ptr thrown_;
};
} // namespace detail

class Loop {
public:
    static Result<Loop> make(const Options &options = defaults) {
        csploop_t *handle = nullptr;
        const int code = csploop_new(&handle, &options);
        return code < 0 ? Result<Loop>(Error(code)) : Result<Loop>(Loop(handle));
    }
    Loop(Loop &&) noexcept = default;
    Loop &operator=(Loop &&other) noexcept {
        if (this != &other) {
            end();
            loop_ = std::move(other.loop_);
            boxes_ = std::move(other.boxes_);
        }
        return *this;
    }
    ~Loop() { end(); }
    csploop_t *capi() const noexcept { return loop_.get(); }

    Result<void> close() noexcept {
        const int code = csploop_close(capi());
        if (code == 0)
            boxes_->drop_all();
        return detail::result_of(code);
    }
    Result<void> run(csploop_run_mode mode = CSPLOOP_RUN_FOREVER) { return done(csploop_run(capi(), mode)); }
    Result<int> turn(csploop_batch *batch = nullptr, std::chrono::nanoseconds timeout = std::chrono::nanoseconds(-1)) {
        const int code = csploop_turn(capi(), batch, timeout.count());
        boxes_->rethrow();
        return code < 0 ? Result<int>(Error(code)) : Result<int>(code);
    }
    Result<void> stop() const noexcept { return detail::result_of(csploop_stop(capi())); }
    Result<void> wake() const noexcept { return detail::result_of(csploop_wake(capi())); }
    int64_t now() const noexcept { return csploop_now(capi()); }

    Result<csploop_id> call_soon(Handler fn) { return named(std::move(fn), csploop_call_soon); }
    Result<csploop_id> call_later(std::chrono::nanoseconds delay, Handler fn) {
        return named(std::move(fn), csploop_call_later, int64_t{delay.count()});
    }
    Result<csploop_id> call_at(int64_t when_ns, Handler fn) { return named(std::move(fn), csploop_call_at, when_ns); }
    Result<csploop_id> call_at_wall(int64_t wall_ns, Handler fn) {
        return named(std::move(fn), csploop_call_at_wall, wall_ns);
    }
    Result<void> cancel(csploop_id id) {
        const int code = csploop_cancel(capi(), id);
        if (code == 0)
            boxes_->drop(id);
        return detail::result_of(code);
    }
    Result<void> post(Handler fn) {
        return loose(std::move(fn), [this](auto call, void *arg) { return csploop_post(capi(), call, arg); });
    }

    Result<csploop_id> watch(int fd, unsigned events, Handler fn) {
        return named(std::move(fn), csploop_watch, fd, events);
    }
    Result<void> unwatch(csploop_id id) {
        const int code = csploop_unwatch(capi(), id);
        if (code == 0)
            boxes_->drop(id);
        return detail::result_of(code);
    }

    // The handlers of listeners and streams get every record of theirs, CLOSED last; an accepted stream
    // starts with its listener's.
    Result<csploop_id> tcp_listen(const char *host, int port, Handler fn, StreamOptions options = stream_defaults) {
        return named(std::move(fn), csploop_tcp_listen, host, port, &options);
    }
    Result<csploop_id> unix_listen(const char *path, Handler fn, StreamOptions options = stream_defaults) {
        return named(std::move(fn), csploop_unix_listen, path, &options);
    }
    Result<csploop_id> tcp_connect(const char *host, int port, Handler fn, StreamOptions options = stream_defaults) {
        return named(std::move(fn), csploop_tcp_connect, host, port, &options);
    }
    Result<csploop_id> unix_connect(const char *path, Handler fn, StreamOptions options = stream_defaults) {
        return named(std::move(fn), csploop_unix_connect, path, &options);
    }
    Result<csploop_id> adopt(int fd, Handler fn, StreamOptions options = stream_defaults) {
        return named(std::move(fn), csploop_stream_adopt, fd, &options);
    }
    Result<void> set_handler(csploop_id id, Handler fn) {
        auto box = boxed(std::move(fn));
        const int code = csploop_stream_set_handler(capi(), id, &detail::Boxes::call, box.get());
        if (code == 0)
            boxes_->keep(id, std::move(box));
        return detail::result_of(code);
    }
    Result<void> read_start(csploop_id id, csploop_read_mode mode = CSPLOOP_READ_SLAB) {
        return detail::result_of(csploop_stream_read_start(capi(), id, mode));
    }
    Result<void> read_stop(csploop_id id) { return detail::result_of(csploop_stream_read_stop(capi(), id)); }
    // What a READ or RECV record brought; valid until the next turn.
    std::string_view bytes(const csploop_record &read) const noexcept {
        const auto *slab = static_cast<const char *>(csploop_slab(capi(), nullptr));
        return {slab + read.offset, static_cast<size_t>(read.result)};
    }
    Result<void> write(csploop_id id, std::string_view data) {
        return detail::result_of(csploop_stream_write(capi(), id, data.data(), data.size()));
    }
    // data stays the caller's and unchanged until fn gets its WRITTEN record.
    Result<void> write_ref(csploop_id id, std::string_view data, Handler fn) {
        return loose(std::move(fn), [&](auto call, void *arg) {
            return csploop_stream_write_ref(capi(), id, data.data(), data.size(), call, arg);
        });
    }
    Result<void> shutdown(csploop_id id) { return detail::result_of(csploop_stream_shutdown(capi(), id)); }
    Result<void> close_stream(csploop_id id, csploop_close_flags flags = CSPLOOP_CLOSE_DRAIN) {
        return detail::result_of(csploop_stream_close(capi(), id, flags));
    }

    // The handler of a datagram socket gets RECV, DATAGRAM_ERROR and BACKLOG, and CLOSED last.
    Result<csploop_id> udp_bind(const char *host, int port, Handler fn, UdpOptions options = udp_defaults) {
        return named(std::move(fn), csploop_udp_bind, host, port, &options);
    }
    Result<csploop_id> udp_adopt(int fd, Handler fn, UdpOptions options = udp_defaults) {
        return named(std::move(fn), csploop_udp_adopt, fd, &options);
    }
    Result<void> udp_connect(csploop_id id, const char *host, int port) {
        return detail::result_of(csploop_udp_connect(capi(), id, host, port));
    }
    Result<void> udp_read_start(csploop_id id) { return detail::result_of(csploop_udp_read_start(capi(), id)); }
    Result<void> udp_read_stop(csploop_id id) { return detail::result_of(csploop_udp_read_stop(capi(), id)); }
    // Who sent a RECV record's datagram: a struct sockaddr, good for send_to; valid until the next turn.
    std::span<const std::byte> sender(const csploop_record &received) const noexcept {
        uint32_t length = 0;
        const void *address = csploop_udp_sender(capi(), &received, &length);
        return {static_cast<const std::byte *>(address), address ? length : 0};
    }
    Result<void> send(csploop_id id, std::string_view data) {
        return detail::result_of(csploop_udp_send(capi(), id, data.data(), data.size()));
    }
    Result<void> send_to(csploop_id id, std::string_view data, std::span<const std::byte> address) {
        return detail::result_of(
            csploop_udp_send_to(capi(), id, data.data(), data.size(), address.data(), address.size()));
    }
    Result<void> close_udp(csploop_id id, csploop_close_flags flags = CSPLOOP_CLOSE_DRAIN) {
        return detail::result_of(csploop_udp_close(capi(), id, flags));
    }

    // fn gets a BRIDGE record when there is something to drain, and CLOSED in the end.
    Result<Bridge> bridge(const csploop_bridge_options &options, Handler fn) {
        auto box = boxed(std::move(fn));
        csploop_bridge_t *bridge = nullptr;
        const int code = csploop_bridge_new(capi(), &bridge, &options, &detail::Boxes::call, box.get());
        if (code < 0)
            return Error(code);
        boxes_->keep(csploop_bridge_id(bridge), std::move(box));
        return Bridge(bridge);
    }

private:
    static constexpr Options defaults{sizeof(Options), 0, 0, 0, 0, 0};
    static constexpr StreamOptions stream_defaults{sizeof(StreamOptions), 0, 0, 0};
    static constexpr UdpOptions udp_defaults{sizeof(UdpOptions), 0, 0, 0};
    struct Unref {
        void operator()(csploop_t *loop) const noexcept { csploop_unref(loop); }
    };
    // The loop goes before its callables: until it is closed, records may still point to them, and what they hold
    // may call it as it goes.
    void end() noexcept {
        if (!loop_)
            return;
        csploop_close(capi());
        boxes_->drop_all();
    }

    explicit Loop(csploop_t *owned) : loop_(owned), boxes_(std::make_unique<detail::Boxes>()) {}
    std::unique_ptr<detail::Boxes::Box> boxed(Handler fn) {
        return detail::Boxes::make(boxes_.get(), std::make_shared<Handler>(std::move(fn)));
    }
    template <class Start, class... Args>
    Result<csploop_id> named(Handler fn, Start start, Args... args) {
        auto box = boxed(std::move(fn));
        csploop_id id = 0;
        const int code = start(capi(), &id, args..., &detail::Boxes::call, box.get());
        if (code < 0)
            return Error(code);
        boxes_->keep(id, std::move(box));
        return id;
    }
    template <class Start>
    Result<void> loose(Handler fn, Start start) {
        auto *box = boxes_->keep_loose(boxed(std::move(fn)));
        const int code = start(&detail::Boxes::call, static_cast<void *>(box));
        if (code < 0)
            boxes_->drop_loose(box);
        return detail::result_of(code);
    }
    Result<void> done(int code) {
        boxes_->rethrow();
        return detail::result_of(code);
    }

    std::unique_ptr<csploop_t, Unref> loop_;
    std::unique_ptr<detail::Boxes> boxes_;
};

} // namespace v0
} // namespace csploop
#endif
