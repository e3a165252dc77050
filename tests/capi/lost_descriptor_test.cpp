// Descriptors that somebody closes behind the core's back: whoever has the number then is left alone.
#include "support/descriptors.hpp"
#include "support/streams.hpp"
#include "support/udp.hpp"

#include <sys/eventfd.h>

using namespace csploop_test;

namespace {

// Somebody else's blocking socket in the place of a number that was adopted. The file that was there stays open in
// the test's hands where the system could still tell of it.
class Stranger {
public:
    explicit Stranger(int fd, int type = SOCK_STREAM) : fd_(fd) {
        int fds[2] = {-1, -1};
        EXPECT_EQ(socketpair(AF_UNIX, type, 0, fds), 0);
        shrink_buffers(fds[0]);
        EXPECT_EQ(dup2(fds[0], fd), fd);
        close(fds[0]);
        far_ = Fd(fds[1]);
    }
    ~Stranger() { close(fd_); }
    Stranger(const Stranger &) = delete;
    Stranger &operator=(const Stranger &) = delete;

    // Open, not shut down, still blocking; nothing has come from it, and what was sent to it is still to be read.
    void expect_untouched(std::string_view waiting = "") {
        EXPECT_TRUE(fd_is_open(fd_));
        EXPECT_FALSE(fcntl(fd_, F_GETFL) & O_NONBLOCK);
        EXPECT_EQ(receive_some(far_), "");
        EXPECT_FALSE(at_eof(far_));
        std::string got(waiting.size(), '\0');
        if (!waiting.empty()) {
            EXPECT_EQ(recv(fd_, got.data(), got.size(), MSG_DONTWAIT), static_cast<ssize_t>(waiting.size()));
        }
        EXPECT_EQ(got, waiting);
        EXPECT_EQ(send(fd_, "mine", 4, MSG_NOSIGNAL), 4);
        EXPECT_EQ(receive(far_, 4), "mine");
    }
    void hears(std::string_view data) { send_all(far_, data); }

private:
    int fd_;
    Fd far_;
};

} // namespace

class LostDescriptor : public StreamTest {
protected:
    struct Ours {
        csploop_id id = 0;
        int fd = -1;
        Fd far;
    };
    Ours ours(uint32_t flags = CSPLOOP_ADOPT_KEEP_FD, uint32_t high_water = 0) {
        auto [near, far] = socket_pair();
        const csploop_stream_options options = stream_options(flags, high_water);
        const int fd = near.release();
        return {adopt(fd, &options), fd, std::move(far)};
    }
    void expect_error(csploop_id id) {
        h.until_event(id, CSPLOOP_KIND_ERROR, "the error");
        EXPECT_EQ(h.first(id, CSPLOOP_KIND_ERROR).result, CSPLOOP_EBADF);
        EXPECT_EQ(h.count(id, CSPLOOP_KIND_ERROR), 1);
        EXPECT_EQ(write(id, "more"), CSPLOOP_EBADF);
    }
};
CSPLOOP_IN_ALL_MODES(LostDescriptor);

TEST_P(LostDescriptor, AWriteDoesNotReachTheNewOwner) {
    for (const uint32_t flags : {uint32_t{0}, uint32_t{CSPLOOP_ADOPT_KEEP_FD}}) {
        Ours o = ours(flags);
        ASSERT_EQ(write(o.id, "before"), 0);
        h.turn(0);
        EXPECT_EQ(receive(o.far, 6), "before");
        Stranger stranger(o.fd);
        ASSERT_EQ(write(o.id, "after"), 0);
        expect_error(o.id);
        stranger.expect_untouched();
        finish(o.id);
        stranger.expect_untouched();
    }
}

TEST_P(LostDescriptor, AWriteRightAfterARead) {
    Ours o = ours();
    ASSERT_EQ(csploop_stream_read_start(loop, o.id, CSPLOOP_READ_SLAB), 0);
    send_all(o.far, "question");
    h.until([&] { return h.text(o.id) == "question"; }, "the question");
    Stranger stranger(o.fd);
    ASSERT_EQ(write(o.id, "answer"), 0);
    expect_error(o.id);
    stranger.expect_untouched();
    finish(o.id);
    stranger.expect_untouched();
}

