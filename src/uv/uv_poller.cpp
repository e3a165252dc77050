// The poller on every other system, and on Linux in the tests: libuv's uv_poll.
//
// libuv registers descriptors lazily and aborts the process when that fails at
// its next turn. So each registration here is followed by a turn of libuv that
// does not wait, before the host can close the descriptor; what it reports
// meanwhile is kept for our next wait.
#include "open_file.hpp"
#include "poller.hpp"

#include <csploop/error.h>
#include <csploop/options.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <new>
#include <unistd.h>
#include <unordered_map>
#include <uv.h>
#include <vector>

namespace csploop {

namespace {

int to_uv(uint32_t events) {
    return ((events & ready::read) ? UV_READABLE : 0) | ((events & ready::write) ? UV_WRITABLE : 0);
}

class UvPoller final : public Poller {
public:
    int open() {
        if (const int code = look_for_descriptors())
            return code;
        loop_.backend_fd = -1;
        if (const int code = uv_loop_init(&loop_)) {
            // libuv before 1.51 leaves it open then, the later ones say -1.
            if (loop_.backend_fd >= 0)
                ::close(loop_.backend_fd);
            return code;
        }
        open_ = true;
        if (const int code = uv_async_init(&loop_, &wake_, [](uv_async_t *) {}))
            return code;
        if (const int code = uv_timer_init(&loop_, &timer_))
            return code;
        turn(); // so that the wake-up is registered before anyone watches backend_fd
        return 0;
    }

    ~UvPoller() override { close(); }

    void close() override {
        if (!open_)
            return;
        open_ = false;
        uv_walk(
            &loop_,
            [](uv_handle_t *handle, void *) {
                if (!uv_is_closing(handle))
                    uv_close(handle, handle->type == UV_POLL ? free_watch : nullptr);
            },
            nullptr);
        while (uv_run(&loop_, UV_RUN_DEFAULT)) {
        }
        uv_loop_close(&loop_);
    }

    int add(int fd, uint32_t events, uint64_t tag) override {
        try {
            return add_watch(fd, events, tag);
        } catch (const std::bad_alloc &) { // a code, as libuv answers; so who calls has one way to take back
            return CSPLOOP_ENOMEM;
        }
    }

    int modify(int fd, uint32_t events, uint64_t tag) override {
        const auto found = watches_.find(fd);
        if (found == watches_.end())
            return CSPLOOP_EBADF;
        Watch &watch = *found->second;
        if (!watch.file.is_at(fd))
            return CSPLOOP_EBADF;
        watch.tag = tag;
        watch.wanted = watch.armed = events;
        if (const int code = start(watch))
            return code;
        turn();
        return 0;
    }

    void remove(int fd) override {
        const auto found = watches_.find(fd);
        if (found == watches_.end())
            return;
        Watch *const watch = found->second;
        watches_.erase(found);
        forget(watch->tag);
        watch->poller = nullptr;
        uv_poll_stop(&watch->handle);
        uv_close(reinterpret_cast<uv_handle_t *>(&watch->handle), free_watch);
    }

    int wait(int64_t timeout_ns, Ready *out, int capacity) override {
        for (auto &[fd, watch] : watches_)
            if (watch->stopped_by_error && watch->file.is_at(fd))
                start(*watch);
        if (timeout_ns == 0 || !pending_.empty()) {
            turn();
        } else {
            if (timeout_ns > 0) {
                uv_update_time(&loop_);
                // One more than rounding up: libuv counts from the start of a millisecond.
                const uint64_t milliseconds = static_cast<uint64_t>(timeout_ns / 1000000) + 1;
                // It repeats: uv_run fires what is due before it waits, and with no timer left would wait for ever.
                uv_timer_start(
                    &timer_, [](uv_timer_t *) {}, milliseconds, 1);
            }
            uv_run(&loop_, UV_RUN_ONCE);
            uv_timer_stop(&timer_);
            if (restarted_)
                turn();
        }
        const size_t count = std::min(pending_.size(), static_cast<size_t>(capacity));
        std::copy_n(pending_.begin(), count, out);
        pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
        return static_cast<int>(count);
    }

    void ring() noexcept override {
        const int saved = errno; // a signal handler must leave errno as it was
        uv_async_send(&wake_);
        errno = saved;
    }
    int backend_fd() const override { return uv_backend_fd(&loop_); }
    bool wants_turn() const override { return !pending_.empty() || uv_backend_timeout(&loop_) == 0; }
    void abandon() override { uv_loop_fork(&loop_); }
    int kind() const override { return CSPLOOP_POLLER_UV; }
    size_t heap_bytes() const override {
        return sizeof *this + pending_.capacity() * sizeof(Ready) +
               watches_.size() * (sizeof(Watch) + 2 * sizeof(void *));
    }

private:
    struct Watch {
        uv_poll_t handle{};
        UvPoller *poller = nullptr;
        uint64_t tag = 0;
        uint32_t wanted = 0; // what the loop asked for
        uint32_t armed = 0;  // what of it is reported still: EDGE events go silent once reported
        bool stopped_by_error = false;
        OpenFile file; // libuv would register whatever else has the number now, and could abort on it
    };

