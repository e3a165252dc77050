// Every function that takes a loop and answers with a code, for tests that expect one answer of them all.
#pragma once

#include <csploop.h>
#include <functional>
#include <vector>

namespace csploop_test {

inline void ignore_record(csploop_t *, const csploop_record *, void *) {}

struct Call {
    const char *name;
    std::function<int64_t(csploop_t *)> call;
};

// Every function that takes a loop and belongs on its thread, with arguments that are right but for the loop.
inline std::vector<Call> loop_thread_calls() {
    static csploop_id id;
    static int64_t number;
    static char text[128];
    static csploop_bridge_t *bridge;
    return {
        {"detach", [](csploop_t *l) { return csploop_detach(l); }},
        {"run", [](csploop_t *l) { return csploop_run(l, CSPLOOP_RUN_NOWAIT); }},
        {"turn", [](csploop_t *l) { return csploop_turn(l, nullptr, 0); }},
        {"submit", [](csploop_t *l) { return csploop_submit(l, nullptr); }},
        {"ids_reserve", [](csploop_t *l) { return csploop_ids_reserve(l, &id, 1); }},
        {"next_deadline", [](csploop_t *l) { return csploop_next_deadline(l, &number); }},
        {"clock_set", [](csploop_t *l) { return csploop_clock_set(l, 1); }},
        {"call_soon", [](csploop_t *l) { return csploop_call_soon(l, &id, ignore_record, nullptr); }},
        {"call_later", [](csploop_t *l) { return csploop_call_later(l, &id, 1, ignore_record, nullptr); }},
        {"call_at", [](csploop_t *l) { return csploop_call_at(l, &id, 1, ignore_record, nullptr); }},
        {"call_at_wall", [](csploop_t *l) { return csploop_call_at_wall(l, &id, 1, ignore_record, nullptr); }},
        {"cancel", [](csploop_t *l) { return csploop_cancel(l, 1); }},
        {"bridge_new", [](csploop_t *l) { return csploop_bridge_new(l, &bridge, nullptr, ignore_record, nullptr); }},
        {"watch", [](csploop_t *l) { return csploop_watch(l, &id, 0, CSPLOOP_WATCH_READ, ignore_record, nullptr); }},
        {"watch_modify", [](csploop_t *l) { return csploop_watch_modify(l, 1, CSPLOOP_WATCH_READ); }},
        {"unwatch", [](csploop_t *l) { return csploop_unwatch(l, 1); }},
        {"tcp_listen",
         [](csploop_t *l) { return csploop_tcp_listen(l, &id, "127.0.0.1", 0, nullptr, ignore_record, nullptr); }},
        {"unix_listen",
         [](csploop_t *l) { return csploop_unix_listen(l, &id, "@csploop-misuse", nullptr, ignore_record, nullptr); }},
        {"listener_adopt",
         [](csploop_t *l) { return csploop_listener_adopt(l, &id, 0, nullptr, ignore_record, nullptr); }},
        {"listener_pause", [](csploop_t *l) { return csploop_listener_pause(l, 1); }},
        {"listener_resume", [](csploop_t *l) { return csploop_listener_resume(l, 1); }},
        {"tcp_connect",
         [](csploop_t *l) { return csploop_tcp_connect(l, &id, "127.0.0.1", 1, nullptr, ignore_record, nullptr); }},
        {"unix_connect",
         [](csploop_t *l) { return csploop_unix_connect(l, &id, "@csploop-misuse", nullptr, ignore_record, nullptr); }},
        {"stream_adopt", [](csploop_t *l) { return csploop_stream_adopt(l, &id, 0, nullptr, ignore_record, nullptr); }},
        {"stream_set_handler", [](csploop_t *l) { return csploop_stream_set_handler(l, 1, ignore_record, nullptr); }},
        {"stream_read_start", [](csploop_t *l) { return csploop_stream_read_start(l, 1, CSPLOOP_READ_SLAB); }},
        {"stream_read_stop", [](csploop_t *l) { return csploop_stream_read_stop(l, 1); }},
        {"stream_read_into", [](csploop_t *l) { return csploop_stream_read_into(l, 1, text, sizeof text); }},
        {"stream_write", [](csploop_t *l) { return csploop_stream_write(l, 1, "x", 1); }},
        {"stream_write_ref",
         [](csploop_t *l) { return csploop_stream_write_ref(l, 1, "x", 1, ignore_record, nullptr); }},
        {"stream_flush", [](csploop_t *l) { return csploop_stream_flush(l, 1); }},
        {"stream_buffered", [](csploop_t *l) { return csploop_stream_buffered(l, 1); }},
        {"stream_shutdown", [](csploop_t *l) { return csploop_stream_shutdown(l, 1); }},
        {"stream_close", [](csploop_t *l) { return csploop_stream_close(l, 1, CSPLOOP_CLOSE_DRAIN); }},
        {"stream_fd", [](csploop_t *l) { return csploop_stream_fd(l, 1); }},
        {"stream_local_address", [](csploop_t *l) { return csploop_stream_local_address(l, 1, text, sizeof text); }},
        {"stream_peer_address", [](csploop_t *l) { return csploop_stream_peer_address(l, 1, text, sizeof text); }},
        {"udp_bind",
         [](csploop_t *l) { return csploop_udp_bind(l, &id, "127.0.0.1", 0, nullptr, ignore_record, nullptr); }},
        {"udp_adopt", [](csploop_t *l) { return csploop_udp_adopt(l, &id, 0, nullptr, ignore_record, nullptr); }},
        {"udp_connect", [](csploop_t *l) { return csploop_udp_connect(l, 1, "127.0.0.1", 1); }},
        {"udp_read_start", [](csploop_t *l) { return csploop_udp_read_start(l, 1); }},
        {"udp_read_stop", [](csploop_t *l) { return csploop_udp_read_stop(l, 1); }},
        {"udp_send", [](csploop_t *l) { return csploop_udp_send(l, 1, "x", 1); }},
        {"udp_send_to", [](csploop_t *l) { return csploop_udp_send_to(l, 1, "x", 1, text, 16); }},
        {"udp_flush", [](csploop_t *l) { return csploop_udp_flush(l, 1); }},
        {"udp_buffered", [](csploop_t *l) { return csploop_udp_buffered(l, 1, nullptr); }},
        {"udp_close", [](csploop_t *l) { return csploop_udp_close(l, 1, CSPLOOP_CLOSE_ABORT); }},
        {"udp_fd", [](csploop_t *l) { return csploop_udp_fd(l, 1); }},
        {"udp_local_address", [](csploop_t *l) { return csploop_udp_local_address(l, 1, text, sizeof text); }},
        {"udp_peer_address", [](csploop_t *l) { return csploop_udp_peer_address(l, 1, text, sizeof text); }},
        // A descriptor that is bad in itself changes nothing about who may call, and when.
        {"watch of no descriptor",
         [](csploop_t *l) { return csploop_watch(l, &id, -1, CSPLOOP_WATCH_READ, ignore_record, nullptr); }},
    };
}

inline std::vector<Call> any_thread_calls() {
    return {
        {"attach", [](csploop_t *l) { return csploop_attach(l); }},
        {"stop", [](csploop_t *l) { return csploop_stop(l); }},
        {"wake", [](csploop_t *l) { return csploop_wake(l); }},
        {"backend_fd", [](csploop_t *l) { return csploop_backend_fd(l); }},
        {"post", [](csploop_t *l) { return csploop_post(l, ignore_record, nullptr); }},
    };
}

} // namespace csploop_test
