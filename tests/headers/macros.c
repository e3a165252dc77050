/* Every public macro, used in C. Each function gives the number of things that are wrong. */
#include <csploop.h>
#include <string.h>

CSPLOOP_BEGIN_DECLS
CSPLOOP_MUST_CHECK int csploop_macros_in_c(void);
CSPLOOP_END_DECLS

/* A host that builds a library of its own may mark its functions likewise. */
CSPLOOP_API int csploop_marked_function(void);
CSPLOOP_API int csploop_marked_function(void) { return 0; }

static int options_start_with_their_size(void) {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    csploop_stream_options stream = CSPLOOP_STREAM_OPTIONS_INIT;
    csploop_udp_options udp = CSPLOOP_UDP_OPTIONS_INIT;
    csploop_bridge_options bridge = CSPLOOP_BRIDGE_OPTIONS_INIT;
    csploop_options zero;
    int wrong = 0;
    wrong += options.size != sizeof options;
    wrong += stream.size != sizeof stream;
    wrong += udp.size != sizeof udp;
    wrong += bridge.size != sizeof bridge;
    memset(&zero, 0, sizeof zero);
    zero.size = options.size;
    return wrong + (memcmp(&zero, &options, sizeof zero) != 0);
}

/* The list's names and texts against the library's, the values against the enum. */
static int error_list_is_the_librarys(void) {
    int wrong = 0;
    int entries = 0;
#define XX(name, value, text)                                  \
    wrong += CSPLOOP_##name != (value);                        \
    wrong += (value) >= 0;                                     \
    wrong += strcmp(csploop_error_name(value), #name) != 0;    \
    wrong += strcmp(csploop_strerror(value), text) != 0;       \
    ++entries;
    CSPLOOP_ERROR_MAP(XX)
#undef XX
    return wrong + (entries == 0);
}

int csploop_macros_in_c(void) {
    return options_start_with_their_size() + error_list_is_the_librarys() + csploop_marked_function();
}
