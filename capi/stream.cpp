#include "sockets.hpp"

#include <csploop/stream.h>

using namespace csploop::capi;
namespace sys = csploop::sys;

namespace {

// The options, checked.
int stream_options(csploop_stream_options &out, const csploop_stream_options *options) {
    out = CSPLOOP_STREAM_OPTIONS_INIT;
    constexpr uint32_t known = CSPLOOP_STREAM_NODELAY | CSPLOOP_LISTEN_REUSEPORT | CSPLOOP_LISTEN_V6ONLY |
                               CSPLOOP_ADOPT_KEEP_FD | CSPLOOP_ACCEPT_KEEP_FD | CSPLOOP_ADOPT_VOUCHED;
    if (const int code = read_flagged_options(out, options, known))
        return code;
    return out.backlog < 0 ? CSPLOOP_EINVAL : 0;
}

// Opens something at an address: parse it, read the options, and let `open` do it.
template <class Parse, class Open>
int open_at(csploop_t *loop, const csploop_stream_options *options, Parse &&parse, Open &&open) {
    return on_loop(loop, [&](csploop_t &l) {
        csploop_stream_options own;
        if (const int code = stream_options(own, options))
            return code;
        sys::Address address;
        if (const int code = parse(address))
            return code;
        return open(l.streams(), address, own);
    });
}

// A call about one stream: `body` gets it, open and not yet closed.
template <class Body>
int on_stream(csploop_t *loop, csploop_id id, Body &&body) {
    return on_loop(loop, [&](csploop_t &l) {
        csploop::Stream *const stream = l.streams().find(id);
        return stream && stream->fd >= 0 ? body(*stream) : static_cast<int>(CSPLOOP_EBADID);
    });
}

template <class Ask>
int address_of(csploop_t *loop, csploop_id id, char *buffer, size_t length, Ask &&ask) {
    if (!buffer)
        return CSPLOOP_EINVAL;
    return on_stream(loop, id, [&](csploop::Stream &stream) { return address_text(stream.fd, buffer, length, ask); });
}

} // namespace

int csploop_tcp_listen(csploop_t *loop, csploop_id *out, const char *host, int port,
                       const csploop_stream_options *options, csploop_fn fn, void *arg) {
    return open_at(
        loop, options, [&](sys::Address &address) { return sys::parse_tcp_address(host, port, address); },
        [&](csploop::StreamSet &streams, const sys::Address &address, const csploop_stream_options &own) {
            return streams.listen(out, address, own, fn, arg);
        });
}

int csploop_unix_listen(csploop_t *loop, csploop_id *out, const char *path, const csploop_stream_options *options,
                        csploop_fn fn, void *arg) {
    return open_at(
        loop, options, [&](sys::Address &address) { return sys::parse_unix_address(path, address); },
        [&](csploop::StreamSet &streams, const sys::Address &address, const csploop_stream_options &own) {
            return streams.listen(out, address, own, fn, arg);
        });
}

int csploop_tcp_connect(csploop_t *loop, csploop_id *out, const char *host, int port,
                        const csploop_stream_options *options, csploop_fn fn, void *arg) {
    return open_at(
        loop, options, [&](sys::Address &address) { return sys::parse_tcp_address(host, port, address); },
        [&](csploop::StreamSet &streams, const sys::Address &address, const csploop_stream_options &own) {
            return streams.connect(out, address, own, fn, arg);
        });
}

int csploop_unix_connect(csploop_t *loop, csploop_id *out, const char *path, const csploop_stream_options *options,
                         csploop_fn fn, void *arg) {
    return open_at(
        loop, options, [&](sys::Address &address) { return sys::parse_unix_address(path, address); },
        [&](csploop::StreamSet &streams, const sys::Address &address, const csploop_stream_options &own) {
            return streams.connect(out, address, own, fn, arg);
        });
}

int csploop_listener_adopt(csploop_t *loop, csploop_id *out, int fd, const csploop_stream_options *options,
                           csploop_fn fn, void *arg) {
    return on_loop(loop, [&](csploop_t &l) {
        csploop_stream_options own;
        if (const int code = stream_options(own, options))
            return code;
        return l.streams().adopt_listener(out, fd, own, fn, arg);
    });
}

