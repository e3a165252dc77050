// A loop's life: references, threads, closing.
#include "loop.hpp"

#include <csploop/error.h>

namespace csploop {

namespace {

// Its address names the thread: cheaper than asking for the thread's id.
const void *this_thread() {
    static thread_local char mark;
    return &mark;
}

size_t slab_bytes(const csploop_options &options) {
    return options.slab_bytes ? options.slab_bytes : size_t{1} << 20;
}

} // namespace

Loop::Loop(std::unique_ptr<Poller> poller, const csploop_options &options)
    : poller_(std::move(poller)), clock_(options.clock, options.start_ns), watchers_(*poller_, fds_, completions_),
      streams_(*poller_, fds_, completions_, slab_bytes(options)) {}

Loop::~Loop() = default;

void Loop::unref() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return;
    if (!closed())
        close();
    release();
}

void Loop::release() {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1)
        delete static_cast<csploop_loop *>(this);
}

bool Loop::owned_by_this_thread() const {
    return owner_.load(std::memory_order_acquire) == this_thread();
}

bool Loop::usable_from_this_thread() const {
    const void *const owner = owner_.load(std::memory_order_acquire);
    return owner == nullptr || owner == this_thread();
}

int Loop::attach() {
    const void *nobody = nullptr;
    if (!owner_.compare_exchange_strong(nobody, this_thread(), std::memory_order_acq_rel) && nobody != this_thread())
        return CSPLOOP_EBUSY;
    ++attach_count_;
    return 0;
}

int Loop::detach() {
    if (!owned_by_this_thread())
        return CSPLOOP_ETHREAD;
    if (--attach_count_ == 0)
        owner_.store(nullptr, std::memory_order_release);
    return 0;
}

int Loop::close() {
    if (closed())
        return 0;
    const bool in_child = forked();
    if (!in_child) {
        flush_dirty();
        // From here on any-thread calls answer ECLOSED, and none is inside the poller.
        const std::lock_guard lock(posts_mutex_);
        waker_.close();
        std::vector<Post>().swap(posts_);
    } else {
        // No lock: its holder may not exist in this process. First let go of what the parent shares.
        poller_->abandon();
        waker_.abandon();
    }
    wall_alarm_.close(in_child ? nullptr : poller_.get());
    abandon_bridges();
    watchers_.close_all();
    if (datagrams_)
        datagrams_->close_all();
    streams_.close_all();
    poller_->close();
    timers_.clear();
    fds_.clear();
    Completions().swap(completions_);
    Completions().swap(current_);
    Completions().swap(waiting_);
    Completions().swap(refused_);
    current_head_ = waiting_head_ = 0;
    std::vector<Post>().swap(taken_posts_);
    attach_count_ = 0;
    owner_.store(nullptr, std::memory_order_release);
    return 0;
}

int Loop::add_bridge(Bridge &bridge) {
    make_room(active_bridges_, bridges_.live() + 1 - active_bridges_.size()); // so that a turn can list them all
    const csploop_id id = bridges_.insert(&bridge);
    if (!id)
        return CSPLOOP_ENOMEM;
    bridge.set_id(id);
    return 0;
}

void Loop::abandon_bridges() {
    const bool in_child = forked();
    bridges_.for_each([&](csploop_id, Bridge *bridge) {
        if (!in_child)
            bridge->abandon();
        bridge->release();
    });
    bridges_.clear();
    std::vector<Bridge *>().swap(active_bridges_);
    drop_signaled_bridges();
}

size_t Loop::heap_bytes() {
    const std::lock_guard lock(posts_mutex_); // other threads may be posting
    return sizeof(csploop_loop) + poller_->heap_bytes() +
           (completions_.capacity() + current_.capacity() + waiting_.capacity() + refused_.capacity()) *
               sizeof(Completion) +
           timers_.heap_bytes() + watchers_.heap_bytes() + streams_.heap_bytes() +
           (datagrams_ ? datagrams_->heap_bytes() : 0) + fds_.heap_bytes() + bridges_.heap_bytes() +
           active_bridges_.capacity() * sizeof(Bridge *) + (posts_.capacity() + taken_posts_.capacity()) * sizeof(Post);
}

} // namespace csploop
