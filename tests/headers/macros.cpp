// Every public macro, used in C++.
#include <csploop.h>
#include <cstring>
#include <set>

CSPLOOP_BEGIN_DECLS
CSPLOOP_MUST_CHECK int csploop_macros_in_cpp(void);
CSPLOOP_API int csploop_marked_function_in_cpp(void);
CSPLOOP_END_DECLS

int csploop_marked_function_in_cpp(void) { return 0; }

static int options_start_with_their_size() {
    const csploop_options options = CSPLOOP_OPTIONS_INIT;
    const csploop_stream_options stream = CSPLOOP_STREAM_OPTIONS_INIT;
    const csploop_bridge_options bridge = CSPLOOP_BRIDGE_OPTIONS_INIT;
    const csploop_udp_options udp = CSPLOOP_UDP_OPTIONS_INIT;
    return (options.size != sizeof options) + (stream.size != sizeof stream) + (bridge.size != sizeof bridge) +
           (udp.size != sizeof udp);
}

// Two names for one code would make a switch over them impossible to compile.
static int error_codes_differ() {
    std::set<int> codes;
    int entries = 0;
#define XX(name, value, text) \
    codes.insert(value);      \
    ++entries;
    CSPLOOP_ERROR_MAP(XX)
#undef XX
    return entries - static_cast<int>(codes.size());
}

int csploop_macros_in_cpp(void) {
    return options_start_with_their_size() + error_codes_differ() + csploop_marked_function_in_cpp();
}
