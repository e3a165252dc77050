#include "stream_set.hpp"

#include <csploop/error.h>

#include <cstdint>
#include <utility>

namespace csploop {

namespace {

// A length above PTRDIFF_MAX is a negative number that somebody passed as a size; the kernel takes no such vector.
bool bad_range(const void *data, size_t length) {
    return (!data && length) || length > PTRDIFF_MAX;
}

} // namespace

StreamSet::StreamSet(Poller &poller, FdSet &fds, Completions &completions, size_t slab_bytes)
    : poller_(poller), fds_(fds), completions_(completions), slab_(slab_bytes) {}

void StreamSet::emit(const Stream &stream, uint16_t kind, int64_t result, uint32_t offset) {
    completions_.push_back(completion(kind, stream.id, stream.fn, stream.arg, result, offset));
}

// On failure the descriptor stays the caller's.
int StreamSet::insert(csploop_id *out, std::unique_ptr<Stream> stream) {
    Stream *const entry = stream.get();
    const int fd = entry->fd;
    fds_.make_room(fd);
    const csploop_id id = streams_.insert(std::move(stream));
    if (!id)
        return CSPLOOP_ENOMEM;
    entry->id = id;
    if (fds_.has(fd))
        poller_.remove(fd); // its last owner's, who lost it without telling us
    fds_.take(fd, id);
    if (out)
        *out = id;
    return 0;
}

// A stream that waits for nothing is not registered at all: the kernel reports
// errors and hang-ups even to those who asked for no event, turn after turn.
int StreamSet::watch(Stream &stream, uint32_t events) {
    if (events == stream.registered)
        return 0;
    if (fds_.owner(stream.fd) != stream.id) { // closed behind our back, and the number is another's
        stream.registered = 0;
        return events ? CSPLOOP_EBADF : 0;
    }
    int code = 0;
    if (events == 0)
        poller_.remove(stream.fd);
    else if (stream.registered == 0)
        // The poller would take whatever has the number now.
        code = fds_.holds(stream.fd, stream.id) ? poller_.add(stream.fd, events, stream.id)
                                                : static_cast<int>(CSPLOOP_EBADF);
    else
        code = poller_.modify(stream.fd, events, stream.id);
    if (code == 0)
        stream.registered = events;
    return code;
}

int StreamSet::update_watch(Stream &stream) {
    uint32_t events = 0;
    if (stream.reading && !stream.eof && !stream.broken && !stream.connecting && !stream.closing)
        events |= ready::read;
    if (stream.connecting || (stream.blocked && !stream.broken))
        events |= ready::write;
    return watch(stream, events);
}

int StreamSet::set_handler(csploop_id id, csploop_fn fn, void *arg) {
    Stream *const stream = find(id);
    if (!stream)
        return CSPLOOP_EBADID;
    stream->fn = fn;
    stream->arg = arg;
    return 0;
}

int StreamSet::accepting(csploop_id id, bool on) {
    Stream *const stream = find(id);
    if (!stream || stream->closing)
        return CSPLOOP_EBADID;
    if (!stream->listener)
        return CSPLOOP_EINVAL;
    stream->reading = on;
    const int code = update_watch(*stream);
    if (code)
        stream->reading = false;
    return code;
}

int StreamSet::read_start(csploop_id id, uint32_t mode) {
    Stream *const stream = find(id);
    if (!stream || stream->closing)
        return CSPLOOP_EBADID;
    if (stream->listener || mode > CSPLOOP_READ_READY)
        return CSPLOOP_EINVAL;
    const bool held = !stream->held_data.empty() || stream->held_end;
    if (stream->connecting || (stream->eof && !held))
        return CSPLOOP_ENOTCONN;
    stream->read_mode = static_cast<uint8_t>(mode);
    if (stream->reading)
        return 0;
    make_room(held_, 1);
    stream->reading = true;
    if (const int code = update_watch(*stream)) {
        stream->reading = false;
        return code;
    }
    if (held && !stream->held_waiting) {
        stream->held_waiting = true;
        held_.push_back(id);
    }
    return 0;
}

int StreamSet::read_stop(csploop_id id) {
    Stream *const stream = find(id);
    if (!stream || stream->closing)
        return CSPLOOP_EBADID;
    if (stream->listener)
        return CSPLOOP_EINVAL;
    if (stream->connecting)
        return CSPLOOP_ENOTCONN;
    stream->reading = false;
    return update_watch(*stream);
}

int StreamSet::check_writable(Stream *stream) const {
    if (!stream)
        return CSPLOOP_EBADID;
    if (stream->listener)
        return CSPLOOP_EINVAL;
    if (stream->lost_fd)
        return CSPLOOP_EBADF;
    if (stream->closing || stream->broken || stream->shutdown_wanted)
        return CSPLOOP_EPIPE;
    return 0;
}

// Comes before what is to be sent: an error then leaves nothing behind.
void StreamSet::mark_dirty(Stream &stream) {
    if (stream.dirty || !sendable(stream))
        return;
    dirty_.push_back(stream.id);
    stream.dirty = true;
}

int StreamSet::write_copied(csploop_id id, const void *data, size_t length) {
    if (bad_range(data, length))
        return CSPLOOP_EINVAL;
    Stream *const stream = find(id);
    if (const int code = check_writable(stream))
        return code;
    if (length == 0)
        return 0;
    const auto *const bytes = static_cast<const uint8_t *>(data);
    if (sendable(*stream) && stream->unsent.bytes() + length > stream->high_water) {
        // So much goes out at once, from where it lies; only what the kernel does not take is copied.
        make_room_for(*stream);
        stream->unsent.stage(bytes, length);
        flush(*stream);
        return 0;
    }
    mark_dirty(*stream);
    stream->unsent.copy(bytes, length, pool_);
    return 0;
}

int StreamSet::write_staged(csploop_id id, const void *data, size_t length) {
    Stream *const stream = find(id);
    if (const int code = check_writable(stream))
        return code;
    if (length == 0)
        return 0;
    mark_dirty(*stream);
    if (sendable(*stream))
        stream->unsent.stage(static_cast<const uint8_t *>(data), length);
    else
        stream->unsent.copy(static_cast<const uint8_t *>(data), length, pool_);
    return 0;
}

int StreamSet::write_reference(csploop_id id, const void *data, size_t length, csploop_fn fn, uint64_t token) {
    if (bad_range(data, length))
        return CSPLOOP_EINVAL;
    Stream *const stream = find(id);
    if (const int code = check_writable(stream))
        return code;
    mark_dirty(*stream);
    stream->unsent.reference(static_cast<const uint8_t *>(data), length, fn, token);
    return 0;
}

int64_t StreamSet::flush_now(csploop_id id) {
    Stream *const stream = find(id);
    if (!stream)
        return CSPLOOP_EBADID;
    if (stream->listener)
        return CSPLOOP_EINVAL;
    if (sendable(*stream) && !stream->broken && !stream->closed)
        flush(*stream);
    return static_cast<int64_t>(stream->unsent.bytes());
}

int StreamSet::shutdown(csploop_id id) {
    Stream *const stream = find(id);
    if (const int code = check_writable(stream))
        return code;
    mark_dirty(*stream);
    stream->shutdown_wanted = true;
    return 0;
}

int StreamSet::close(csploop_id id, uint32_t flags) {
    Stream *const stream = find(id);
    if (!stream)
        return CSPLOOP_EBADID;
    if (flags > CSPLOOP_CLOSE_RESET)
        return CSPLOOP_EINVAL;
    if (stream->closed || (stream->closing && flags == CSPLOOP_CLOSE_DRAIN))
        return CSPLOOP_EALREADY;
    make_room_for(*stream);
    // What was written before goes out first, as far as the kernel takes it at once.
    if (flags == CSPLOOP_CLOSE_ABORT && stream->dirty)
        flush(*stream);
    stream->closing = true;
    stream->reading = false;
    stream->owes_error = false;
    std::vector<uint8_t>().swap(stream->held_data);
    stream->held_end = 0;
    if (flags == CSPLOOP_CLOSE_RESET && fds_.holds(stream->fd, id))
        sys::reset_on_close(stream->fd);
    if (flags != CSPLOOP_CLOSE_DRAIN || stream->broken || stream->connecting || stream->listener)
        stream->unsent.drop(CSPLOOP_ECANCELED, id, pool_, completions_);
    // A connection that is still being made has nothing to end in good order.
    const bool shutdown_due =
        stream->shutdown_wanted && !stream->shutdown_done && !stream->broken && !stream->connecting;
    if (stream->unsent.empty() && !shutdown_due)
        finish_close(*stream);
    else if (!stream->unsent.empty() && !fds_.holds(stream->fd, id)) // nobody would tell when it can be sent
        fail(*stream, CSPLOOP_EBADF);
    else
        update_watch(*stream);
    return 0;
}

// The end of a stream: nothing of it is left but the CLOSED record on its way.
void StreamSet::finish_close(Stream &stream) {
    if (stream.closed)
        return;
    stream.closed = true;
    stream.connecting = stream.blocked = false;
    const int fd = stream.fd;
    const bool keep = stream.keep_fd;
    release_fd(stream);
    emit(stream, CSPLOOP_KIND_CLOSED, keep ? fd : -1);
}

void StreamSet::release_fd(Stream &stream) {
    if (stream.fd < 0)
        return;
    watch(stream, 0);
    const bool close_it = (!stream.keep_fd || !stream.announced) && fds_.holds(stream.fd, stream.id);
    fds_.release(stream.fd, stream.id);
    if (close_it)
        sys::close(stream.fd);
    stream.fd = -1;
}

void StreamSet::close_all() {
    streams_.for_each([&](csploop_id, std::unique_ptr<Stream> &stream) { release_fd(*stream); });
    streams_.clear();
    dirty_.clear();
    held_.clear();
    pool_.clear();
    slab_.free();
}

size_t StreamSet::heap_bytes() {
    size_t total = slab_.heap_bytes() + pool_.heap_bytes() + streams_.heap_bytes() +
                   (dirty_.capacity() + flushing_.capacity() + held_.capacity()) * sizeof(csploop_id);
    streams_.for_each([&](csploop_id, std::unique_ptr<Stream> &stream) {
        total += sizeof(Stream) + stream->unsent.heap_bytes() + stream->held_data.capacity();
    });
    return total;
}

} // namespace csploop
