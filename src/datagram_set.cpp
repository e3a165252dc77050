#include "datagram_set.hpp"

#include <csploop/error.h>
#include <csploop/stream.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>
#include <utility>

namespace csploop {

namespace {

constexpr uint32_t longest_udp = 64 * 1024;
constexpr uint32_t longest_unix = 256 * 1024;

size_t filled_up(size_t length) {
    return (length + 7) & ~size_t{7};
}

} // namespace

DatagramSet::DatagramSet(Poller &poller, const Clock &clock, FdSet &fds, Completions &completions, Slab &slab)
    : poller_(poller), clock_(clock), fds_(fds), completions_(completions), slab_(slab) {}

DatagramSocket *DatagramSet::find(csploop_id id) {
    auto *const entry = sockets_.find(id);
    return entry ? entry->get() : nullptr;
}

void DatagramSet::emit(const DatagramSocket &socket, uint16_t kind, int64_t result, uint32_t offset, uint16_t flags) {
    completions_.push_back(completion(kind, socket.id, socket.fn, socket.arg, result, offset, flags));
}

int DatagramSet::bind(csploop_id *out, const sys::Address &address, const csploop_udp_options &options, csploop_fn fn,
                      void *arg) {
    const int fd = sys::open_datagram_socket(address.family());
    if (fd < 0)
        return fd;
    sys::FdGuard guard(fd);
    int code = 0;
    if (options.flags & CSPLOOP_UDP_REUSEADDR)
        code = sys::set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!code && (options.flags & CSPLOOP_UDP_REUSEPORT))
        code = sys::set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!code && address.family() == AF_INET6)
        code = sys::set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, (options.flags & CSPLOOP_UDP_V6ONLY) ? 1 : 0);
    if (!code && ::bind(fd, address.get(), address.length) < 0)
        code = -errno;
    if (!code) {
        csploop_udp_options own = options;
        own.flags &= ~static_cast<uint32_t>(CSPLOOP_UDP_KEEP_FD);
        code = insert(out, fd, own, fn, arg);
    }
    if (!code)
        guard.release();
    return code;
}

int DatagramSet::adopt(csploop_id *out, int fd, const csploop_udp_options &options, csploop_fn fn, void *arg) {
    if (fds_.in_use(fd))
        return CSPLOOP_EEXIST;
    csploop_id id = 0;
    if (const int code = insert(&id, fd, options, fn, arg))
        return code;
    find(id)->trust.give(options.flags & CSPLOOP_UDP_VOUCHED);
    if (out)
        *out = id;
    return 0;
}

// On failure the descriptor stays the caller's.
int DatagramSet::insert(csploop_id *out, int fd, const csploop_udp_options &options, csploop_fn fn, void *arg) {
    const int family = sys::datagram_family(fd);
    if (family < 0)
        return family;
    if (options.flags & CSPLOOP_UDP_BROADCAST)
        if (const int code = sys::set_flag(fd, SOL_SOCKET, SO_BROADCAST, 1))
            return code;
    if (const int code = sys::set_nonblocking(fd))
        return code;
    auto socket = std::make_unique<DatagramSocket>();
    DatagramSocket &entry = *socket;
    entry.fd = fd;
    entry.fn = fn;
    entry.arg = arg;
    entry.family = family;
    entry.keep_fd = options.flags & CSPLOOP_UDP_KEEP_FD;
    if (options.high_water)
        entry.high_water = options.high_water;
    entry.max_datagram = options.max_datagram ? options.max_datagram : family == AF_UNIX ? longest_unix : longest_udp;
    fds_.make_room(fd);
    const csploop_id id = sockets_.insert(std::move(socket));
    if (!id)
        return CSPLOOP_ENOMEM;
    entry.id = id;
    if (fds_.has(fd))
        poller_.remove(fd); // its last owner's, who lost it without telling us
    fds_.take(fd, id);
    if (out)
        *out = id;
    return 0;
}

