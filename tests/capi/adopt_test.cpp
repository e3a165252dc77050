// Adopting descriptors: who owns what, before and after.
#include "support/streams.hpp"

#include <fcntl.h>

using namespace csploop_test;

class Adopt : public StreamTest {};
CSPLOOP_IN_ALL_MODES(Adopt);

TEST_P(Adopt, TakesTheDescriptorItself) {
    auto [near, far] = socket_pair();
    const int fd = near.release();
    const csploop_id id = adopt(fd);
    EXPECT_EQ(csploop_stream_fd(loop, id), fd) << "no duplicate is made";
    EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
    finish(id);
    EXPECT_EQ(h.first(id, CSPLOOP_KIND_CLOSED).result, -1);
    EXPECT_FALSE(fd_is_open(fd));
    EXPECT_TRUE(at_eof(far));
}

TEST_P(Adopt, FailureLeavesTheDescriptor) {
    csploop_id id = 0;
    char name[] = "/tmp/csploop-test-XXXXXX";
    Fd file(mkstemp(name));
    unlink(name);
    EXPECT_EQ(csploop_stream_adopt(loop, &id, file.get(), nullptr, h.fn(), h.arg()), CSPLOOP_EPERM);
    EXPECT_TRUE(fd_is_open(file.get()));
    EXPECT_EQ(csploop_listener_adopt(loop, &id, file.get(), nullptr, h.fn(), h.arg()), CSPLOOP_ENOTSOCK);
    EXPECT_TRUE(fd_is_open(file.get()));
    EXPECT_EQ(csploop_stream_adopt(loop, &id, -1, nullptr, h.fn(), h.arg()), CSPLOOP_EBADF);
    auto [gone, other] = socket_pair();
    const int closed = gone.get();
    gone.close();
    EXPECT_EQ(csploop_stream_adopt(loop, &id, closed, nullptr, h.fn(), h.arg()), CSPLOOP_EBADF);
    EXPECT_EQ(csploop_listener_adopt(loop, &id, closed, nullptr, h.fn(), h.arg()), CSPLOOP_EBADF);
}

TEST_P(Adopt, OneRegistrationPerDescriptor) {
    Stream stream = pair();
    const int fd = csploop_stream_fd(loop, stream.id);
    csploop_id id = 0;
    EXPECT_EQ(csploop_stream_adopt(loop, &id, fd, nullptr, h.fn(), h.arg()), CSPLOOP_EEXIST);
    EXPECT_EQ(csploop_watch(loop, &id, fd, CSPLOOP_WATCH_READ, h.fn(), h.arg()), CSPLOOP_EEXIST);
    EXPECT_TRUE(fd_is_open(fd));
    ASSERT_EQ(write(stream.id, "fine"), 0);
    h.turn(0);
    EXPECT_EQ(receive(stream.far, 4), "fine");
}

TEST_P(Adopt, NothingIsReadBeforeReadStart) {
    Stream stream = pair();
    send_all(stream.far, "early");
    h.settle();
    EXPECT_TRUE(h.log().empty());
    ASSERT_EQ(csploop_stream_read_start(loop, stream.id, CSPLOOP_READ_SLAB), 0);
    h.until([&] { return h.text(stream.id) == "early"; }, "the bytes");
}

TEST_P(Adopt, KeepFdGivesTheDescriptorBack) {
    auto [near, far] = socket_pair();
    const csploop_stream_options options = stream_options(CSPLOOP_ADOPT_KEEP_FD);
    const csploop_id id = adopt(near.get(), &options);
    ASSERT_EQ(write(id, "sent first"), 0);
    finish(id, CSPLOOP_CLOSE_DRAIN);
    EXPECT_EQ(h.first(id, CSPLOOP_KIND_CLOSED).result, near.get());
    EXPECT_EQ(receive(far, 10), "sent first");
    send_all(far, "still open");
    EXPECT_EQ(receive(near, 10), "still open");
    const csploop_id again = adopt(near.get(), &options);
    finish(again);
    EXPECT_TRUE(fd_is_open(near.get()));
}

TEST_P(Adopt, KeepFdSurvivesTheLoop) {
    auto [near, far] = socket_pair();
    csploop_t *other = nullptr;
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    options.poller = GetParam().poller;
    ASSERT_EQ(csploop_new(&other, &options), 0);
    const csploop_stream_options keep = stream_options(CSPLOOP_ADOPT_KEEP_FD);
    csploop_id id = 0;
    ASSERT_EQ(csploop_stream_adopt(other, &id, near.get(), &keep, nullptr, nullptr), 0);
    ASSERT_EQ(csploop_stream_write(other, id, "last try", 8), 0);
    EXPECT_EQ(csploop_close(other), 0);
    csploop_unref(other);
    EXPECT_TRUE(fd_is_open(near.get()));
    EXPECT_EQ(receive_some(far), "last try") << "close tries once more to send";
}

TEST_P(Adopt, AcceptKeepFdAppliesToAcceptedStreams) {
    const csploop_stream_options options = stream_options(CSPLOOP_ACCEPT_KEEP_FD);
    const Listener listener = listen(&options);
    Fd client = dial_tcp(listener.port);
    h.until([&] { return h.accepted(listener.id) != 0; }, "the connection");
    const csploop_id id = h.accepted(listener.id);
    const int fd = csploop_stream_fd(loop, id);
    finish(id);
    EXPECT_EQ(h.first(id, CSPLOOP_KIND_CLOSED).result, fd);
    EXPECT_TRUE(fd_is_open(fd));
    Fd owned(fd);
    send_all(owned, "yes");
    EXPECT_EQ(receive(client, 3), "yes");
}

TEST_P(Adopt, PipesCanBeReadAndWritten) {
    auto [reader, writer] = pipe_pair();
    auto [reader2, writer2] = pipe_pair();
    const csploop_id in = adopt(reader.release());
    const csploop_id out = adopt(writer2.release());
    ASSERT_EQ(csploop_stream_read_start(loop, in, CSPLOOP_READ_SLAB), 0);
    ASSERT_EQ(::write(writer.get(), "from a pipe", 11), 11);
    h.until([&] { return h.text(in) == "from a pipe"; }, "the pipe's bytes");
    ASSERT_EQ(write(out, "into a pipe"), 0);
    h.turn(0);
    char buffer[32];
    ASSERT_EQ(read(reader2.get(), buffer, sizeof buffer), 11);
    EXPECT_EQ(std::string(buffer, 11), "into a pipe");
    writer.close();
    h.until_event(in, CSPLOOP_KIND_EOF, "the pipe's end");
}

TEST_P(Adopt, AReusedDescriptorNumberIsAFreshRegistration) {
    for (int round = 0; round < 20; ++round) {
        Stream stream = reading();
        send_all(stream.far, "again");
        h.until([&] { return h.text(stream.id) == "again"; }, "the bytes");
        finish(stream.id);
    }
}

TEST_P(Adopt, AddressesAreCheckedForRoom) {
    Stream stream = tcp();
    char text[8];
    EXPECT_EQ(csploop_stream_local_address(loop, stream.id, text, sizeof text), CSPLOOP_ENOBUFS);
    EXPECT_EQ(csploop_stream_peer_address(loop, stream.id, text, 0), CSPLOOP_ENOBUFS);
    EXPECT_EQ(csploop_stream_local_address(loop, stream.id, nullptr, 128), CSPLOOP_EINVAL);
    Stream unnamed = pair();
    EXPECT_EQ(local(unnamed.id), "");
}
