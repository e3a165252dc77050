// The I/O of datagram sockets: what a turn does when they are ready, and how unsent datagrams go out.
#include "datagram_set.hpp"

#include <csploop/error.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <new>
#include <sys/un.h>

namespace csploop {

namespace {

// Of one socket in one turn, so that a flood leaves room for others.
constexpr int most_received = 256;
constexpr int most_sent = 1024;
// Between attempts to send to a receiver that is full, of which the descriptor does not tell.
constexpr int64_t first_pause_ns = 1000000;
constexpr int64_t longest_pause_ns = 16 * first_pause_ns;

constexpr size_t filled_up(size_t length) {
    return (length + 7) & ~size_t{7};
}

// Where a datagram is received: room for the longest address, so that the datagram itself has its final place
// when the address is that long, as it always is for IP.
constexpr size_t address_room(int family) {
    switch (family) {
    case AF_INET:
        return filled_up(sizeof(sockaddr_in));
    case AF_INET6:
        return filled_up(sizeof(sockaddr_in6));
    default:
        return filled_up(sizeof(sockaddr_un));
    }
}
static_assert(address_room(AF_UNIX) <= CSPLOOP_RECV_ADDRESS);

bool would_block(int code) {
    return code == -EAGAIN || code == -EWOULDBLOCK;
}

} // namespace

void DatagramSet::on_ready(csploop_id id, uint32_t events) {
    DatagramSocket *const socket = find(id);
    if (!socket || socket->closed)
        return;
    if ((events & ready::write) && socket->blocked && !socket->pausing)
        send_on(*socket);
    // What was held back goes first.
    if ((events & ready::read) && socket->reading && !socket->closing && !socket->held_waiting)
        receive(*socket);
}

void DatagramSet::retry_due() {
    const int64_t now = clock_.now();
    while (next_retry() <= now) {
        DatagramSocket *const socket = find(retries_.top().id);
        retries_.pop();
        if (!socket || !socket->pausing)
            continue; // it has been closed
        socket->pausing = false;
        send_on(*socket);
    }
}

// After a wait for the kernel to take more.
void DatagramSet::send_on(DatagramSocket &socket) {
    const size_t before = socket.unsent.count();
    socket.blocked = false;
    flush(socket);
    if (socket.closed)
        return;
    if (!socket.blocked) {
        socket.pause_ns = 0;
        // The last step is told too (flush tells the others), so that the host's own count stays true.
        if (!socket.closing && !socket.lost)
            emit_backlog(socket);
    } else if (socket.unsent.count() < before) {
        socket.pause_ns = 0;
    } else if (!clock_.simulated()) { // whose time does not pass while we wait
        // Ready, yet nothing could be sent: it would be ready again at once, and keep the loop turning.
        socket.pause_ns = std::min(socket.pause_ns ? 2 * socket.pause_ns : first_pause_ns, longest_pause_ns);
        retries_.push(clock_.now() + socket.pause_ns, socket.id);
        socket.pausing = true;
        update_watch(socket);
    }
}

void DatagramSet::receive(DatagramSocket &socket) {
    if (has_lost_fd(socket)) { // what is ready is its own file, which another descriptor keeps open
        make_room(completions_, 1);
        socket.reading = false;
        update_watch(socket);
        emit(socket, CSPLOOP_KIND_DATAGRAM_ERROR, CSPLOOP_EBADF);
        return;
    }
    const size_t address = address_room(socket.family);
    const size_t wanted = filled_up(address + socket.max_datagram);
    const size_t begin = slab_.used();
    for (int received = 0; received < most_received && slab_.used() - begin < Slab::most_read;) {
        // A slab smaller than the longest datagram serves one at a time, shortened.
        const size_t room = slab_.size() - slab_.used();
        const size_t share = std::min(wanted, slab_.size());
        if (room < share) { // it stays ready for the next turn
            if (received == 0)
                slab_.leave_out(socket.id);
            return;
        }
        sys::IncomingDatagram datagrams[sys::most_datagrams_per_call];
        const int places = static_cast<int>(std::min<size_t>(room / share, sys::most_datagrams_per_call));
        uint8_t *place = slab_.next();
        make_room(completions_, static_cast<size_t>(places) + 1); // what is received could not be put back
        for (int i = 0; i < places; ++i, place += share)
            datagrams[i] = {place, static_cast<uint32_t>(address), place + address,
                            std::min<size_t>(socket.max_datagram, share - address), false};
        const auto [count, error] = sys::receive_datagrams(socket.fd, datagrams, places);
        for (int i = 0; i < count; ++i)
            emit_received(socket, datagrams[i]);
        received += count;
        if (error && !would_block(error))
            emit(socket, CSPLOOP_KIND_DATAGRAM_ERROR, error);
        if (count < places)
            return;
    }
}

// Moves a datagram down to the slab's next free place: those of a batch end up side by side, however short.
void DatagramSet::emit_received(DatagramSocket &socket, const sys::IncomingDatagram &datagram) {
    uint8_t *const place = slab_.next();
    const size_t address = filled_up(datagram.address_length);
    std::memmove(place, datagram.address, datagram.address_length);
    if (place + address != datagram.data)
        std::memmove(place + address, datagram.data, datagram.length);
    const uint32_t offset = slab_.take(address + datagram.length);
    emit(socket, CSPLOOP_KIND_RECV, static_cast<int64_t>(datagram.length), offset + static_cast<uint32_t>(address),
         static_cast<uint16_t>(datagram.address_length | (datagram.truncated ? CSPLOOP_RECV_TRUNCATED : 0)));
}

void DatagramSet::deliver_held() {
    if (held_.empty())
        return;
    size_t most = 0;
    for (const csploop_id id : held_)
        if (const DatagramSocket *const socket = find(id))
            most += socket->held.size();
    make_room(completions_, most); // all of them or, for lack of memory, none yet
    size_t kept = 0;
    for (const csploop_id id : held_) {
        DatagramSocket *const socket = find(id);
        if (!socket)
            continue;
        socket->held_waiting = false;
        socket->put_back = 0;
        if (socket->closing || !socket->reading)
            continue;
        size_t done = 0;
        for (const DatagramSocket::Held &held : socket->held) {
            if (slab_.size() - slab_.used() < held.bytes.size())
                break;
            std::memcpy(slab_.next(), held.bytes.data(), held.bytes.size());
            const uint32_t offset = slab_.take(held.bytes.size());
            emit(*socket, CSPLOOP_KIND_RECV, held.length,
                 offset + static_cast<uint32_t>(held.bytes.size()) - held.length, held.flags);
            ++done;
        }
        socket->held.erase(socket->held.begin(), socket->held.begin() + static_cast<std::ptrdiff_t>(done));
        if (!socket->held.empty()) {
            socket->held_waiting = true; // the rest comes with the next batch
            held_[kept++] = id;
        }
    }
    held_.resize(kept);
}

void DatagramSet::deliver_owed() {
    if (!owing_)
        return;
    sockets_.for_each([&](csploop_id, std::unique_ptr<DatagramSocket> &socket) {
        if (!socket->lost)
            return;
        make_room(completions_, socket->lost + size_t{1});
        tell_lost(*socket);
        if (!socket->closing)
            emit_backlog(*socket); // it has shrunk
        else if (!socket->closed && socket->unsent.empty())
            finish_close(*socket);
    });
    owing_ = false;
}

void DatagramSet::flush_dirty() {
    flushing_.swap(dirty_);
    for (const csploop_id id : flushing_) {
        DatagramSocket *const socket = find(id);
        if (socket && socket->dirty)
            flush(*socket);
    }
    flushing_.clear();
}

void DatagramSet::flush(DatagramSocket &socket) {
    socket.dirty = false;
    if (socket.closed)
        return;
    try {
        send(socket);
    } catch (const std::bad_alloc &) { // what is staged cannot stay where it is
        lose_unsent(socket, CSPLOOP_ENOMEM);
        update_watch(socket);
    }
}

// Telling the host may have to wait for memory, too.
void DatagramSet::lose_unsent(DatagramSocket &socket, int code) {
    socket.lost += static_cast<uint32_t>(socket.unsent.count());
    socket.lost_code = code;
    socket.unsent.clear();
    socket.blocked = false;
    owing_ = true;
}

void DatagramSet::emit_backlog(const DatagramSocket &socket) {
    emit(socket, CSPLOOP_KIND_BACKLOG, static_cast<int64_t>(socket.unsent.bytes()),
         static_cast<uint32_t>(socket.unsent.count()));
}

void DatagramSet::tell_lost(DatagramSocket &socket) {
    for (; socket.lost > 0; --socket.lost)
        emit(socket, CSPLOOP_KIND_DATAGRAM_ERROR, socket.lost_code);
}

// Lacks memory only where nothing is half done: a datagram is in the queue or has been told of.
void DatagramSet::send(DatagramSocket &socket) {
    const size_t most_records = 3 + socket.lost; // of a round of the loop and of what comes behind it
    make_room(completions_, most_records);
    if (!socket.unsent.empty() && has_lost_fd(socket)) {
        lose_unsent(socket, CSPLOOP_EBADF);
        update_watch(socket);
        return;
    }
    for (int done = 0; !socket.unsent.empty() && !socket.blocked;) {
        make_room(completions_, most_records);
        sys::OutgoingDatagram datagrams[sys::most_datagrams_per_call];
        const int wanted = socket.unsent.gather(datagrams, sys::most_datagrams_per_call);
        const auto [count, error] = sys::send_datagrams(socket.fd, datagrams, wanted);
        socket.unsent.drop(static_cast<size_t>(count));
        done += count;
        if (would_block(error) || (done >= most_sent && !socket.unsent.empty())) {
            socket.blocked = true;
        } else if (error) { // of one datagram: it is lost, those behind it go on
            socket.unsent.drop(1);
            ++done;
            emit(socket, CSPLOOP_KIND_DATAGRAM_ERROR, error);
        }
    }
    if (socket.blocked) {
        socket.unsent.own_staged();
        if (!socket.closing)
            emit_backlog(socket);
    }
    if (const int code = update_watch(socket)) {
        lose_unsent(socket, code); // nothing will tell when the socket takes more
        return;
    }
    if (socket.closing && socket.unsent.empty())
        finish_close(socket);
}

} // namespace csploop