TEST_P(LostDescriptor, AWriteWithoutAnotherFileThere) {
    Ours o = ours();
    ::close(o.fd);
    ASSERT_EQ(write(o.id, "nowhere"), 0);
    expect_error(o.id);
    finish(o.id);
}

// More than a blocking socket takes: the call would not come back.
TEST_P(LostDescriptor, MuchDoesNotBlock) {
    const std::string much = pattern(500000);
    Ours copied = ours();
    Ours referenced = ours();
    Stranger first(copied.fd);
    Stranger second(referenced.fd);
    EXPECT_EQ(write(copied.id, much), 0);
    ASSERT_EQ(write_ref(referenced.id, much), 0);
    h.until_event(referenced.id, CSPLOOP_KIND_WRITTEN, "WRITTEN");
    EXPECT_EQ(h.first(referenced.id, CSPLOOP_KIND_WRITTEN).result, CSPLOOP_EBADF);
    expect_error(copied.id);
    expect_error(referenced.id);
    first.expect_untouched();
    second.expect_untouched();
    finish(copied.id);
    finish(referenced.id);
}

TEST_P(LostDescriptor, ReadingDoesNotBeginAtTheNewOwner) {
    Ours o = ours();
    Stranger stranger(o.fd);
    stranger.hears("not for us");
    EXPECT_EQ(csploop_stream_read_start(loop, o.id, CSPLOOP_READ_SLAB), CSPLOOP_EBADF);
    h.settle();
    EXPECT_EQ(h.text(o.id), "");
    finish(o.id);
    stranger.expect_untouched("not for us");
}

TEST_P(LostDescriptor, ReadingDoesNotGoOnAtTheNewOwner) {
    Ours o = ours();
    ASSERT_EQ(csploop_stream_read_start(loop, o.id, CSPLOOP_READ_SLAB), 0);
    send_all(o.far, "first");
    h.until([&] { return h.text(o.id) == "first"; }, "the first bytes");
    // Its own file is still open, so the system goes on telling of it.
    Fd twin(dup(o.fd));
    Stranger stranger(o.fd);
    stranger.hears("not for us");
    send_all(o.far, "second");
    expect_error(o.id);
    EXPECT_EQ(h.text(o.id), "first");
    finish(o.id);
    stranger.expect_untouched("not for us");
    EXPECT_EQ(receive(twin, 6), "second");
}

TEST_P(LostDescriptor, AnnouncedDataIsNotFetchedFromTheNewOwner) {
    Ours o = ours();
    ASSERT_EQ(csploop_stream_read_start(loop, o.id, CSPLOOP_READ_READY), 0);
    send_all(o.far, "ours");
    h.until_event(o.id, CSPLOOP_KIND_READABLE, "the announcement");
    Stranger stranger(o.fd);
    stranger.hears("not for us");
    char buffer[32];
    EXPECT_EQ(csploop_stream_read_into(loop, o.id, buffer, sizeof buffer), CSPLOOP_EBADF);
    expect_error(o.id);
    finish(o.id);
    stranger.expect_untouched("not for us");
}

TEST_P(LostDescriptor, ShuttingDownAndClosingSpareTheNewOwner) {
    for (const csploop_close_flags flags : {CSPLOOP_CLOSE_DRAIN, CSPLOOP_CLOSE_ABORT, CSPLOOP_CLOSE_RESET})
        for (const uint32_t keep : {uint32_t{0}, uint32_t{CSPLOOP_ADOPT_KEEP_FD}}) {
            Ours o = ours(keep);
            ASSERT_EQ(csploop_stream_read_start(loop, o.id, CSPLOOP_READ_SLAB), 0);
            Stranger stranger(o.fd);
            ASSERT_EQ(csploop_stream_shutdown(loop, o.id), 0);
            h.until_event(o.id, CSPLOOP_KIND_SHUTDOWN, "SHUTDOWN");
            EXPECT_EQ(h.first(o.id, CSPLOOP_KIND_SHUTDOWN).result, CSPLOOP_EBADF);
            finish(o.id, flags);
            stranger.expect_untouched();
        }
}

