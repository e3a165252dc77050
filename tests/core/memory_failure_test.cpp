// Memory runs out: each allocation in turn fails once. The call says ENOMEM, has done nothing, and works when it is
// repeated; a turn that was cut short is gone on with by the next one.
#include "support/failing_new.hpp"

#include <csploop.h>

#include <arpa/inet.h>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

// One run, with the allocation number `fails_at` inside csploop's calls failing. Callbacks must not allocate.
class Scenario {
public:
    Scenario(csploop_poller poller, long fails_at) : memory_(fails_at) {
        csploop_options options = CSPLOOP_OPTIONS_INIT;
        options.poller = poller;
        EXPECT_EQ(csploop_new(&loop_, &options), 0);
    }
    ~Scenario() {
        EXPECT_EQ(csploop_close(loop_), 0);
        csploop_unref(loop_);
        for (const int fd : fds_)
            ::close(fd);
    }
    Scenario(const Scenario &) = delete;
    Scenario &operator=(const Scenario &) = delete;

    bool failed() const { return memory_.failed(); }

    void play() {
        for (int i = 0; i < each; ++i) {
            again([&] { return csploop_call_soon(loop_, nullptr, count, &soon_[i]); });
            again([&] { return csploop_call_later(loop_, nullptr, 0, count, &later_[i]); });
            again([&] { return csploop_post(loop_, count, &posts_[i]); });
            again([&] { return csploop_call_later(loop_, nullptr, 0, nullptr, &batched_[i]); });
        }
        csploop_id ids[each];
        again([&] { return csploop_ids_reserve(loop_, ids, each); });
        for (const csploop_id id : ids)
            EXPECT_EQ(csploop_cancel(loop_, id), 0);
        listen_and_connect();
        stream_and_watcher();
        for (int turn = 0; turn < 50 && !done(); ++turn)
            one_turn();
        for (int i = 0; i < each; ++i) {
            EXPECT_EQ(soon_[i], 1) << i;
            EXPECT_EQ(later_[i], 1) << i;
            EXPECT_EQ(posts_[i], 1) << i;
            EXPECT_EQ(batched_[i], 1) << i;
        }
        EXPECT_EQ(accepted_ + refused_, clients);
        EXPECT_LE(refused_, failed() ? 1 : 0);
        EXPECT_STREQ(read_, "hello");
        EXPECT_GE(watched_, 1);
    }

private:
    static constexpr int each = 40;
    static constexpr int clients = 3;

    template <class Call>
    void again(Call call) {
        const int code = memory_.again(call);
        ASSERT_EQ(code, 0) << csploop_strerror(code);
    }
    void listen_and_connect() {
        csploop_id listener = 0;
        again([&] { return csploop_tcp_listen(loop_, &listener, "127.0.0.1", 0, nullptr, on_accept, this); });
        sockaddr_in address{};
        socklen_t length = sizeof address;
        ASSERT_EQ(getsockname(csploop_stream_fd(loop_, listener), reinterpret_cast<sockaddr *>(&address), &length), 0);
        for (int i = 0; i < clients; ++i) {
            const int fd = keep(socket(AF_INET, SOCK_STREAM, 0));
            ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&address), length), 0);
        }
    }
    void stream_and_watcher() {
        int fds[2];
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        csploop_id id = 0;
        again([&] { return csploop_stream_adopt(loop_, &id, fds[0], nullptr, on_read, this); });
        again([&] { return csploop_stream_read_start(loop_, id, CSPLOOP_READ_SLAB); });
        ASSERT_EQ(::send(keep(fds[1]), "hello", 5, 0), 5);
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        keep(fds[0]);
        keep(fds[1]);
        again([&] { return csploop_watch(loop_, nullptr, fds[0], CSPLOOP_WATCH_WRITE, on_watch, this); });
    }
    void one_turn() {
        csploop_record records[8];
        csploop_batch batch{};
        batch.size = sizeof batch;
        batch.records = records;
        batch.capacity = 8;
        const int n = memory_.armed([&] { return csploop_turn(loop_, &batch, 0); });
        ASSERT_TRUE(n >= 0 || n == CSPLOOP_ENOMEM) << csploop_strerror(n);
        for (int i = 0; i < n; ++i)
            ++*reinterpret_cast<int *>(records[i].token);
    }
    bool done() const {
        for (int i = 0; i < each; ++i)
            if (!soon_[i] || !later_[i] || !posts_[i] || !batched_[i])
                return false;
        return accepted_ + refused_ == clients && std::strlen(read_) == 5 && watched_;
    }
    int keep(int fd) {
        fds_.push_back(fd);
        return fd;
    }

    static void count(csploop_t *, const csploop_record *, void *arg) { ++*static_cast<int *>(arg); }
    // Where memory lacks for a client that is accepted already, accepting pauses and says so, as with descriptors.
    static void on_accept(csploop_t *loop, const csploop_record *record, void *arg) {
        auto *const scenario = static_cast<Scenario *>(arg);
        EXPECT_EQ(record->kind, CSPLOOP_KIND_ACCEPT);
        if (record->result > 0) {
            ++scenario->accepted_;
            return;
        }
        EXPECT_EQ(record->result, CSPLOOP_ENOMEM);
        ++scenario->refused_;
        EXPECT_EQ(csploop_listener_resume(loop, record->id), 0);
    }
    static void on_read(csploop_t *loop, const csploop_record *record, void *arg) {
        auto *const scenario = static_cast<Scenario *>(arg);
        EXPECT_EQ(record->kind, CSPLOOP_KIND_READ);
        const auto *const slab = static_cast<const char *>(csploop_slab(loop, nullptr));
        std::strncat(scenario->read_, slab + record->offset, static_cast<size_t>(record->result));
    }
    static void on_watch(csploop_t *, const csploop_record *, void *arg) { ++static_cast<Scenario *>(arg)->watched_; }

    csploop_t *loop_ = nullptr;
    csploop_test::FailingNew memory_;
    std::vector<int> fds_;
    int soon_[each] = {}, later_[each] = {}, posts_[each] = {}, batched_[each] = {};
    int accepted_ = 0, refused_ = 0, watched_ = 0;
    char read_[64] = "";
};

} // namespace

class MemoryFailure : public testing::TestWithParam<csploop_poller> {};

TEST_P(MemoryFailure, NothingIsLostAndNothingDoneTwice) {
    long fails_at = 0;
    for (bool failed = true; failed && !HasFailure(); ++fails_at) {
        SCOPED_TRACE("allocation " + std::to_string(fails_at));
        Scenario scenario(GetParam(), fails_at);
        scenario.play();
        failed = scenario.failed();
    }
    EXPECT_GT(fails_at, 20) << "so few allocations cannot be all of them";
}

#if defined(__linux__)
INSTANTIATE_TEST_SUITE_P(, MemoryFailure, testing::Values(CSPLOOP_POLLER_EPOLL, CSPLOOP_POLLER_UV),
                         [](const auto &info) { return info.param == CSPLOOP_POLLER_UV ? "Uv" : "Epoll"; });
#else
INSTANTIATE_TEST_SUITE_P(, MemoryFailure, testing::Values(CSPLOOP_POLLER_UV), [](const auto &) { return "Uv"; });
#endif