int csploop_stream_adopt(csploop_t *loop, csploop_id *out, int fd, const csploop_stream_options *options, csploop_fn fn,
                         void *arg) {
    return on_loop(loop, [&](csploop_t &l) {
        csploop_stream_options own;
        if (const int code = stream_options(own, options))
            return code;
        return l.streams().adopt(out, fd, own, fn, arg);
    });
}

int csploop_listener_pause(csploop_t *loop, csploop_id id) {
    return on_loop(loop, [&](csploop_t &l) { return l.streams().accepting(id, false); });
}

int csploop_listener_resume(csploop_t *loop, csploop_id id) {
    return on_loop(loop, [&](csploop_t &l) { return l.streams().accepting(id, true); });
}

int csploop_stream_set_handler(csploop_t *loop, csploop_id id, csploop_fn fn, void *arg) {
    return on_loop(loop, [&](csploop_t &l) { return l.streams().set_handler(id, fn, arg); });
}

int csploop_stream_read_start(csploop_t *loop, csploop_id id, int mode) {
    return on_loop(loop, [&](csploop_t &l) { return l.streams().read_start(id, static_cast<uint32_t>(mode)); });
}

int csploop_stream_read_stop(csploop_t *loop, csploop_id id) {
    return on_loop(loop, [&](csploop_t &l) { return l.streams().read_stop(id); });
}

int64_t csploop_stream_read_into(csploop_t *loop, csploop_id id, void *buffer, size_t length) {
    return on_loop(loop, [&](csploop_t &l) -> int64_t {
        if (!buffer)
            return CSPLOOP_EINVAL;
        return l.streams().read_into(id, buffer, length);
    });
}

const void *csploop_slab(const csploop_t *loop, uint64_t *out_size) {
    if (out_size)
        *out_size = 0;
    if (!loop)
        return nullptr;
    const csploop::Slab &slab = loop->streams().slab();
    if (out_size && slab.data())
        *out_size = slab.size();
    return slab.data();
}

int csploop_stream_write(csploop_t *loop, csploop_id id, const void *data, size_t length) {
    return on_loop(loop, [&](csploop_t &l) {
        if (!data && length)
            return static_cast<int>(CSPLOOP_EINVAL);
        return l.streams().write_copied(id, data, length);
    });
}

int csploop_stream_write_ref(csploop_t *loop, csploop_id id, const void *data, size_t length, csploop_fn fn,
                             void *arg) {
    return on_loop(loop, [&](csploop_t &l) {
        if (!data && length)
            return static_cast<int>(CSPLOOP_EINVAL);
        return l.streams().write_reference(id, data, length, fn, reinterpret_cast<uint64_t>(arg));
    });
}

int64_t csploop_stream_flush(csploop_t *loop, csploop_id id) {
    return on_loop(loop, [&](csploop_t &l) { return l.streams().flush_now(id); });
}

int64_t csploop_stream_buffered(csploop_t *loop, csploop_id id) {
    return on_loop(loop, [&](csploop_t &l) -> int64_t {
        const csploop::Stream *const stream = l.streams().find(id);
        return stream ? static_cast<int64_t>(stream->unsent.bytes()) : static_cast<int64_t>(CSPLOOP_EBADID);
    });
}

int csploop_stream_shutdown(csploop_t *loop, csploop_id id) {
    return on_loop(loop, [&](csploop_t &l) { return l.streams().shutdown(id); });
}

int csploop_stream_close(csploop_t *loop, csploop_id id, unsigned flags) {
    return on_loop(loop, [&](csploop_t &l) { return l.streams().close(id, flags); });
}

int csploop_stream_fd(csploop_t *loop, csploop_id id) {
    return on_stream(loop, id, [](csploop::Stream &stream) { return stream.fd; });
}

int csploop_stream_local_address(csploop_t *loop, csploop_id id, char *buffer, size_t length) {
    return address_of(loop, id, buffer, length, sys::local_address);
}

int csploop_stream_peer_address(csploop_t *loop, csploop_id id, char *buffer, size_t length) {
    return address_of(loop, id, buffer, length, sys::peer_address);
}