TEST_P(LostDescriptor, ClosingDoesNotWaitForWhatCannotBeSent) {
    Ours o = ours();
    shrink_buffers(o.fd);
    ASSERT_EQ(write(o.id, pattern(1 << 20)), 0);
    h.turn(0);
    ASSERT_GT(csploop_stream_buffered(loop, o.id), 0);
    Stranger stranger(o.fd);
    finish(o.id, CSPLOOP_CLOSE_DRAIN);
    EXPECT_EQ(h.first(o.id, CSPLOOP_KIND_ERROR).result, CSPLOOP_EBADF);
    stranger.expect_untouched();
}

TEST_P(LostDescriptor, TheLoopsEndSparesTheNewOwner) {
    csploop_t *other = nullptr;
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.poller = GetParam().poller;
    ASSERT_EQ(csploop_new(&other, &options), 0);
    auto [near, far] = socket_pair();
    csploop_id id = 0;
    const int fd = near.release();
    ASSERT_EQ(csploop_stream_adopt(other, &id, fd, nullptr, nullptr, nullptr), 0);
    Stranger stranger(fd);
    ASSERT_EQ(csploop_stream_write(other, id, "last words", 10), 0);
    EXPECT_EQ(csploop_close(other), 0);
    csploop_unref(other);
    stranger.expect_untouched();
}

TEST_P(LostDescriptor, TheNewOwnerCanBeAdopted) {
    Ours old = ours();
    ASSERT_EQ(csploop_stream_read_start(loop, old.id, CSPLOOP_READ_SLAB), 0);
    ::close(old.fd);
    auto [near, far] = socket_pair();
    if (near.get() != old.fd) {
        ASSERT_EQ(dup2(near.get(), old.fd), old.fd);
    } else {
        near.release();
    }
    const csploop_id fresh = adopt(old.fd);
    ASSERT_EQ(csploop_stream_read_start(loop, fresh, CSPLOOP_READ_SLAB), 0);
    near.close();
    send_all(far, "to the new one");
    h.until([&] { return h.text(fresh) == "to the new one"; }, "the bytes");
    finish(old.id);
    ASSERT_EQ(write(fresh, "from the new one"), 0);
    h.turn(0);
    EXPECT_EQ(receive(far, 16), "from the new one");
    finish(fresh);
}

TEST_P(LostDescriptor, AListenerAcceptsNothingOfTheNewOwner) {
    auto [own, port] = plain_listener();
    Fd twin(dup(own.get())); // what is still told of
    const int fd = own.release();
    csploop_id id = 0;
    const csploop_stream_options keep = stream_options(CSPLOOP_ADOPT_KEEP_FD);
    ASSERT_EQ(csploop_listener_adopt(loop, &id, fd, &keep, h.fn(), h.arg()), 0);
    auto [other, other_port] = plain_listener(); // blocking: accepting there would wait
    ASSERT_EQ(dup2(other.get(), fd), fd);
    Fd client = dial_tcp(port);
    h.until_event(id, CSPLOOP_KIND_ACCEPT, "the listener's word");
    EXPECT_EQ(h.first(id, CSPLOOP_KIND_ACCEPT).result, CSPLOOP_EBADF);
    EXPECT_EQ(csploop_listener_resume(loop, id), CSPLOOP_EBADF);
    finish(id);
    Fd theirs = dial_tcp(other_port);
    Fd accepted = accept_plain(Fd(fd));
    EXPECT_GE(accepted.get(), 0);
}

