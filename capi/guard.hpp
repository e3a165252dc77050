// The border between C and the core: checks that every call needs, and the one place where exceptions end.
#pragma once

#include "loop.hpp"

#include <csploop/error.h>

#include <cstring>
#include <new>

namespace csploop::capi {

// Runs `body` and turns what it throws into a code.
template <class Body>
auto guard(Body &&body) noexcept -> decltype(body()) {
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return CSPLOOP_ENOMEM;
    } catch (...) {
        return CSPLOOP_EINTERNAL;
    }
}

// What every call but close, ref and unref needs, from whatever thread.
inline int check_alive(const csploop_t *loop) {
    if (!loop)
        return CSPLOOP_EINVAL;
    if (loop->forked())
        return CSPLOOP_ECHILD;
    if (loop->closed())
        return CSPLOOP_ECLOSED;
    return 0;
}

inline int check_loop_thread(const csploop_t *loop) {
    if (const int code = check_alive(loop))
        return code;
    return loop->usable_from_this_thread() ? 0 : CSPLOOP_ETHREAD;
}

inline int check_idle(const csploop_t *loop) {
    if (const int code = check_loop_thread(loop))
        return code;
    return loop->in_turn() ? CSPLOOP_EBUSY : 0;
}

// A call that belongs on the loop's thread: `body` gets the loop.
template <class Body>
auto on_loop(csploop_t *loop, Body &&body) noexcept -> decltype(body(*loop)) {
    if (const int code = check_loop_thread(loop))
        return code;
    return guard([&] { return body(*loop); });
}

// Whether a struct that begins with its size may be read: a newer caller may have set fields that this library does not
// know, and must not lose them silently.
template <class Struct>
bool understood(const Struct &given, size_t least) {
    if (given.size < least || given.size > 4096)
        return false;
    const auto *const bytes = reinterpret_cast<const unsigned char *>(&given);
    for (size_t i = sizeof given; i < given.size; ++i)
        if (bytes[i])
            return false;
    return true;
}

// Copies options that begin with their size: what an older caller does not know stays as it is in `out`.
template <class Options>
int read_options(Options &out, const Options *options) {
    if (!options)
        return 0;
    if (!understood(*options, sizeof options->size))
        return CSPLOOP_EINVAL;
    std::memcpy(&out, options, options->size < sizeof out ? options->size : sizeof out);
    out.size = sizeof out;
    return 0;
}

} // namespace csploop::capi
