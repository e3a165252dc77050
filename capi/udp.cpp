#include "sockets.hpp"

#include <csploop/stream.h>
#include <csploop/udp.h>

using namespace csploop::capi;
namespace sys = csploop::sys;

namespace {

// The options, checked.
int udp_options(csploop_udp_options &out, const csploop_udp_options *options) {
    out = CSPLOOP_UDP_OPTIONS_INIT;
    constexpr uint32_t known = CSPLOOP_UDP_REUSEADDR | CSPLOOP_UDP_REUSEPORT | CSPLOOP_UDP_V6ONLY |
                               CSPLOOP_UDP_BROADCAST | CSPLOOP_UDP_KEEP_FD | CSPLOOP_UDP_VOUCHED;
    if (const int code = read_flagged_options(out, options, known))
        return code;
    return out.max_datagram > (1u << 30) ? CSPLOOP_EINVAL : 0;
}

// A call about one socket: `body` gets it, open and not yet closed.
template <class Body>
int on_socket(csploop_t *loop, csploop_id id, Body &&body) {
    return on_loop(loop, [&](csploop_t &l) {
        csploop::DatagramSocket *const socket = l.datagrams().find(id);
        return socket && socket->fd >= 0 ? body(*socket) : static_cast<int>(CSPLOOP_EBADID);
    });
}

template <class Ask>
int address_of(csploop_t *loop, csploop_id id, char *buffer, size_t length, Ask &&ask) {
    if (!buffer)
        return CSPLOOP_EINVAL;
    return on_socket(loop, id,
                     [&](csploop::DatagramSocket &socket) { return address_text(socket.fd, buffer, length, ask); });
}

} // namespace

int csploop_udp_bind(csploop_t *loop, csploop_id *out, const char *host, int port, const csploop_udp_options *options,
                     csploop_fn fn, void *arg) {
    return on_loop(loop, [&](csploop_t &l) {
        csploop_udp_options own;
        if (const int code = udp_options(own, options))
            return code;
        sys::Address address;
        if (const int code = sys::parse_tcp_address(host, port, address))
            return code;
        return l.datagrams().bind(out, address, own, fn, arg);
    });
}

int csploop_udp_adopt(csploop_t *loop, csploop_id *out, int fd, const csploop_udp_options *options, csploop_fn fn,
                      void *arg) {
    return on_loop(loop, [&](csploop_t &l) {
        csploop_udp_options own;
        if (const int code = udp_options(own, options))
            return code;
        return l.datagrams().adopt(out, fd, own, fn, arg);
    });
}

int csploop_udp_connect(csploop_t *loop, csploop_id id, const char *host, int port) {
    return on_loop(loop, [&](csploop_t &l) {
        sys::Address address;
        if (const int code = sys::parse_tcp_address(host, port, address))
            return code;
        return l.datagrams().connect(id, address);
    });
}

int csploop_udp_read_start(csploop_t *loop, csploop_id id) {
    return on_loop(loop, [&](csploop_t &l) { return l.datagrams().read_start(id); });
}

int csploop_udp_read_stop(csploop_t *loop, csploop_id id) {
    return on_loop(loop, [&](csploop_t &l) { return l.datagrams().read_stop(id); });
}

const void *csploop_udp_sender(const csploop_t *loop, const csploop_record *record, uint32_t *out_length) {
    const bool known = loop && record && record->kind == CSPLOOP_KIND_RECV;
    const uint32_t length = known ? record->flags & CSPLOOP_RECV_ADDRESS : 0u;
    if (out_length)
        *out_length = length;
    if (!length || !loop->streams().slab().data())
        return nullptr;
    return loop->streams().slab().data() + record->offset - (length + 7) / 8 * 8;
}

int csploop_udp_address(void *out, size_t room, const char *host, int port) {
    if (!out)
        return CSPLOOP_EINVAL;
    return guard([&] {
        sys::Address address;
        if (const int code = sys::parse_tcp_address(host, port, address))
            return code;
        if (address.length > room)
            return static_cast<int>(CSPLOOP_ENOBUFS);
        std::memcpy(out, &address.storage, address.length);
        return static_cast<int>(address.length);
    });
}

int csploop_udp_send(csploop_t *loop, csploop_id id, const void *data, size_t length) {
    return on_loop(loop, [&](csploop_t &l) { return l.datagrams().send_copied(id, nullptr, 0, data, length); });
}

int csploop_udp_send_to(csploop_t *loop, csploop_id id, const void *data, size_t length, const void *address,
                        size_t address_length) {
    return on_loop(loop, [&](csploop_t &l) {
        if (!address || !address_length)
            return static_cast<int>(CSPLOOP_EINVAL);
        return l.datagrams().send_copied(id, address, address_length, data, length);
    });
}

int64_t csploop_udp_flush(csploop_t *loop, csploop_id id) {
    return on_loop(loop, [&](csploop_t &l) { return l.datagrams().flush_now(id); });
}

int64_t csploop_udp_buffered(csploop_t *loop, csploop_id id, uint32_t *out_datagrams) {
    return on_loop(loop, [&](csploop_t &l) -> int64_t {
        const csploop::DatagramSocket *const socket = l.datagrams().find(id);
        if (!socket)
            return CSPLOOP_EBADID;
        if (out_datagrams)
            *out_datagrams = static_cast<uint32_t>(socket->unsent.count());
        return static_cast<int64_t>(socket->unsent.bytes());
    });
}

int csploop_udp_close(csploop_t *loop, csploop_id id, unsigned flags) {
    return on_loop(loop, [&](csploop_t &l) { return l.datagrams().close(id, flags); });
}

int csploop_udp_fd(csploop_t *loop, csploop_id id) {
    return on_socket(loop, id, [](csploop::DatagramSocket &socket) { return socket.fd; });
}

int csploop_udp_local_address(csploop_t *loop, csploop_id id, char *buffer, size_t length) {
    return address_of(loop, id, buffer, length, sys::local_address);
}

int csploop_udp_peer_address(csploop_t *loop, csploop_id id, char *buffer, size_t length) {
    return address_of(loop, id, buffer, length, sys::peer_address);
}