// As for streams: a socket that waits for nothing is not registered at all.
int DatagramSet::watch(DatagramSocket &socket, uint32_t events) {
    if (events == socket.registered)
        return 0;
    if (fds_.owner(socket.fd) != socket.id) { // closed behind our back, and the number is another's
        socket.registered = 0;
        return events ? CSPLOOP_EBADF : 0;
    }
    int code = 0;
    if (events == 0)
        poller_.remove(socket.fd);
    else if (socket.registered == 0)
        // The poller would take whatever has the number now.
        code = fds_.holds(socket.fd, socket.id) ? poller_.add(socket.fd, events, socket.id)
                                                : static_cast<int>(CSPLOOP_EBADF);
    else
        code = poller_.modify(socket.fd, events, socket.id);
    if (code == 0)
        socket.registered = events;
    return code;
}

int DatagramSet::update_watch(DatagramSocket &socket) {
    if (socket.closed)
        return 0;
    return watch(socket, (socket.reading && !socket.closing ? ready::read : 0) |
                             (socket.blocked && !socket.pausing ? ready::write : 0));
}

int DatagramSet::connect(csploop_id id, const sys::Address &address) {
    const DatagramSocket *const socket = find(id);
    if (!socket || socket->closing)
        return CSPLOOP_EBADID;
    if (socket->family != address.family())
        return CSPLOOP_EINVAL;
    return fds_.holds(socket->fd, id) ? sys::connect(socket->fd, address) : static_cast<int>(CSPLOOP_EBADF);
}

int DatagramSet::read_start(csploop_id id) {
    DatagramSocket *const socket = find(id);
    if (!socket || socket->closing)
        return CSPLOOP_EBADID;
    if (socket->reading)
        return 0;
    make_room(held_, 1);
    socket->reading = true;
    if (const int code = update_watch(*socket)) {
        socket->reading = false;
        return code;
    }
    if (!socket->held.empty() && !socket->held_waiting) {
        socket->held_waiting = true;
        held_.push_back(id);
    }
    return 0;
}

int DatagramSet::read_stop(csploop_id id) {
    DatagramSocket *const socket = find(id);
    if (!socket || socket->closing)
        return CSPLOOP_EBADID;
    socket->reading = false;
    return update_watch(*socket);
}

// Comes before what is to be sent: an error then leaves nothing behind.
void DatagramSet::mark_dirty(DatagramSocket &socket) {
    if (socket.dirty || socket.blocked)
        return;
    dirty_.push_back(socket.id);
    socket.dirty = true;
}

int DatagramSet::send_copied(csploop_id id, const void *address, size_t address_length, const void *data,
                             size_t length) {
    // No system sends longer ones than UINT32_MAX; a negative length would look like one.
    if ((!data && length) || length > UINT32_MAX || address_length > sizeof(sockaddr_storage) ||
        (!address && address_length))
        return CSPLOOP_EINVAL;
    DatagramSocket *const socket = find(id);
    if (!socket)
        return CSPLOOP_EBADID;
    if (socket->closing)
        return CSPLOOP_EPIPE;
    mark_dirty(*socket);
    socket->unsent.copy(static_cast<const uint8_t *>(address), static_cast<uint32_t>(address_length),
                        static_cast<const uint8_t *>(data), length);
    if (socket->dirty && socket->unsent.bytes() > socket->high_water)
        flush(*socket);
    return 0;
}

int DatagramSet::send_staged(csploop_id id, const uint8_t *address, uint32_t address_length, size_t length) {
    if (address_length > sizeof(sockaddr_storage) || length > UINT32_MAX)
        return CSPLOOP_EINVAL;
    DatagramSocket *const socket = find(id);
    if (!socket)
        return CSPLOOP_EBADID;
    if (socket->closing)
        return CSPLOOP_EPIPE;
    mark_dirty(*socket);
    if (socket->blocked)
        socket->unsent.copy(address, address_length, address + address_length, length);
    else
        socket->unsent.stage(address, address_length, length);
    return 0;
}

int64_t DatagramSet::flush_now(csploop_id id) {
    DatagramSocket *const socket = find(id);
    if (!socket)
        return CSPLOOP_EBADID;
    if (!socket->blocked && !socket->closed)
        flush(*socket);
    return static_cast<int64_t>(socket->unsent.bytes());
}

