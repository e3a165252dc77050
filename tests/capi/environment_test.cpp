// What holds around every test of this program: it ends in time, and it leaves no descriptor open.
#include "support/alarm.hpp"
#include "support/fd_leaks.hpp"
#include "support/harness.hpp"

using namespace csploop_test;

namespace {

class EveryTest : public testing::EmptyTestEventListener {
    // libuv opens a signal pipe for the whole process with its first loop, and keeps it.
    void OnTestProgramStart(const testing::UnitTest &) override {
        for (csploop_poller poller : pollers()) {
            Harness warm_up(Mode{poller});
            int fds[2];
            csploop_id id = 0;
            if (pipe(fds) == 0 && csploop_watch(warm_up.loop(), &id, fds[0], CSPLOOP_WATCH_READ, nullptr, nullptr) == 0)
                csploop_unwatch(warm_up.loop(), id);
            close(fds[0]);
            close(fds[1]);
        }
    }
    void OnTestStart(const testing::TestInfo &info) override {
        before_ = open_fds();
        Alarm::start((std::string(info.test_suite_name()) + "." + info.name()).c_str());
    }
    void OnTestEnd(const testing::TestInfo &) override {
        Alarm::stop();
        for (const auto &[fd, what] : open_fds())
            if (!before_.count(fd))
                ADD_FAILURE() << "descriptor " << fd << " (" << what << ") was left open";
    }
    std::map<int, std::string> before_;
};

// Registered before main() runs, so that the tests need no main of their own.
[[maybe_unused]] const bool registered = [] {
    testing::UnitTest::GetInstance()->listeners().Append(new EveryTest);
    return true;
}();

} // namespace

TEST(Environment, ALeakedDescriptorIsSeen) {
    const auto before = open_fds();
    if (before.empty())
        GTEST_SKIP() << "this system does not list descriptors";
    const int leaked = dup(STDERR_FILENO);
    const auto after = open_fds();
    EXPECT_EQ(after.size(), before.size() + 1);
    EXPECT_TRUE(after.count(leaked));
    close(leaked);
}
