// Making a loop where descriptors are few: it is made, or an error says why not and nothing is left behind.
#include "support/descriptors.hpp"
#include "support/fd_leaks.hpp"
#include "support/harness.hpp"

#include <algorithm>
#include <set>

using namespace csploop_test;

namespace {

// While it lives, so many descriptors can be opened and no more.
class FewDescriptorsLeft {
public:
    explicit FewDescriptorsLeft(int few) {
        EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
        rlimit limit = before_;
        int number = 0;
        for (int unused = 0; unused < few || fd_is_open(number); ++number)
            unused += fd_is_open(number) ? 0 : 1;
        limit.rlim_cur = static_cast<rlim_t>(number);
        EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    ~FewDescriptorsLeft() { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }
    FewDescriptorsLeft(const FewDescriptorsLeft &) = delete;
    FewDescriptorsLeft &operator=(const FewDescriptorsLeft &) = delete;

private:
    rlimit before_{};
};

std::set<int> numbers() {
    std::set<int> numbers;
    for (int fd = 0; fd < 1024; ++fd)
        if (fd_is_open(fd))
            numbers.insert(fd);
    return numbers;
}

} // namespace

class OutOfDescriptors : public testing::TestWithParam<csploop_poller> {};
CSPLOOP_ON_ALL_POLLERS(OutOfDescriptors);

TEST_P(OutOfDescriptors, ALoopThatCannotBeMadeLeavesNothingOpen) {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.poller = GetParam();
    bool refused = false;
    bool made = false;
    for (int few = 0; few < 12; ++few) {
        csploop_t *loop = nullptr;
        // What libuv opens once for the whole process stays; so only refusals are compared.
        const std::set<int> before = numbers();
        int code = 0;
        {
            const FewDescriptorsLeft left(few);
            code = csploop_new(&loop, &options);
        }
        if (code) {
            EXPECT_EQ(code, CSPLOOP_EMFILE) << few;
            EXPECT_EQ(loop, nullptr);
            EXPECT_EQ(numbers(), before) << "with " << few << " descriptors";
            EXPECT_FALSE(made) << "with fewer it could be made";
            refused = true;
        } else {
            made = true;
            csploop_unref(loop);
        }
    }
    EXPECT_TRUE(refused);
    EXPECT_TRUE(made);
}