    // Where libuv finds none for its signals' pipes it aborts the process, so there must be as many as it opens for a
    // process's first loop, and some to spare: 6 in libuv 1.44, 7 in 1.53.
    static int look_for_descriptors() {
        constexpr int most_pipes = 5;
        int fds[2 * most_pipes];
        int opened = 0;
        int code = 0;
        while (opened < 2 * most_pipes && code == 0) {
            if (::pipe(fds + opened) == 0)
                opened += 2;
            else
                code = -errno;
        }
        while (opened > 0)
            ::close(fds[--opened]);
        return code;
    }

    int add_watch(int fd, uint32_t events, uint64_t tag) {
        if (watches_.count(fd))
            return CSPLOOP_EEXIST;
        const int descriptor_flags = ::fcntl(fd, F_GETFL);
        if (descriptor_flags < 0)
            return -errno;
        auto watch = std::make_unique<Watch>();
        // At most one event waits for each descriptor: reporting, which libuv calls, cannot lack memory then.
        if (pending_.capacity() <= watches_.size())
            pending_.reserve(2 * watches_.size() + 1);
        const auto place = watches_.emplace(fd, nullptr).first;
        if (const int code = uv_poll_init(&loop_, &watch->handle, fd)) {
            watches_.erase(place);
            return code;
        }
        // uv_poll_init makes the descriptor non-blocking; it is the owner's to decide.
        if (!(descriptor_flags & O_NONBLOCK))
            ::fcntl(fd, F_SETFL, descriptor_flags);
        Watch *const entry = watch.release(); // freed by its close callback
        entry->poller = this;
        entry->handle.data = entry;
        entry->file = OpenFile(fd);
        entry->tag = tag;
        entry->wanted = entry->armed = events;
        place->second = entry;
        if (const int code = start(*entry)) {
            remove(fd);
            return code;
        }
        turn();
        return 0;
    }

    static void free_watch(uv_handle_t *handle) { delete static_cast<Watch *>(handle->data); }

    static void on_ready(uv_poll_t *handle, int status, int uv_events) {
        Watch &watch = *static_cast<Watch *>(handle->data);
        if (watch.poller)
            watch.poller->report(watch, status, uv_events);
    }

    void report(Watch &watch, int status, int uv_events) {
        uint32_t events = ((uv_events & (UV_READABLE | UV_DISCONNECT)) ? ready::read : 0) |
                          ((uv_events & UV_WRITABLE) ? ready::write : 0);
        if (status < 0) {
            // libuv stops a handle whose descriptor has an error; the owner shall see it, and again until it acts.
            events = ready::read | ready::write;
            watch.stopped_by_error = true;
        }
        events &= watch.armed;
        if (!events)
            return;
        const auto known =
            std::find_if(pending_.begin(), pending_.end(), [&](const Ready &item) { return item.tag == watch.tag; });
        if (known != pending_.end())
            known->events |= events;
        else
            pending_.push_back({watch.tag, events});
        if (watch.wanted & ready::edge) {
            watch.armed &= ~events;
            start(watch);
            restarted_ = true;
        }
    }

    int start(Watch &watch) {
        watch.stopped_by_error = false;
        const int events = to_uv(watch.armed);
        return events ? uv_poll_start(&watch.handle, events, on_ready) : uv_poll_stop(&watch.handle);
    }

    // Until nothing is left to register. It ends: a report that restarts a watch takes an event from it.
    void turn() {
        do {
            restarted_ = false;
            uv_run(&loop_, UV_RUN_NOWAIT);
        } while (restarted_);
    }

    void forget(uint64_t tag) {
        pending_.erase(
            std::remove_if(pending_.begin(), pending_.end(), [tag](const Ready &item) { return item.tag == tag; }),
            pending_.end());
    }

    uv_loop_t loop_{};
    uv_async_t wake_{};
    uv_timer_t timer_{};
    bool open_ = false;
    bool restarted_ = false; // a watch, while libuv reported: it is registered with libuv's next turn only
    std::unordered_map<int, Watch *> watches_;
    std::vector<Ready> pending_;
};

} // namespace

std::unique_ptr<Poller> make_uv_poller(int &error) {
    auto poller = std::make_unique<UvPoller>();
    error = poller->open();
    if (error)
        return nullptr;
    return poller;
}

} // namespace csploop
