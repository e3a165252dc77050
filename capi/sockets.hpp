// What the calls about streams and about datagram sockets have in common.
#pragma once

#include "guard.hpp"

#include <cstring>
#include <string>

namespace csploop::capi {

// Options with flags, over their defaults in `out`; a flag that is not among `known` is refused.
template <class Options>
int read_flagged_options(Options &out, const Options *options, uint32_t known) {
    if (const int code = read_options(out, options))
        return code;
    return out.flags & ~known ? CSPLOOP_EINVAL : 0;
}

// Writes the address that `ask` has for a descriptor as text; its length or a code.
template <class Ask>
int address_text(int fd, char *buffer, size_t length, Ask &&ask) {
    sys::Address address;
    if (const int code = ask(fd, address))
        return code;
    const std::string text = sys::format_address(address);
    if (text.size() >= length)
        return CSPLOOP_ENOBUFS;
    std::memcpy(buffer, text.c_str(), text.size() + 1);
    return static_cast<int>(text.size());
}

} // namespace csploop::capi
