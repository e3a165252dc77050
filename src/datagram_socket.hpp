// Non-blocking datagram calls, several datagrams with one system call where the system can.
#pragma once

#include "socket.hpp"

#include <cstddef>
#include <cstdint>

namespace csploop::sys {

struct IncomingDatagram {
    uint8_t *address;        // in: room for one of the socket's family
    uint32_t address_length; // in: how much room; out: bytes
    uint8_t *data;
    size_t length; // in: room; out: bytes
    bool truncated;
};

struct OutgoingDatagram {
    const uint8_t *address;
    uint32_t address_length; // 0: to the peer of a connected socket
    const uint8_t *data;
    size_t length;
};

inline constexpr int most_datagrams_per_call = 32;

// AF_INET, AF_INET6 or AF_UNIX of a datagram socket, or why it is none.
int datagram_family(int fd);

// How many were moved, and the error that the next one met, 0 where none is known. Where one system call moves
// many, an error behind the first is kept by the system for the next call.
struct Moved {
    int count;
    int error;
};

// Per system. `count` is at most most_datagrams_per_call.
int open_datagram_socket(int family);
Moved receive_datagrams(int fd, IncomingDatagram *datagrams, int count);
Moved send_datagrams(int fd, const OutgoingDatagram *datagrams, int count);

} // namespace csploop::sys
