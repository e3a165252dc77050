// The fixture of the stream tests: streams of the loop under test, with plain sockets as their peers.
#pragma once

#include "harness.hpp"
#include "sockets.hpp"

#include <filesystem>

namespace csploop_test {

struct Stream {
    csploop_id id = 0;
    Fd far; // the peer's end, in the test's hands
};

struct Listener {
    csploop_id id = 0;
    int port = 0;
};

inline csploop_stream_options stream_options(uint32_t flags = 0, uint32_t high_water = 0, int32_t backlog = 0) {
    return {sizeof(csploop_stream_options), flags, high_water, backlog};
}

// A path for a Unix socket that goes away again.
class SocketPath {
public:
    SocketPath() {
        char directory[] = "/tmp/csploop-test-XXXXXX";
        EXPECT_NE(mkdtemp(directory), nullptr);
        directory_ = directory;
    }
    ~SocketPath() { std::filesystem::remove_all(directory_); }
    std::string text() const { return directory_ + "/socket"; }

private:
    std::string directory_;
};

class StreamTest : public ModeTest {
protected:
    csploop_id adopt(int fd, const csploop_stream_options *options = nullptr) {
        csploop_id id = 0;
        EXPECT_EQ(csploop_stream_adopt(loop, &id, fd, options, h.fn(), h.arg()), 0);
        return id;
    }
    Stream pair(const csploop_stream_options *options = nullptr) {
        auto [near, far] = socket_pair();
        return {adopt(near.release(), options), std::move(far)};
    }
    Stream reading(csploop_read_mode mode = CSPLOOP_READ_SLAB) {
        Stream stream = pair();
        EXPECT_EQ(csploop_stream_read_start(loop, stream.id, mode), 0);
        return stream;
    }
    // A TCP stream that the loop accepted, and its plain client.
    Stream tcp() {
        const Listener listener = listen();
        Fd client = dial_tcp(listener.port);
        h.until([&] { return h.accepted(listener.id) != 0; }, "a connection");
        const csploop_id id = h.accepted(listener.id);
        EXPECT_EQ(csploop_stream_close(loop, listener.id, CSPLOOP_CLOSE_ABORT), 0);
        h.until_event(listener.id, CSPLOOP_KIND_CLOSED, "the listener's end");
        return {id, std::move(client)};
    }
    Listener listen(const csploop_stream_options *options = nullptr, const char *host = "127.0.0.1") {
        Listener listener;
        EXPECT_EQ(csploop_tcp_listen(loop, &listener.id, host, 0, options, h.fn(), h.arg()), 0);
        listener.port = port_of(csploop_stream_fd(loop, listener.id));
        return listener;
    }
    int write(csploop_id id, std::string_view data) { return csploop_stream_write(loop, id, data.data(), data.size()); }
    int write_ref(csploop_id id, std::string_view data) {
        return csploop_stream_write_ref(loop, id, data.data(), data.size(), h.fn(), h.arg());
    }
    void finish(csploop_id id, csploop_close_flags flags = CSPLOOP_CLOSE_ABORT) {
        EXPECT_EQ(csploop_stream_close(loop, id, flags), 0);
        h.until_event(id, CSPLOOP_KIND_CLOSED, "CLOSED");
    }
    std::string address(int (*of)(csploop_t *, csploop_id, char *, size_t), csploop_id id) {
        char text[128] = "?";
        const int length = of(loop, id, text, sizeof text);
        EXPECT_EQ(length, static_cast<int>(std::strlen(text))) << csploop_strerror(length);
        return text;
    }
    std::string local(csploop_id id) { return address(csploop_stream_local_address, id); }
    std::string peer(csploop_id id) { return address(csploop_stream_peer_address, id); }
};

} // namespace csploop_test
