// Systems without a poller of their own use libuv's.
#include "poller.hpp"

#include <csploop/error.h>
#include <csploop/options.h>

namespace csploop {

std::unique_ptr<Poller> make_poller(uint32_t kind, int &error) {
    if (kind == CSPLOOP_POLLER_EPOLL) {
        error = CSPLOOP_ENOTSUP;
        return nullptr;
    }
    return make_uv_poller(error);
}

} // namespace csploop
