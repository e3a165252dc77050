// What the tests of I/O without memory share: a loop, turns in which an allocation fails, and a test for each of them.
#pragma once

#include "failing_new.hpp"

#include <csploop.h>

#include <algorithm>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace csploop_test {

inline std::string pattern(size_t length, unsigned seed) {
    std::string text(length, '\0');
    for (size_t i = 0; i < length; ++i)
        text[i] = static_cast<char>('a' + (i * 7 + i / 251 + seed) % 26);
    return text;
}

// A loop, sockets whose far ends are the test's, and turns in which memory may run out.
class Scenario {
public:
    Scenario(csploop_poller poller, long fails_at) : memory(fails_at) {
        csploop_options options = CSPLOOP_OPTIONS_INIT;
        options.poller = poller;
        EXPECT_EQ(csploop_new(&loop, &options), 0);
    }
    virtual ~Scenario() {
        EXPECT_EQ(csploop_close(loop), 0);
        csploop_unref(loop);
        for (const int fd : far_ends)
            ::close(fd);
    }
    Scenario(const Scenario &) = delete;
    Scenario &operator=(const Scenario &) = delete;
    virtual void play() = 0;

    csploop_t *loop = nullptr;
    FailingNew memory;

protected:
    // An event ends a wait; who waits in vain fails by the number of its turns.
    static constexpr int64_t longest_wait = 20000000;

    template <class Call>
    void again(Call call) {
        const int code = memory.again(call);
        ASSERT_EQ(code, 0) << csploop_strerror(code);
    }
    // Two ends with little room between them; {the loop's, the test's}.
    std::pair<int, int> pair(int type) {
        int fds[2] = {-1, -1};
        EXPECT_EQ(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds), 0);
        const int least = 4096;
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
        far_ends.push_back(fds[1]);
        return {fds[0], fds[1]};
    }
    csploop_id adopt(int fd) {
        csploop_id id = 0;
        again([&] { return csploop_stream_adopt(loop, &id, fd, nullptr, nullptr, nullptr); });
        return id;
    }
    // One turn, or two until the submissions are taken. The out slab is gone after each of them.
    void turn(const std::vector<csploop_submission> &submissions = {}, const std::string &out = "") {
        csploop_batch batch{};
        batch.size = sizeof batch;
        batch.submissions = submissions.data();
        batch.n_submissions = static_cast<uint32_t>(submissions.size());
        for (int turns = 0; turns == 0 || batch.n_submissions > 0; ++turns) {
            ASSERT_LT(turns, 2);
            std::string slab = out;
            csploop_record records[64];
            batch.out_slab = slab.data();
            batch.out_slab_size = slab.size();
            batch.records = records;
            batch.capacity = 64;
            const int n = memory.armed([&] { return csploop_turn(loop, &batch, longest_wait); });
            ASSERT_TRUE(n >= 0 || n == CSPLOOP_ENOMEM) << csploop_strerror(n);
            EXPECT_TRUE(n == CSPLOOP_ENOMEM || batch.n_submissions == 0);
            std::fill(slab.begin(), slab.end(), '#');
            for (int i = 0; i < n; ++i)
                on_record(records[i], static_cast<const char *>(batch.slab));
        }
    }
    virtual void on_record(const csploop_record &record, const char *slab) = 0;

    std::vector<int> far_ends;
};

// Plays a scenario of this kind again and again, each time with another allocation failing.
class MemoryFailureTest : public testing::TestWithParam<csploop_poller> {
protected:
    template <class Kind>
    void each_allocation_fails() {
        long fails_at = 0;
        for (bool failed = true; failed && !HasFailure(); ++fails_at) {
            SCOPED_TRACE("allocation " + std::to_string(fails_at));
            Kind scenario(GetParam(), fails_at);
            scenario.play();
            failed = scenario.memory.failed();
        }
        EXPECT_GT(fails_at, 10) << "so few allocations cannot be all of them";
    }
};

#if defined(__linux__)
#define CSPLOOP_WITHOUT_MEMORY(Suite)                                                                                  \
    INSTANTIATE_TEST_SUITE_P(, Suite, testing::Values(CSPLOOP_POLLER_EPOLL, CSPLOOP_POLLER_UV), [](const auto &info) { \
        return info.param == CSPLOOP_POLLER_UV ? "Uv" : "Epoll";                                                       \
    })
#else
#define CSPLOOP_WITHOUT_MEMORY(Suite) \
    INSTANTIATE_TEST_SUITE_P(, Suite, testing::Values(CSPLOOP_POLLER_UV), [](const auto &) { return "Uv"; })
#endif

} // namespace csploop_test
