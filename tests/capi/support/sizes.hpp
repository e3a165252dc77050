// How much a test does: sanitizers make everything several times slower, not less interesting.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CSPLOOP_TEST_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CSPLOOP_TEST_SLOW 1
#endif
#endif

namespace csploop_test {

#if defined(CSPLOOP_TEST_SLOW)
constexpr bool slow_build = true;
#else
constexpr bool slow_build = false;
#endif

template <class T>
constexpr T sized(T full, T slow) {
    return slow_build ? slow : full;
}

} // namespace csploop_test
