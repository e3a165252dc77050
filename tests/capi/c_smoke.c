/* A plain C program that uses a bit of everything: an echo server and its client, timers, a bridge, a post. */
#include <csploop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

static const char question[] = "what is the answer?";

struct world {
    csploop_id listener, server, client;
    csploop_bridge_t *bridge;
    char answer[64];
    size_t answer_length;
    int timers, posts, written, closed, drained;
};

static void on_timer(csploop_t *loop, const csploop_record *record, void *arg) {
    struct world *world = arg;
    CHECK(record->kind == CSPLOOP_KIND_TIMER);
    CHECK(record->result <= csploop_now(loop));
    ++world->timers;
}

static void on_post(csploop_t *loop, const csploop_record *record, void *arg) {
    struct world *world = arg;
    (void)loop;
    CHECK(record->kind == CSPLOOP_KIND_POST);
    ++world->posts;
}

static void on_bridge(csploop_t *loop, const csploop_record *record, void *arg) {
    struct world *world = arg;
    uint32_t items = 0;
    int numbers[8];
    (void)loop;
    if (record->kind != CSPLOOP_KIND_BRIDGE)
        return;
    CHECK(csploop_bridge_drain(world->bridge, &items, NULL, numbers, sizeof numbers) == 0);
    for (uint32_t i = 0; i < items; ++i)
        CHECK(numbers[i] == world->drained + (int)i);
    world->drained += (int)items;
}

static void on_server(csploop_t *loop, const csploop_record *record, void *arg) {
    struct world *world = arg;
    const char *slab = csploop_slab(loop, NULL);
    switch (record->kind) {
    case CSPLOOP_KIND_ACCEPT:
        CHECK(record->result > 0);
        world->server = (csploop_id)record->result;
        CHECK(csploop_stream_read_start(loop, world->server, CSPLOOP_READ_SLAB) == 0);
        break;
    case CSPLOOP_KIND_READ:
        CHECK(csploop_stream_write(loop, record->id, slab + record->offset, (size_t)record->result) == 0);
        break;
    case CSPLOOP_KIND_EOF:
        CHECK(csploop_stream_close(loop, record->id, CSPLOOP_CLOSE_DRAIN) == 0);
        break;
    case CSPLOOP_KIND_CLOSED:
        ++world->closed;
        break;
    default:
        break;
    }
}

static void on_written(csploop_t *loop, const csploop_record *record, void *arg) {
    struct world *world = arg;
    (void)loop;
    CHECK(record->kind == CSPLOOP_KIND_WRITTEN);
    CHECK(record->result == (int64_t)sizeof question);
    ++world->written;
}

static void on_client(csploop_t *loop, const csploop_record *record, void *arg) {
    struct world *world = arg;
    const char *slab = csploop_slab(loop, NULL);
    switch (record->kind) {
    case CSPLOOP_KIND_CONNECT:
        CHECK(record->result == 0);
        CHECK(csploop_stream_read_start(loop, record->id, CSPLOOP_READ_SLAB) == 0);
        CHECK(csploop_stream_write_ref(loop, record->id, question, sizeof question, on_written, arg) == 0);
        break;
    case CSPLOOP_KIND_READ:
        CHECK(world->answer_length + (size_t)record->result <= sizeof world->answer);
        memcpy(world->answer + world->answer_length, slab + record->offset, (size_t)record->result);
        world->answer_length += (size_t)record->result;
        if (world->answer_length == sizeof question) {
            CHECK(csploop_stream_shutdown(loop, record->id) == 0);
            CHECK(csploop_stream_close(loop, world->listener, CSPLOOP_CLOSE_ABORT) == 0);
        }
        break;
    case CSPLOOP_KIND_EOF:
        CHECK(csploop_stream_close(loop, record->id, CSPLOOP_CLOSE_DRAIN) == 0);
        break;
    case CSPLOOP_KIND_CLOSED:
        ++world->closed;
        break;
    default:
        break;
    }
}

static void on_stop(csploop_t *loop, const csploop_record *record, void *arg) {
    (void)record;
    (void)arg;
    CHECK(csploop_stop(loop) == 0);
}

int main(void) {
    struct world world;
    csploop_t *loop = NULL;
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    csploop_bridge_options bridge_options = CSPLOOP_BRIDGE_OPTIONS_INIT;
    csploop_bridge_counts counts;
    csploop_id cancelled = 0;
    char address[128];
    const char *colon;

    alarm(50);
    memset(&world, 0, sizeof world);
    CHECK(csploop_version() == CSPLOOP_VERSION_MAJOR * 1000000 + CSPLOOP_VERSION_MINOR * 1000 + CSPLOOP_VERSION_PATCH);
    CHECK(csploop_new(&loop, &options) == 0);
    CHECK(strcmp(csploop_error_name(csploop_cancel(loop, 12345)), "EINVAL") == 0 ||
          strcmp(csploop_error_name(csploop_cancel(loop, 12345)), "EBADID") == 0);

    CHECK(csploop_call_later(loop, NULL, 1000, on_timer, &world) == 0);
    CHECK(csploop_call_later(loop, &cancelled, 1000, on_timer, &world) == 0);
    CHECK(csploop_cancel(loop, cancelled) == 0);
    CHECK(csploop_post(loop, on_post, &world) == 0);

    bridge_options.record_size = sizeof(int);
    bridge_options.policy = CSPLOOP_BRIDGE_FAIL;
    CHECK(csploop_bridge_new(loop, &world.bridge, &bridge_options, on_bridge, &world) == 0);
    for (int i = 0; i < 20; ++i)
        CHECK(csploop_bridge_push(world.bridge, &i, sizeof i) == 0);

    CHECK(csploop_tcp_listen(loop, &world.listener, "127.0.0.1", 0, NULL, on_server, &world) == 0);
    CHECK(csploop_stream_local_address(loop, world.listener, address, sizeof address) > 0);
    colon = strrchr(address, ':');
    CHECK(colon != NULL);
    CHECK(csploop_tcp_connect(loop, &world.client, "127.0.0.1", atoi(colon + 1), NULL, on_client, &world) == 0);

    while (world.closed < 3 || world.timers < 1 || world.drained < 20)
        CHECK(csploop_run(loop, CSPLOOP_RUN_ONCE) == 0);
    CHECK(world.timers == 1 && world.posts == 1 && world.written == 1);
    CHECK(world.answer_length == sizeof question && memcmp(world.answer, question, sizeof question) == 0);

    counts.size = sizeof counts;
    CHECK(csploop_bridge_stats(world.bridge, &counts) == 0);
    CHECK(counts.pushed == 20 && counts.drained == 20 && counts.dropped == 0);
    CHECK(csploop_bridge_unref(world.bridge) == NULL);

    CHECK(csploop_call_soon(loop, NULL, on_stop, NULL) == 0);
    CHECK(csploop_run(loop, CSPLOOP_RUN_FOREVER) == 0);
    CHECK(csploop_close(loop) == 0);
    CHECK(csploop_wake(loop) == CSPLOOP_ECLOSED);
    CHECK(csploop_unref(loop) == NULL);
    puts("ok");
    return 0;
}
