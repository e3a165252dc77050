// csploop_wake, and what a sleeping loop must never miss.
#include "support/harness.hpp"
#include "support/round_trips.hpp"
#include "support/signals.hpp"

#include <atomic>
#include <pthread.h>
#include <thread>

using namespace csploop_test;

class Wake : public PollerTest {};
CSPLOOP_ON_ALL_POLLERS(Wake);

TEST_P(Wake, BeforeAWaitMakesItReturn) {
    ASSERT_EQ(csploop_wake(loop), 0);
    waiting_for = "the wake";
    EXPECT_EQ(h.turn(-1), 0);
}

TEST_P(Wake, CallsCoalesce) {
    for (int i = 0; i < 10000; ++i)
        ASSERT_EQ(csploop_wake(loop), 0);
    waiting_for = "the wake";
    EXPECT_EQ(h.turn(-1), 0);
    const int64_t before = monotonic_ns();
    EXPECT_EQ(h.turn(2 * millisecond), 0);
    EXPECT_GE(monotonic_ns() - before, 2 * millisecond) << "the other 9999 are spent too";
}

TEST_P(Wake, FromAThreadEndsTheWait) {
    for (int i = 0; i < 100; ++i) {
        std::thread waker([&] { EXPECT_EQ(csploop_wake(loop), 0); });
        waiting_for = "a thread's wake";
        EXPECT_EQ(h.turn(-1), 0);
        waker.join();
    }
}

namespace {
csploop_t *signalled_loop = nullptr;
}

TEST_P(Wake, FromASignalHandlerEndsTheWait) {
    signalled_loop = loop;
    struct sigaction action = {}, before = {};
    action.sa_handler = [](int) { csploop_wake(signalled_loop); };
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, &before);
    const pthread_t self = pthread_self();
    for (int i = 0; i < 20; ++i) {
        {
            const SignalTo sender(self, SIGUSR1);
            waiting_for = "a signal handler's wake";
            EXPECT_EQ(h.turn(-1), 0);
        }
        h.turn(0);
    }
    sigaction(SIGUSR1, &before, nullptr);
    signalled_loop = nullptr;
}

// A round trip for each post: the producer goes on only when the loop has answered, so one lost wake-up stops everything.
TEST_P(Wake, NoneIsLostInPingPong) {
    RoundTrips rounds(sized(20000, 3000));
    struct State {
        std::atomic<int64_t> answered{0};
    } state;
    csploop_fn answer = [](csploop_t *, const csploop_record *, void *arg) {
        auto *s = static_cast<State *>(arg);
        s->answered.fetch_add(1);
        s->answered.notify_one();
    };
    std::thread producer([&] {
        for (int64_t i = 0; rounds.begin(i); ++i) {
            ASSERT_EQ(csploop_post(loop, answer, &state), 0);
            state.answered.wait(i);
        }
    });
    waiting_for = "a post that was lost";
    while (state.answered.load() < rounds.wanted())
        h.turn(-1);
    producer.join();
}

// The same without an answer to wait for: producers race against the loop's falling asleep.
TEST_P(Wake, NoneIsLostUnderManyProducers) {
    constexpr int producers = 4;
    const int each = sized(20000, 3000);
    std::atomic<int> arrived{0};
    csploop_fn count = [](csploop_t *, const csploop_record *, void *arg) {
        static_cast<std::atomic<int> *>(arg)->fetch_add(1);
    };
    std::vector<std::thread> threads;
    for (int t = 0; t < producers; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < each; ++i) {
                ASSERT_EQ(csploop_post(loop, count, &arrived), 0);
                if (i % 64 == 0)
                    std::this_thread::yield();
            }
        });
    waiting_for = "posts that were lost";
    while (arrived.load() < producers * each)
        h.turn(-1);
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(arrived.load(), producers * each);
}

TEST_P(Wake, RingsForAHostThatWaitsItself) {
    RoundTrips rounds(sized(5000, 1000));
    Harness host(Mode{GetParam(), Wait::host, Form::callback});
    std::atomic<int64_t> answered{0};
    csploop_fn answer = [](csploop_t *, const csploop_record *, void *arg) {
        auto *a = static_cast<std::atomic<int64_t> *>(arg);
        a->fetch_add(1);
        a->notify_one();
    };
    std::thread producer([&] {
        for (int64_t i = 0; rounds.begin(i); ++i) {
            ASSERT_EQ(csploop_post(host.loop(), answer, &answered), 0);
            answered.wait(i);
        }
    });
    host.until([&] { return answered.load() >= rounds.wanted(); }, "a post that was lost");
    producer.join();
}