int DatagramSet::close(csploop_id id, uint32_t flags) {
    DatagramSocket *const socket = find(id);
    if (!socket)
        return CSPLOOP_EBADID;
    if (flags > CSPLOOP_CLOSE_ABORT)
        return CSPLOOP_EINVAL;
    if (socket->closed || (socket->closing && flags == CSPLOOP_CLOSE_DRAIN))
        return CSPLOOP_EALREADY;
    // What was sent before goes out first, as far as the kernel takes it at once.
    if (flags == CSPLOOP_CLOSE_ABORT && socket->dirty)
        flush(*socket);
    make_room(completions_, socket->lost + socket->unsent.count() + 2);
    socket->closing = true;
    socket->reading = false;
    socket->held.clear();
    if (flags == CSPLOOP_CLOSE_ABORT)
        socket->unsent.clear();
    else if (!socket->unsent.empty() && !fds_.holds(socket->fd, id)) // nobody would tell when it can be sent
        lose_unsent(*socket, CSPLOOP_EBADF);
    if (socket->unsent.empty())
        finish_close(*socket);
    else
        update_watch(*socket);
    return 0;
}

// The end of a socket: nothing of it is left but the CLOSED record on its way.
void DatagramSet::finish_close(DatagramSocket &socket) {
    if (socket.closed)
        return;
    const int fd = socket.fd;
    const bool keep = socket.keep_fd;
    socket.closed = true;
    socket.blocked = false;
    release_fd(socket);
    tell_lost(socket);
    emit(socket, CSPLOOP_KIND_CLOSED, keep ? fd : -1);
}

void DatagramSet::release_fd(DatagramSocket &socket) {
    if (socket.fd < 0)
        return;
    watch(socket, 0);
    const bool close_it = !socket.keep_fd && fds_.holds(socket.fd, socket.id);
    fds_.release(socket.fd, socket.id);
    if (close_it)
        sys::close(socket.fd);
    socket.fd = -1;
}

bool DatagramSet::deliverable(const Completion &item) {
    DatagramSocket *const socket = find(item.record.id);
    if (!socket)
        return false;
    const csploop_record &record = item.record;
    if (record.kind == CSPLOOP_KIND_CLOSED || record.kind == CSPLOOP_KIND_DATAGRAM_ERROR)
        return true;
    if (socket->closing)
        return false;
    // Once one is held back, so are those behind it, also if reading has started again.
    if (record.kind != CSPLOOP_KIND_RECV || (socket->reading && socket->put_back == 0))
        return true;
    const size_t address = filled_up(record.flags & CSPLOOP_RECV_ADDRESS);
    const uint8_t *const data = slab_.data() + record.offset;
    // What is held already came after it.
    socket->held.insert(socket->held.begin() + static_cast<std::ptrdiff_t>(socket->put_back),
                        {std::vector<uint8_t>(data - address, data + record.result),
                         static_cast<uint32_t>(record.result), record.flags});
    ++socket->put_back;
    return false;
}

void DatagramSet::delivered(const csploop_record &record) {
    if (record.kind == CSPLOOP_KIND_CLOSED)
        sockets_.erase(record.id);
}

void DatagramSet::close_all() {
    sockets_.for_each([&](csploop_id, std::unique_ptr<DatagramSocket> &socket) { release_fd(*socket); });
    sockets_.clear();
    dirty_.clear();
    held_.clear();
    retries_.clear();
}

size_t DatagramSet::heap_bytes() {
    size_t total = sizeof *this + sockets_.heap_bytes() + retries_.heap_bytes() +
                   (dirty_.capacity() + flushing_.capacity() + held_.capacity()) * sizeof(csploop_id);
    sockets_.for_each([&](csploop_id, std::unique_ptr<DatagramSocket> &socket) {
        total += sizeof(DatagramSocket) + socket->unsent.heap_bytes();
        for (const DatagramSocket::Held &held : socket->held)
            total += sizeof held + held.bytes.capacity();
    });
    return total;
}

} // namespace csploop
