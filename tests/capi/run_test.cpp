// csploop_run in its modes, and csploop_stop.
#include "support/harness.hpp"
#include "support/signals.hpp"
#include "support/sockets.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <pthread.h>
#include <stdexcept>
#include <thread>

using namespace csploop_test;

class Run : public PollerTest {
protected:
    static void count(csploop_t *, const csploop_record *, void *arg) { ++*static_cast<int *>(arg); }
    static void stop(csploop_t *loop, const csploop_record *, void *) { EXPECT_EQ(csploop_stop(loop), 0); }
    int calls = 0;
};
CSPLOOP_ON_ALL_POLLERS(Run);

TEST_P(Run, NowaitDoesOneTurn) {
    csploop_fn again = [](csploop_t *l, const csploop_record *, void *arg) {
        ++*static_cast<int *>(arg);
        EXPECT_EQ(csploop_call_soon(l, nullptr, &Run::count, arg), 0);
    };
    ASSERT_EQ(csploop_call_soon(loop, nullptr, again, &calls), 0);
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_NOWAIT), 0);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_NOWAIT), 0);
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_NOWAIT), 0) << "returns though nothing is to be done";
    EXPECT_EQ(calls, 2);
}

TEST_P(Run, OnceWaitsForSomethingToHappen) {
    ASSERT_EQ(csploop_call_later(loop, nullptr, 2 * millisecond, &Run::count, &calls), 0);
    waiting_for = "the timer to end RUN_ONCE";
    while (calls == 0)
        ASSERT_EQ(csploop_run(loop, CSPLOOP_RUN_ONCE), 0);
    EXPECT_EQ(calls, 1);
}

TEST_P(Run, ForeverEndsAtStopAfterTheTurn) {
    ASSERT_EQ(csploop_call_soon(loop, nullptr, &Run::stop, nullptr), 0);
    ASSERT_EQ(csploop_call_soon(loop, nullptr, &Run::count, &calls), 0);
    waiting_for = "stop";
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_FOREVER), 0);
    EXPECT_EQ(calls, 1) << "the turn that stops is finished first";
}

TEST_P(Run, ForeverTurnsManyTimes) {
    struct Self {
        static void go(csploop_t *l, const csploop_record *, void *arg) {
            const bool last = ++*static_cast<int *>(arg) == 10;
            EXPECT_EQ(last ? csploop_stop(l) : csploop_call_later(l, nullptr, 1000, &Self::go, arg), 0);
        }
    };
    ASSERT_EQ(csploop_call_soon(loop, nullptr, &Self::go, &calls), 0);
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_FOREVER), 0);
    EXPECT_EQ(calls, 10);
}

TEST_P(Run, StopBeforeRunGivesOneTurnWithoutWaiting) {
    ASSERT_EQ(csploop_stop(loop), 0);
    ASSERT_EQ(csploop_call_soon(loop, nullptr, &Run::count, &calls), 0);
    ASSERT_EQ(csploop_call_later(loop, nullptr, 3600 * second, &Run::count, &calls), 0);
    waiting_for = "a stopped run to return";
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_FOREVER), 0);
    EXPECT_EQ(calls, 1);
}

TEST_P(Run, AStopIsUsedUpByOneRun) {
    ASSERT_EQ(csploop_stop(loop), 0);
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_FOREVER), 0);
    ASSERT_EQ(csploop_call_later(loop, nullptr, millisecond, &Run::count, &calls), 0);
    ASSERT_EQ(csploop_call_later(loop, nullptr, 2 * millisecond, &Run::stop, nullptr), 0);
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_FOREVER), 0);
    EXPECT_EQ(calls, 1) << "the second run waited for its timers";
}

TEST_P(Run, StopFromAnotherThreadEndsTheWait) {
    std::atomic<bool> running{false};
    csploop_fn say = [](csploop_t *, const csploop_record *, void *arg) {
        auto *flag = static_cast<std::atomic<bool> *>(arg);
        *flag = true;
        flag->notify_all();
    };
    ASSERT_EQ(csploop_call_soon(loop, nullptr, say, &running), 0);
    std::thread stopper([&] {
        running.wait(false);
        EXPECT_EQ(csploop_stop(loop), 0);
    });
    waiting_for = "stop from a thread";
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_FOREVER), 0);
    stopper.join();
}

namespace {
csploop_t *signalled_loop = nullptr;
}

TEST_P(Run, StopFromASignalHandlerEndsTheWait) {
    signalled_loop = loop;
    struct sigaction action = {}, before = {};
    action.sa_handler = [](int) { csploop_stop(signalled_loop); };
    sigaction(SIGUSR1, &action, &before);
    // The first turn of the run sends it, so that it arrives while the run goes on.
    std::optional<SignalTo> sender;
    csploop_fn send = [](csploop_t *, const csploop_record *, void *arg) {
        static_cast<std::optional<SignalTo> *>(arg)->emplace(pthread_self(), SIGUSR1);
    };
    ASSERT_EQ(csploop_call_soon(loop, nullptr, send, &sender), 0);
    waiting_for = "stop from a signal handler";
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_FOREVER), 0);
    sender.reset();
    sigaction(SIGUSR1, &before, nullptr);
    signalled_loop = nullptr;
}

TEST_P(Run, CompletionsWithoutACallbackArePending) {
    ASSERT_EQ(csploop_call_soon(loop, nullptr, nullptr, this), 0);
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_NOWAIT), CSPLOOP_EPENDING);
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_FOREVER), CSPLOOP_EPENDING) << "and does not hang";
    EXPECT_EQ(h.turn(0), 1);
    EXPECT_EQ(csploop_run(loop, CSPLOOP_RUN_NOWAIT), 0);
}

TEST_P(Run, AnUnknownModeIsRefused) {
    EXPECT_EQ(csploop_run(loop, 3), CSPLOOP_EINVAL);
    EXPECT_EQ(csploop_run(loop, -1), CSPLOOP_EINVAL);
}

namespace {
void throws(csploop_t *, const csploop_record *, void *) {
    throw std::domain_error("thrown by a callback");
}
} // namespace

// Its way on would lead through frames of C, and a turn half done. So it ends the process, and says what it was.
TEST_P(Run, AnExceptionThatLeavesACallbackEndsTheProcess) {
    const csploop_poller poller = GetParam();
    const auto run_one_that_throws = [poller] {
        csploop_options options = CSPLOOP_OPTIONS_INIT;
        options.poller = poller;
        csploop_t *own = nullptr; // the test's own loop is, in the process that is to die, the parent's
        EXPECT_EQ(csploop_new(&own, &options), 0);
        EXPECT_EQ(csploop_call_soon(own, nullptr, throws, nullptr), 0);
        const int code = csploop_run(own, CSPLOOP_RUN_NOWAIT);
        std::fprintf(stderr, "came back with %d\n", code);
        std::_Exit(0);
    };
    EXPECT_DEATH(run_one_that_throws(), "thrown by a callback");
}
