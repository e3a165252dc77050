#include <csploop.h>

#include <array>

namespace {

// The version as text, made by the compiler: asking for it must be safe in a signal handler.
constexpr auto version_text = [] {
    std::array<char, 16> text{};
    size_t length = 0;
    const auto number = [&](int value) {
        if (value >= 100)
            text[length++] = static_cast<char>('0' + value / 100);
        if (value >= 10)
            text[length++] = static_cast<char>('0' + value / 10 % 10);
        text[length++] = static_cast<char>('0' + value % 10);
    };
    number(CSPLOOP_VERSION_MAJOR);
    text[length++] = '.';
    number(CSPLOOP_VERSION_MINOR);
    text[length++] = '.';
    number(CSPLOOP_VERSION_PATCH);
    return text;
}();

} // namespace

int csploop_version(void) {
    return CSPLOOP_VERSION_MAJOR * 1000000 + CSPLOOP_VERSION_MINOR * 1000 + CSPLOOP_VERSION_PATCH;
}

const char *csploop_version_string(void) {
    return version_text.data();
}
