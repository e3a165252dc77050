// The I/O of streams: what a turn does when descriptors are ready, and how unsent bytes go out.
#include "stream_set.hpp"

#include <csploop/error.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

namespace csploop {

void StreamSet::on_ready(csploop_id id, uint32_t events) {
    Stream *const stream = find(id);
    if (!stream || stream->closed)
        return;
    if (stream->listener) {
        if (stream->reading)
            accept(*stream);
        return;
    }
    // Here and not later: what is sent or received could not be taken back. For lack of it the event comes again.
    make_room_for(*stream);
    if (stream->connecting) {
        finish_connect(*stream);
        return;
    }
    if ((events & ready::write) && stream->blocked) {
        stream->blocked = false;
        stream->trust.doubt();
        flush(*stream);
        // The last step is told too (flush tells the others), so that the host's own count stays true.
        if (!stream->blocked && !stream->broken && !stream->closing)
            emit(*stream, CSPLOOP_KIND_BACKLOG, 0);
    }
    if ((events & ready::read) && stream->reading && !stream->eof && !stream->broken && !stream->closing)
        read(*stream);
}

void StreamSet::read(Stream &stream) {
    // What was held back goes first, and is this batch's one READ.
    if (stream.held_waiting || stream.read_turn == turn_)
        return;
    if (stream.read_mode == CSPLOOP_READ_READY) {
        emit(stream, CSPLOOP_KIND_READABLE, 0);
        return;
    }
    const size_t share = slab_.share();
    if (share == 0) { // it stays ready for the next turn
        slab_.leave_out(stream.id);
        return;
    }
    if (has_lost_fd(stream)) { // what is ready is its own file, which another descriptor keeps open
        fail(stream, CSPLOOP_EBADF);
        return;
    }
    const int64_t count = sys::receive(stream.fd, stream.is_socket, slab_.next(), share);
    if (count > 0)
        emit_read(stream, static_cast<size_t>(count));
    else if (count == 0)
        end_of_file(stream);
    else if (count != -EAGAIN && count != -EWOULDBLOCK)
        fail(stream, static_cast<int>(count));
    else if (!fds_.holds(stream.fd, stream.id)) // ready, and yet there was nothing: that is rare enough to look
        fail(stream, CSPLOOP_EBADF);
}

// `length` bytes of it lie at the slab's next free place.
void StreamSet::emit_read(Stream &stream, size_t length) {
    stream.read_turn = turn_;
    emit(stream, CSPLOOP_KIND_READ, static_cast<int64_t>(length), slab_.take(length));
}

int64_t StreamSet::read_into(csploop_id id, void *buffer, size_t length) {
    Stream *const stream = find(id);
    if (!stream || stream->closing)
        return CSPLOOP_EBADID;
    if (stream->listener)
        return CSPLOOP_EINVAL;
    if (stream->connecting || stream->broken)
        return CSPLOOP_ENOTCONN;
    if (length == 0)
        return CSPLOOP_EINVAL; // 0 bytes would look like the end
    if (!stream->held_data.empty()) {
        const size_t count = std::min(length, stream->held_data.size());
        std::memcpy(buffer, stream->held_data.data(), count);
        stream->held_data.erase(stream->held_data.begin(),
                                stream->held_data.begin() + static_cast<std::ptrdiff_t>(count));
        return static_cast<int64_t>(count);
    }
    if (stream->eof)
        return 0;
    make_room_for(*stream);
    if (has_lost_fd(*stream)) {
        fail(*stream, CSPLOOP_EBADF);
        return CSPLOOP_EBADF;
    }
    const int64_t count = sys::receive(stream->fd, stream->is_socket, buffer, length);
    if (count == 0)
        end_of_file(*stream);
    else if (count < 0 && count != -EAGAIN && count != -EWOULDBLOCK)
        fail(*stream, static_cast<int>(count));
    return count;
}

void StreamSet::end_of_file(Stream &stream) {
    stream.eof = true;
    update_watch(stream);
    emit(stream, CSPLOOP_KIND_EOF, 0);
}

void StreamSet::finish_connect(Stream &stream) {
    make_room(dirty_, 1);
    const int code = fds_.holds(stream.fd, stream.id) ? sys::socket_error(stream.fd) : static_cast<int>(CSPLOOP_EBADF);
    if (code == -EINPROGRESS || code == -EAGAIN)
        return;
    stream.connecting = false;
    if (code) {
        stream.broken = true;
        stream.unsent.drop(code, stream.id, pool_, completions_);
    }
    update_watch(stream);
    emit(stream, CSPLOOP_KIND_CONNECT, code);
    if (!code && (!stream.unsent.empty() || stream.shutdown_wanted))
        mark_dirty(stream);
}

void StreamSet::accept(Stream &listener) {
    // accept has no flag of its own that keeps it from waiting, and who shares the socket may have changed its mode.
    int state = fds_.holds(listener.fd, listener.id) ? 0 : static_cast<int>(CSPLOOP_EBADF);
    if (!state)
        state = sys::set_nonblocking(listener.fd);
    if (state) {
        make_room(completions_, 1);
        stop_accepting(listener, state);
        return;
    }
    for (int count = 0; count < listener.backlog; ++count) {
        // Memory first: a client that was accepted cannot go back into the queue.
        make_room(completions_, 1);
        streams_.make_room(1);
        auto client = std::make_unique<Stream>();
        const int fd = sys::accept(listener.fd);
        if (fd == -EAGAIN || fd == -EWOULDBLOCK)
            return;
        if (fd == -ECONNABORTED || fd == -EINTR || fd == -EPROTO)
            continue; // that client has gone; on to the next
        if (fd < 0) {
            // No descriptors or memory left: clients wait in the kernel's queue until the host resumes.
            stop_accepting(listener, fd);
            return;
        }
        sys::FdGuard guard(fd);
        client->fd = fd;
        client->fn = listener.fn;
        client->arg = listener.arg;
        client->high_water = listener.high_water;
        client->keep_fd = listener.accept_keep_fd;
        client->announced = false;
        if (listener.accept_nodelay)
            sys::set_nodelay(fd); // a Unix socket has none, and needs none
        csploop_id id = 0;
        int code = CSPLOOP_ENOMEM;
        try {
            code = insert(&id, std::move(client));
        } catch (const std::bad_alloc &) { // how much a descriptor needs was not known before; the client is told of
        }
        if (code) {
            stop_accepting(listener, code);
            return;
        }
        guard.release();
        find(id)->trust.renew(); // it is new
        emit(listener, CSPLOOP_KIND_ACCEPT, static_cast<int64_t>(id), static_cast<uint32_t>(fd));
    }
}

void StreamSet::stop_accepting(Stream &listener, int code) {
    listener.reading = false;
    update_watch(listener);
    emit(listener, CSPLOOP_KIND_ACCEPT, code);
}

void StreamSet::flush_dirty() {
    // Streams may become dirty again while this runs only through the host, which is not called from here.
    flushing_.swap(dirty_);
    for (const csploop_id id : flushing_) {
        Stream *const stream = find(id);
        if (stream && stream->dirty)
            flush_for_sure(*stream);
    }
    flushing_.clear();
}

void StreamSet::flush_for_sure(Stream &stream) {
    try {
        flush(stream);
    } catch (const std::bad_alloc &) {
        // Nothing was sent. What is staged cannot stay where it is, so the stream breaks as if the network had broken
        // it; telling the host has to wait for memory, too.
        stream.dirty = stream.blocked = false;
        stream.broken = stream.owes_error = owing_ = true;
        watch(stream, 0);
    }
}

// Lacks memory only before it has done anything.
void StreamSet::flush(Stream &stream) {
    make_room_for(stream);
    stream.dirty = false;
    if (stream.closed || stream.broken)
        return;
    if (!stream.unsent.empty() && has_lost_fd(stream)) {
        fail(stream, CSPLOOP_EBADF);
        return;
    }
    size_t sent_now = 0;
    while (!stream.unsent.empty()) {
        iovec parts[most_parts];
        const int count = stream.unsent.gather(parts, most_parts);
        size_t offered = 0;
        for (int i = 0; i < count; ++i)
            offered += parts[i].iov_len;
        const int64_t sent = offered ? sys::send(stream.fd, stream.is_socket, parts, count) : 0;
        if (sent == -EAGAIN || sent == -EWOULDBLOCK) {
            stream.blocked = true;
            break;
        }
        if (sent < 0) {
            fail(stream, static_cast<int>(sent));
            return;
        }
        stream.unsent.consume(static_cast<size_t>(sent), stream.id, pool_, completions_);
        sent_now += static_cast<size_t>(sent);
        if (static_cast<size_t>(sent) < offered || (sent_now > most_per_flush && !stream.unsent.empty())) {
            stream.blocked = true;
            break;
        }
    }
    if (stream.blocked) {
        try {
            stream.unsent.own_staged(pool_);
        } catch (const std::bad_alloc &) { // some of it is sent already, so there is no way back
            fail(stream, CSPLOOP_ENOMEM);
            return;
        }
        if (!stream.closing)
            emit(stream, CSPLOOP_KIND_BACKLOG, static_cast<int64_t>(stream.unsent.bytes()));
    } else if (stream.shutdown_wanted && !stream.shutdown_done) {
        finish_shutdown(stream);
    }
    if (const int code = update_watch(stream)) {
        fail(stream, code);
        return;
    }
    if (stream.closing && !stream.blocked)
        finish_close(stream);
}

void StreamSet::finish_shutdown(Stream &stream) {
    stream.shutdown_done = true;
    int result = CSPLOOP_EBADF;
    if (fds_.holds(stream.fd, stream.id))
        result = ::shutdown(stream.fd, SHUT_WR) == 0 ? 0 : -errno;
    // A peer that is gone already has seen the end of the data, as was wanted.
    emit(stream, CSPLOOP_KIND_SHUTDOWN, result == -ENOTCONN ? 0 : result);
}

void StreamSet::fail(Stream &stream, int code) {
    if (stream.broken)
        return;
    stream.broken = true;
    stream.lost_fd = code == CSPLOOP_EBADF;
    stream.blocked = false;
    watch(stream, 0);
    tell_failure(stream, code);
}

void StreamSet::tell_failure(Stream &stream, int code) {
    stream.unsent.drop(code, stream.id, pool_, completions_);
    stream.drain_failed = stream.closing;
    emit(stream, CSPLOOP_KIND_ERROR, code);
    if (stream.closing)
        finish_close(stream);
}

} // namespace csploop
