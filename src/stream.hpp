// A stream or a listener: its descriptor and where it stands. The behaviour is in StreamSet.
#pragma once

#include "fd_set.hpp"
#include "poller.hpp"
#include "write_queue.hpp"

#include <csploop/stream.h>

#include <cstdint>
#include <vector>

namespace csploop {

struct Stream {
    csploop_id id = 0;
    csploop_fn fn = nullptr;
    void *arg = nullptr;
    int fd = -1;
    uint32_t registered = 0; // events the poller has for fd; 0: not registered
    uint32_t high_water = 65536;
    int32_t backlog = 128;  // listeners
    uint32_t read_turn = 0; // the turn of its last READ
    uint8_t read_mode = CSPLOOP_READ_SLAB;
    Trust trust;

    bool listener : 1 = false;
    bool is_socket : 1 = true;
    bool keep_fd : 1 = false;
    bool accept_keep_fd : 1 = false;
    bool accept_nodelay : 1 = false;
    bool announced : 1 = true; // false: accepted, and nobody knows yet
    bool connecting : 1 = false;
    bool reading : 1 = false; // listeners: accepting
    bool eof : 1 = false;
    bool broken : 1 = false;
    bool lost_fd : 1 = false; // ... because the descriptor was closed behind our back
    bool closing : 1 = false;
    bool closed : 1 = false;       // CLOSED is on its way
    bool drain_failed : 1 = false; // it broke while closing still had bytes to send
    bool blocked : 1 = false;      // waits for the kernel to take more
    bool dirty : 1 = false;        // in the list of streams with unsent bytes
    bool shutdown_wanted : 1 = false;
    bool shutdown_done : 1 = false;
    bool held_waiting : 1 = false; // in the list of those whose held data is due
    bool owes_error : 1 = false;   // it broke for lack of memory, also for the records that tell of it

    WriteQueue unsent;
    // What came after the host stopped reading, in the middle of a turn.
    std::vector<uint8_t> held_data;
    uint16_t held_end = 0; // CSPLOOP_KIND_EOF or CSPLOOP_KIND_READABLE held back, or 0
};

} // namespace csploop
