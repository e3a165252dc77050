// Ends a test that waits for ever: the process aborts and says which test, and what it was waiting for.
// The limit is generous, because nothing but a bug ever meets it.
#pragma once

#include "sizes.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace csploop_test {

// What the running test waits for; a string literal, because the signal handler reads it.
inline volatile const char *waiting_for = "";
inline char running_test[256] = "";

class Alarm {
public:
    static constexpr unsigned limit_seconds = sized(50u, 110u); // below ctest's own limit, which names no reason

    static void start(const char *test) {
        std::strncpy(running_test, test, sizeof running_test - 1);
        struct sigaction action = {};
        action.sa_handler = &ring;
        sigaction(SIGALRM, &action, nullptr);
        alarm(limit_seconds);
    }
    static void stop() { alarm(0); }

private:
    static void say(const char *text) {
        const ssize_t ignored = write(STDERR_FILENO, text, std::strlen(text));
        (void)ignored;
    }
    static void ring(int) {
        say("\ntest took too long: ");
        say(running_test);
        say("; waiting for: ");
        say(const_cast<const char *>(waiting_for));
        say("\n");
        std::abort();
    }
};

} // namespace csploop_test
