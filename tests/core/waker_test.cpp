// The waker: what must not be waited for in a process that has forked.
#include "waker.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

using csploop::Poller;
using csploop::Ready;
using csploop::Waker;

namespace {

// Rings by doing what it is told.
class ToldPoller final : public Poller {
public:
    explicit ToldPoller(std::function<void()> on_ring) : on_ring_(std::move(on_ring)) {}
    int add(int, uint32_t, uint64_t) override { return 0; }
    int modify(int, uint32_t, uint64_t) override { return 0; }
    void remove(int) override {}
    int wait(int64_t, Ready *, int) override { return 0; }
    void ring() noexcept override { on_ring_(); }
    int backend_fd() const override { return -1; }
    void close() override {}
    void abandon() override {}
    int kind() const override { return 0; }
    size_t heap_bytes() const override { return 0; }

private:
    std::function<void()> on_ring_;
};

} // namespace

TEST(Waker, AClosedOneDoesNotRing) {
    int rings = 0;
    ToldPoller poller([&] { ++rings; });
    Waker waker;
    EXPECT_TRUE(waker.may_sleep());
    EXPECT_TRUE(waker.wake(poller));
    EXPECT_EQ(rings, 1);
    waker.close();
    EXPECT_FALSE(waker.wake(poller));
    EXPECT_EQ(rings, 1);
}

// A fork while somebody is inside wake(): in the child nobody will ever leave it.
TEST(Waker, AbandoningWaitsForNobody) {
    pid_t child = -1;
    Waker waker;
    ToldPoller poller([&] {
        child = fork();
        if (child == 0) {
            alarm(20);
            waker.abandon();
            _exit(waker.closed() ? 0 : 1);
        }
    });
    EXPECT_TRUE(waker.may_sleep());
    EXPECT_TRUE(waker.wake(poller));
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    waker.close();
}
