// Sends a signal to a thread that waits inside a loop, until it says that the wait is over.
#pragma once

#include <chrono>
#include <future>
#include <pthread.h>
#include <thread>

namespace csploop_test {

// One signal, as a program would send it; the destructor says that the wait is over.
//
// ThreadSanitizer is told more than once. It runs handlers only inside calls that it knows to block, and it does not
// know libuv's waits, because tools/tsan.supp hides libuv from it: a signal that arrives between the last call that it
// saw and libuv's epoll_wait stays with it until that wait ends, which is never. The next signal finds the thread in
// the system call and ends it with EINTR, and then the handler runs.
class SignalTo {
public:
    SignalTo(pthread_t thread, int signal)
        : sender_([thread, signal, ended = ended_.get_future()]() mutable {
              do
                  pthread_kill(thread, signal);
              while (repeated && ended.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready);
          }) {}
    ~SignalTo() {
        ended_.set_value();
        sender_.join();
    }
    SignalTo(const SignalTo &) = delete;
    SignalTo &operator=(const SignalTo &) = delete;

private:
#ifdef __SANITIZE_THREAD__
    static constexpr bool repeated = true;
#else
    static constexpr bool repeated = false;
#endif
    std::promise<void> ended_;
    std::thread sender_;
};

} // namespace csploop_test
