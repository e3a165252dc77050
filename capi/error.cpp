#include <csploop/error.h>

#include <cstring>

const char *csploop_strerror(int code) {
    switch (code) {
    case CSPLOOP_OK:
        return "success";
#define XX(name, value, text) \
    case CSPLOOP_##name:      \
        return text;
        CSPLOOP_ERROR_MAP(XX)
#undef XX
    default:
        return code < 0 && code > -10000 ? std::strerror(-code) : "unknown error";
    }
}

const char *csploop_error_name(int code) {
    switch (code) {
    case CSPLOOP_OK:
        return "OK";
#define XX(name, value, text) \
    case CSPLOOP_##name:      \
        return #name;
        CSPLOOP_ERROR_MAP(XX)
#undef XX
    default:
        return "EUNKNOWN";
    }
}