TEST_P(LostDescriptor, PipesToo) {
    auto [reader, writer] = pipe_pair();
    auto [reader2, writer2] = pipe_pair();
    const csploop_stream_options keep = stream_options(CSPLOOP_ADOPT_KEEP_FD);
    const int in_fd = reader.release();
    const int out_fd = writer2.release();
    const csploop_id in = adopt(in_fd, &keep);
    const csploop_id out = adopt(out_fd, &keep);
    ASSERT_EQ(csploop_stream_read_start(loop, in, CSPLOOP_READ_SLAB), 0);
    Fd twin(dup(in_fd));
    Stranger at_in(in_fd);
    Stranger at_out(out_fd);
    at_in.hears("not for us");
    ASSERT_EQ(::write(writer.get(), "ours", 4), 4);
    ASSERT_EQ(write(out, pattern(500000)), 0);
    expect_error(in);
    expect_error(out);
    EXPECT_EQ(h.text(in), "");
    finish(in);
    finish(out);
    at_in.expect_untouched("not for us");
    at_out.expect_untouched();
}

// Who shares an open file may have made it blocking.
TEST_P(LostDescriptor, ABlockingModeDoesNotBlockTheCore) {
    const auto make_blocking = [](int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK); };
    auto [near, far] = socket_pair();
    auto [reader, writer] = pipe_pair();
    auto [listening, port] = plain_listener();
    const int pipe_fd = writer.get();
    const int listener_fd = listening.get();
    const csploop_stream_options vouched = stream_options(CSPLOOP_ADOPT_VOUCHED);
    const csploop_id socket = adopt(near.get(), &vouched);
    make_blocking(near.release());
    const csploop_id pipe = adopt(writer.release());
    make_blocking(pipe_fd);
    csploop_id listener = 0;
    ASSERT_EQ(csploop_listener_adopt(loop, &listener, listening.release(), nullptr, h.fn(), h.arg()), 0);
    make_blocking(listener_fd);
    const std::string much = pattern(4 << 20);
    ASSERT_EQ(write(socket, much), 0);
    ASSERT_EQ(write(pipe, much), 0);
    Fd client = dial_tcp(port);
    h.until([&] { return h.accepted(listener) != 0; }, "the connection");
    EXPECT_GT(csploop_stream_buffered(loop, socket), 0);
    EXPECT_GT(csploop_stream_buffered(loop, pipe), 0);
    finish(socket);
    finish(pipe);
}

class LostWatcher : public ModeTest {
protected:
    csploop_id watch(int fd) {
        csploop_id id = 0;
        EXPECT_EQ(csploop_watch(loop, &id, fd, CSPLOOP_WATCH_READ, h.fn(), h.arg()), 0);
        return id;
    }
};
CSPLOOP_IN_ALL_MODES(LostWatcher);

TEST_P(LostWatcher, UnwatchingDoesNotDisturbTheNewOwner) {
    auto [near, far] = socket_pair();
    const int fd = near.release();
    const csploop_id old = watch(fd);
    Stranger stranger(fd);
    const csploop_id fresh = watch(fd);
    EXPECT_EQ(csploop_unwatch(loop, old), 0);
    stranger.hears("hello");
    h.until_event(fresh, CSPLOOP_KIND_WATCH, "the new watcher's event");
    EXPECT_EQ(csploop_unwatch(loop, fresh), 0);
    stranger.expect_untouched("hello");
}

TEST_P(LostWatcher, ASilentOneDoesNotBeginAtTheNewOwner) {
    auto [near, far] = socket_pair();
    const int fd = near.release();
    const csploop_id id = watch(fd);
    ASSERT_EQ(csploop_watch_modify(loop, id, 0), 0);
    Stranger stranger(fd);
    EXPECT_EQ(csploop_watch_modify(loop, id, CSPLOOP_WATCH_READ), CSPLOOP_EBADF);
    EXPECT_EQ(csploop_unwatch(loop, id), 0);
    stranger.expect_untouched();
}

