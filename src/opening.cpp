// How streams and listeners begin: listen, connect, adopt.
#include "stream_set.hpp"

#include <csploop/error.h>

#include <cerrno>
#include <netinet/in.h>
#include <utility>

namespace csploop {

namespace {

std::unique_ptr<Stream> make_stream(const csploop_stream_options &options, csploop_fn fn, void *arg) {
    auto stream = std::make_unique<Stream>();
    stream->fn = fn;
    stream->arg = arg;
    if (options.high_water)
        stream->high_water = options.high_water;
    if (options.backlog > 0)
        stream->backlog = options.backlog;
    stream->keep_fd = options.flags & CSPLOOP_ADOPT_KEEP_FD;
    return stream;
}

} // namespace

int StreamSet::listen(csploop_id *out, const sys::Address &address, const csploop_stream_options &options,
                      csploop_fn fn, void *arg) {
    const int fd = sys::open_stream_socket(address.family());
    if (fd < 0)
        return fd;
    sys::FdGuard guard(fd);
    if (address.family() != AF_UNIX) {
        sys::set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (options.flags & CSPLOOP_LISTEN_REUSEPORT)
            if (const int code = sys::set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1))
                return code;
    }
    if (address.family() == AF_INET6)
        if (const int code =
                sys::set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, (options.flags & CSPLOOP_LISTEN_V6ONLY) ? 1 : 0))
            return code;
    if (::bind(fd, address.get(), address.length) < 0)
        return -errno;
    if (::listen(fd, options.backlog > 0 ? options.backlog : 128) < 0)
        return -errno;
    csploop_stream_options own = options;
    own.flags &= ~static_cast<uint32_t>(CSPLOOP_ADOPT_KEEP_FD);
    const int code = adopt_listener(out, fd, own, fn, arg);
    if (code == 0)
        guard.release();
    return code;
}

int StreamSet::adopt_listener(csploop_id *out, int fd, const csploop_stream_options &options, csploop_fn fn,
                              void *arg) {
    if (fds_.in_use(fd))
        return CSPLOOP_EEXIST;
    const int listening = sys::is_listening(fd);
    if (listening <= 0)
        return listening < 0 ? listening : CSPLOOP_EINVAL;
    if (const int code = sys::set_nonblocking(fd))
        return code;
    auto listener = make_stream(options, fn, arg);
    Stream &entry = *listener;
    entry.fd = fd;
    entry.listener = true;
    entry.reading = true;
    entry.accept_keep_fd = options.flags & CSPLOOP_ACCEPT_KEEP_FD;
    entry.accept_nodelay = options.flags & CSPLOOP_STREAM_NODELAY;
    csploop_id id = 0;
    if (const int code = insert(&id, std::move(listener)))
        return code;
    if (const int code = update_watch(entry)) {
        fds_.release(fd, id);
        streams_.erase(id);
        return code;
    }
    if (out)
        *out = id;
    return 0;
}

int StreamSet::connect(csploop_id *out, const sys::Address &address, const csploop_stream_options &options,
                       csploop_fn fn, void *arg) {
    const int fd = sys::open_stream_socket(address.family());
    if (fd < 0)
        return fd;
    sys::FdGuard guard(fd);
    auto stream = make_stream(options, fn, arg);
    Stream &entry = *stream;
    entry.fd = fd;
    entry.keep_fd = false;
    if ((options.flags & CSPLOOP_STREAM_NODELAY) && address.family() != AF_UNIX)
        sys::set_nodelay(fd);
    const int connected = sys::connect(fd, address);
    if (connected != 0 && connected != -EINPROGRESS && address.family() != AF_UNIX && connected != -ECONNREFUSED &&
        connected != -ENETUNREACH && connected != -EHOSTUNREACH)
        return connected; // the address makes no sense here
    entry.connecting = connected == -EINPROGRESS;
    entry.broken = connected != 0 && !entry.connecting;
    csploop_id id = 0;
    make_room(completions_, 1);
    if (const int code = insert(&id, std::move(stream)))
        return code;
    guard.release();
    if (entry.connecting) {
        if (const int code = update_watch(entry)) {
            release_fd(entry);
            streams_.erase(id);
            return code;
        }
    } else {
        emit(entry, CSPLOOP_KIND_CONNECT, connected);
    }
    if (out)
        *out = id;
    return 0;
}

int StreamSet::adopt(csploop_id *out, int fd, const csploop_stream_options &options, csploop_fn fn, void *arg) {
    if (fds_.in_use(fd))
        return CSPLOOP_EEXIST;
    const int kind = sys::stream_kind(fd);
    if (kind < 0)
        return kind;
    if (const int code = sys::set_nonblocking(fd))
        return code;
    auto stream = make_stream(options, fn, arg);
    stream->fd = fd;
    stream->is_socket = kind == 1;
    stream->trust.give(options.flags & CSPLOOP_ADOPT_VOUCHED);
    if (stream->is_socket && (options.flags & CSPLOOP_STREAM_NODELAY))
        sys::set_nodelay(fd);
    return insert(out, std::move(stream));
}

} // namespace csploop
