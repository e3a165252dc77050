// All datagram sockets of one loop.
//
// Everything here runs on the loop's thread. Completions go to the loop's
// list; nothing here calls the host. The read slab is the streams'.
#pragma once

#include "clock.hpp"
#include "completions.hpp"
#include "datagram_socket.hpp"
#include "fd_set.hpp"
#include "ids.hpp"
#include "poller.hpp"
#include "send_queue.hpp"
#include "slab.hpp"
#include "timer_heap.hpp"

#include <csploop/udp.h>

#include <memory>
#include <vector>

namespace csploop {

struct DatagramSocket {
    csploop_id id = 0;
    csploop_fn fn = nullptr;
    void *arg = nullptr;
    int fd = -1;
    int family = 0;
    uint32_t registered = 0; // events the poller has for fd; 0: not registered
    uint32_t high_water = 65536;
    uint32_t max_datagram = 65536;

    bool keep_fd : 1 = false;
    bool reading : 1 = false;
    bool closing : 1 = false;
    bool closed : 1 = false;       // CLOSED is on its way
    bool blocked : 1 = false;      // waits for the kernel to take more
    bool pausing : 1 = false;      // ... but not by its descriptor: in the list of retries
    bool dirty : 1 = false;        // in the list of sockets with unsent datagrams
    bool held_waiting : 1 = false; // in the list of those whose held datagrams are due

    Trust trust;
    uint32_t lost = 0; // datagrams that could not be kept, and whose records are owed
    int lost_code = 0;
    int64_t pause_ns = 0; // the last one before a retry; 0: the descriptor can be believed
    SendQueue unsent;
    // What came after the host stopped reading, in the middle of a turn.
    struct Held {
        std::vector<uint8_t> bytes; // address, filled up, and datagram
        uint32_t length;
        uint16_t flags;
    };
    std::vector<Held> held;
    size_t put_back = 0; // of held: those that the present batch brought, in front
};

class DatagramSet {
public:
    DatagramSet(Poller &poller, const Clock &clock, FdSet &fds, Completions &completions, Slab &slab);
    DatagramSet(const DatagramSet &) = delete;
    DatagramSet &operator=(const DatagramSet &) = delete;

    // -- what the host asks (datagram_set.cpp) -------------------------------------
    int bind(csploop_id *out, const sys::Address &address, const csploop_udp_options &options, csploop_fn fn,
             void *arg);
    int adopt(csploop_id *out, int fd, const csploop_udp_options &options, csploop_fn fn, void *arg);
    DatagramSocket *find(csploop_id id);
    int connect(csploop_id id, const sys::Address &address);
    int read_start(csploop_id id);
    int read_stop(csploop_id id);
    int send_copied(csploop_id id, const void *address, size_t address_length, const void *data, size_t length);
    int send_staged(csploop_id id, const uint8_t *address, uint32_t address_length, size_t length);
    int64_t flush_now(csploop_id id);
    int close(csploop_id id, uint32_t flags);

    // -- what the turn asks (datagram_io.cpp) -----------------------------------------
    void deliver_held();
    // Tells of datagrams that were lost when there was no memory even for that.
    void deliver_owed();
    void on_ready(csploop_id id, uint32_t events);
    // Nothing stays staged. Datagrams for which memory lacks are lost, with ENOMEM; the others go on.
    void flush_dirty();
    // A socket that is ready to send, but not to where the next datagram goes (Unix, unconnected), is tried again
    // after a pause, in the loop's time; INT64_MAX: none is.
    int64_t next_retry() const { return retries_.empty() ? INT64_MAX : retries_.top().deadline; }
    void retry_due();
    bool has_unsent() const { return !dirty_.empty(); }
    bool has_held() const { return !held_.empty() || owing_; }
    size_t dirty_count() const { return dirty_.size(); }

    // -- delivery (datagram_set.cpp) --------------------------------------------------
    // Whether this record may still reach the host; if not, it has been dealt with.
    bool deliverable(const Completion &item);
    // It has reached the host.
    void delivered(const csploop_record &record);

    void close_all();
    size_t heap_bytes();

private:
    void emit(const DatagramSocket &socket, uint16_t kind, int64_t result, uint32_t offset = 0, uint16_t flags = 0);
    int insert(csploop_id *out, int fd, const csploop_udp_options &options, csploop_fn fn, void *arg);
    int watch(DatagramSocket &socket, uint32_t events);
    int update_watch(DatagramSocket &socket);
    void release_fd(DatagramSocket &socket);
    bool has_lost_fd(DatagramSocket &socket) { return socket.trust.is_due() && !fds_.holds(socket.fd, socket.id); }
    void mark_dirty(DatagramSocket &socket);
    void flush(DatagramSocket &socket);
    void send(DatagramSocket &socket);
    void lose_unsent(DatagramSocket &socket, int code);
    void tell_lost(DatagramSocket &socket);
    void emit_backlog(const DatagramSocket &socket);
    void send_on(DatagramSocket &socket);
    void finish_close(DatagramSocket &socket);
    void receive(DatagramSocket &socket);
    void emit_received(DatagramSocket &socket, const sys::IncomingDatagram &datagram);

    Poller &poller_;
    const Clock &clock_;
    FdSet &fds_;
    Completions &completions_;
    Slab &slab_;
    SlotTable<std::unique_ptr<DatagramSocket>, IdKind::datagram> sockets_;
    std::vector<csploop_id> dirty_;
    std::vector<csploop_id> flushing_; // dirty_'s spare
    std::vector<csploop_id> held_;
    TimerHeap retries_;
    bool owing_ = false; // a socket has lost datagrams that are to be told
};

} // namespace csploop