#if defined(__linux__)
// All eventfds look the same to fstat.
TEST_P(LostWatcher, OneEventfdInAnothersPlace) {
    const int fd = eventfd(0, EFD_CLOEXEC);
    const csploop_id id = watch(fd);
    h.turn(0);
    Fd other(eventfd(0, EFD_CLOEXEC));
    ASSERT_EQ(dup2(other.get(), fd), fd);
    const int code = csploop_watch_modify(loop, id, CSPLOOP_WATCH_READ | CSPLOOP_WATCH_WRITE);
    EXPECT_TRUE(code == 0 || code == CSPLOOP_EBADF) << csploop_strerror(code);
    h.turn(0);
    EXPECT_EQ(csploop_unwatch(loop, id), 0);
    ::close(fd);
}
#endif

class LostDatagramSocket : public UdpTest {};
CSPLOOP_IN_ALL_MODES(LostDatagramSocket);

TEST_P(LostDatagramSocket, DatagramsDoNotLeaveByTheNewOwner) {
    Fd receiver = plain_udp();
    const std::string address = address_of("127.0.0.1", udp_port(receiver.get()));
    const csploop_udp_options keep = udp_options(CSPLOOP_UDP_KEEP_FD);
    Fd own = plain_udp();
    const int fd = own.release();
    const csploop_id id = adopt(fd, &keep);
    ASSERT_EQ(send_to(id, "before", address), 0);
    h.turn(0);
    EXPECT_EQ(receive_datagram(receiver), "before");
    Fd other = plain_udp();
    ASSERT_EQ(dup2(other.get(), fd), fd);
    ASSERT_EQ(send_to(id, "one", address), 0);
    ASSERT_EQ(send_to(id, "two", address), 0);
    h.until([&] { return h.count(id, CSPLOOP_KIND_DATAGRAM_ERROR) == 2; }, "an error for each");
    EXPECT_EQ(h.first(id, CSPLOOP_KIND_DATAGRAM_ERROR).result, CSPLOOP_EBADF);
    EXPECT_EQ(csploop_udp_connect(loop, id, "127.0.0.1", udp_port(receiver.get())), CSPLOOP_EBADF);
    EXPECT_TRUE(nothing_waits(receiver));
    finish(id);
    EXPECT_TRUE(fd_is_open(fd));
    EXPECT_FALSE(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ::close(fd);
}

TEST_P(LostDatagramSocket, DatagramsAreNotTakenFromTheNewOwner) {
    const csploop_udp_options keep = udp_options(CSPLOOP_UDP_KEEP_FD);
    int fds[2] = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
    Fd far(fds[1]);
    const csploop_id id = adopt(fds[0], &keep);
    ASSERT_EQ(csploop_udp_read_start(loop, id), 0);
    send_all(far, "ours");
    until_came(id, 1);
    Fd twin(dup(fds[0]));
    Stranger stranger(fds[0], SOCK_DGRAM);
    stranger.hears("not for us");
    send_all(far, "ours, too");
    h.until_event(id, CSPLOOP_KIND_DATAGRAM_ERROR, "the error");
    EXPECT_EQ(h.first(id, CSPLOOP_KIND_DATAGRAM_ERROR).result, CSPLOOP_EBADF);
    EXPECT_EQ(csploop_udp_read_start(loop, id), CSPLOOP_EBADF);
    EXPECT_EQ(came[id].size(), 1u);
    finish(id);
    char buffer[32];
    EXPECT_EQ(recv(fds[0], buffer, sizeof buffer, MSG_DONTWAIT), 10) << "it is still there";
}

TEST_P(LostDatagramSocket, ClosingDoesNotWaitForWhatCannotBeSent) {
    const csploop_udp_options keep = udp_options(CSPLOOP_UDP_KEEP_FD);
    auto [id, far] = unix_pair(&keep);
    const int fd = csploop_udp_fd(loop, id);
    clog(id);
    Stranger stranger(fd, SOCK_DGRAM);
    finish(id, CSPLOOP_CLOSE_DRAIN);
    EXPECT_GT(h.count(id, CSPLOOP_KIND_DATAGRAM_ERROR), 0);
    EXPECT_TRUE(fd_is_open(fd));
}
