// The C++ owners of csploop.hpp.
#include <csploop/csploop.hpp>

#include "support/alarm.hpp"
#include "support/sockets.hpp"

#include <array>
#include <stdexcept>
#include <thread>

using namespace csploop_test;
using namespace std::chrono_literals;

namespace {

csploop::Loop make() {
    return csploop::Loop::make().value();
}

} // namespace

TEST(Hpp, CallablesCaptureAndRun) {
    csploop::Loop loop = make();
    std::vector<int> order;
    ASSERT_TRUE(loop.call_soon([&, text = std::string("kept alive")](const csploop_record &) {
        EXPECT_EQ(text, "kept alive");
        order.push_back(1);
    }));
    ASSERT_TRUE(loop.call_later(1us, [&](const csploop_record &record) {
        EXPECT_EQ(record.kind, CSPLOOP_KIND_TIMER);
        order.push_back(2);
        loop.stop().value();
    }));
    loop.run().value();
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(Hpp, CallablesGoWithTheirLastRecord) {
    csploop::Loop loop = make();
    auto token = std::make_shared<int>(0);
    auto holder = [token](const csploop_record &) {};
    ASSERT_TRUE(loop.call_soon(holder));
    ASSERT_TRUE(loop.post(holder));
    const csploop_id later = loop.call_later(1h, holder).value();
    ASSERT_TRUE(loop.call_at_wall(INT64_MAX, holder));
    EXPECT_EQ(token.use_count(), 6) << "ours, the holder's, and four callables'";
    loop.turn(nullptr, 0ns).value();
    EXPECT_EQ(token.use_count(), 4);
    loop.cancel(later).value();
    EXPECT_EQ(token.use_count(), 3);
    EXPECT_EQ(loop.cancel(later).code(), CSPLOOP_EBADID);
    loop.close().value();
    EXPECT_EQ(token.use_count(), 2) << "closing lets go of the rest";
}

TEST(Hpp, ErrorsAreValuesUntilAskedFor) {
    csploop::Loop loop = make();
    const csploop::Result<csploop_id> failed = loop.watch(-1, CSPLOOP_WATCH_READ, [](const csploop_record &) {});
    EXPECT_FALSE(failed);
    EXPECT_EQ(failed.code(), CSPLOOP_EBADF);
    EXPECT_STREQ(failed.error().name(), "EBADF");
    EXPECT_THROW(loop.cancel(12345).value(), csploop::Failure);
    try {
        loop.unwatch(12345).value();
    } catch (const csploop::Failure &failure) {
        EXPECT_EQ(failure.error().code(), CSPLOOP_EBADID);
        EXPECT_STREQ(failure.what(), csploop_strerror(CSPLOOP_EBADID));
    }
    csploop_options wrong = CSPLOOP_OPTIONS_INIT;
    wrong.clock = 77;
    EXPECT_EQ(csploop::Loop::make(wrong).code(), CSPLOOP_EINVAL);
}

TEST(Hpp, AnExceptionLeavesByRunOrTurn) {
    csploop::Loop loop = make();
    int others = 0;
    ASSERT_TRUE(loop.call_soon([](const csploop_record &) { throw std::domain_error("mine"); }));
    ASSERT_TRUE(loop.call_soon([&](const csploop_record &) { ++others; }));
    EXPECT_THROW(loop.run().value(), std::domain_error);
    EXPECT_EQ(others, 1) << "the rest of the turn has run";
    ASSERT_TRUE(loop.call_soon([](const csploop_record &) { throw std::domain_error("again"); }));
    EXPECT_THROW(loop.turn(nullptr, 0ns).value(), std::domain_error);
    loop.turn(nullptr, 0ns).value();
}

TEST(Hpp, WhatACallableHoldsMayCallTheLoopAsItGoes) {
    csploop::Loop loop = make();
    struct Last {
        csploop::Loop *loop;
        int code;
        explicit Last(csploop::Loop *of, int expected) : loop(of), code(expected) {}
        ~Last() {
            EXPECT_EQ(loop->post([](const csploop_record &) {}).code(), code);
        }
    };
    auto on_close = std::make_shared<Last>(&loop, CSPLOOP_ECLOSED);
    ASSERT_TRUE(loop.post([last = std::move(on_close)](const csploop_record &) {}));
    waiting_for = "the loop to close";
    EXPECT_TRUE(loop.close());
    {
        csploop::Loop gone = make();
        auto on_end = std::make_shared<Last>(&gone, CSPLOOP_ECLOSED);
        ASSERT_TRUE(gone.post([last = std::move(on_end)](const csploop_record &) {}));
        waiting_for = "a loop to be destroyed";
    }
    auto on_refusal = std::make_shared<Last>(&loop, CSPLOOP_ECLOSED);
    waiting_for = "a post to be refused";
    EXPECT_EQ(loop.post([last = std::move(on_refusal)](const csploop_record &) {}).code(), CSPLOOP_ECLOSED);
}

// The old handler goes at once, and a record that has completed already must not reach it.
TEST(Hpp, AReplacedHandlerHearsNothingMore) {
    csploop::Loop loop = make();
    auto [near, far] = socket_pair();
    std::string heard;
    const csploop_id id = loop.adopt(near.release(), [&](const csploop_record &) { heard += "old"; }).value();
    loop.read_start(id).value();
    send_all(far, "x");
    ASSERT_TRUE(loop.call_soon([&](const csploop_record &) {
        loop.set_handler(id,
                         [&](const csploop_record &record) {
                             heard += record.kind == CSPLOOP_KIND_READ ? loop.bytes(record) : "";
                         })
            .value();
    }));
    waiting_for = "the byte";
    while (heard.empty())
        loop.turn().value();
    EXPECT_EQ(heard, "x");
}

TEST(Hpp, MovingALoopKeepsItsCallables) {
    csploop::Loop first = make();
    int calls = 0;
    ASSERT_TRUE(first.call_soon([&](const csploop_record &) { ++calls; }));
    csploop::Loop second = std::move(first);
    second.turn(nullptr, 0ns).value();
    EXPECT_EQ(calls, 1);
    second = make();
    second.turn(nullptr, 0ns).value();
    EXPECT_EQ(calls, 1);
}

TEST(Hpp, PostWorksFromThreads) {
    csploop::Loop loop = make();
    int calls = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i)
                loop.post([&](const csploop_record &) { ++calls; }).value();
        });
    waiting_for = "the posts";
    while (calls < 2000)
        loop.turn().value();
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(calls, 2000);
}

TEST(Hpp, AnEchoServerAndItsClient) {
    csploop::Loop loop = make();
    int closed = 0;
    std::string answer;
    const csploop_id listener = loop.tcp_listen("127.0.0.1", 0,
                                                [&](const csploop_record &record) {
                                                    switch (record.kind) {
                                                    case CSPLOOP_KIND_ACCEPT:
                                                        loop.read_start(static_cast<csploop_id>(record.result)).value();
                                                        break;
                                                    case CSPLOOP_KIND_READ:
                                                        loop.write(record.id, loop.bytes(record)).value();
                                                        break;
                                                    case CSPLOOP_KIND_EOF:
                                                        loop.close_stream(record.id).value();
                                                        break;
                                                    case CSPLOOP_KIND_CLOSED:
                                                        ++closed;
                                                        break;
                                                    default:
                                                        break;
                                                    }
                                                })
                                    .value();
    const int port = port_of(csploop_stream_fd(loop.capi(), listener));
    const std::string question = "by reference";
    int written = 0;
    const csploop_id client = loop.tcp_connect("127.0.0.1", port,
                                               [&](const csploop_record &record) {
                                                   switch (record.kind) {
                                                   case CSPLOOP_KIND_CONNECT:
                                                       EXPECT_EQ(record.result, 0);
                                                       loop.read_start(record.id).value();
                                                       break;
                                                   case CSPLOOP_KIND_READ:
                                                       answer += loop.bytes(record);
                                                       if (answer.size() == question.size())
                                                           loop.shutdown(record.id).value();
                                                       break;
                                                   case CSPLOOP_KIND_EOF:
                                                       loop.close_stream(record.id, CSPLOOP_CLOSE_ABORT).value();
                                                       // The listener goes first, its accepted stream keeps its callable.
                                                       break;
                                                   case CSPLOOP_KIND_CLOSED:
                                                       ++closed;
                                                       break;
                                                   default:
                                                       break;
                                                   }
                                               })
                                  .value();
    loop.write_ref(client, question,
                   [&](const csploop_record &record) {
                       EXPECT_EQ(record.kind, CSPLOOP_KIND_WRITTEN);
                       EXPECT_EQ(record.result, static_cast<int64_t>(question.size()));
                       ++written;
                       loop.close_stream(listener).value();
                   })
        .value();
    waiting_for = "three ends";
    while (closed < 3)
        loop.turn().value();
    EXPECT_EQ(answer, question);
    EXPECT_EQ(written, 1);
}

TEST(Hpp, AHandlerMayReplaceItself) {
    csploop::Loop loop = make();
    auto [near, far] = socket_pair();
    std::string seen;
    csploop_id id = 0;
    id = loop.adopt(near.release(),
                    [&, tag = std::string("first ")](const csploop_record &record) {
                        if (record.kind != CSPLOOP_KIND_READ)
                            return;
                        loop.set_handler(id,
                                         [&](const csploop_record &again) {
                                             if (again.kind == CSPLOOP_KIND_READ)
                                                 seen += "second";
                                         })
                            .value();
                        seen += tag; // still alive, though replaced
                    })
             .value();
    loop.read_start(id).value();
    send_all(far, "x");
    waiting_for = "the handlers";
    while (seen.empty())
        loop.turn().value();
    send_all(far, "x");
    while (seen == "first ")
        loop.turn().value();
    EXPECT_EQ(seen, "first second");
}

TEST(Hpp, AWatcherMayRemoveItself) {
    csploop::Loop loop = make();
    auto [near, far] = socket_pair();
    int calls = 0;
    csploop_id id = 0;
    id = loop.watch(near.get(), CSPLOOP_WATCH_WRITE,
                    [&](const csploop_record &) {
                        ++calls;
                        loop.unwatch(id).value();
                    })
             .value();
    waiting_for = "the watcher";
    while (calls == 0)
        loop.turn().value();
    loop.turn(nullptr, 0ns).value();
    EXPECT_EQ(calls, 1);
}

TEST(Hpp, MoreRecordsThanACountHoldsAreRefusedAndNotCutOff) {
    auto loop = csploop::Loop::make().value();
    csploop_bridge_options options = CSPLOOP_BRIDGE_OPTIONS_INIT;
    options.record_size = sizeof(uint64_t);
    auto bridge = loop.bridge(options, [](const csploop_record &) {}).value();
    const uint64_t one = 1;
    uint32_t taken = 7;
    const std::span<const uint64_t> claimed(&one, size_t{UINT32_MAX} + 2);
    EXPECT_EQ(bridge.push_many(claimed, &taken).code(), CSPLOOP_EINVAL);
    EXPECT_EQ(taken, 0u);
    EXPECT_EQ(bridge.counts().pushed, 0u);
}

TEST(Hpp, BridgesCarryRecordsFromThreads) {
    struct Tick {
        uint64_t number;
        double price;
    };
    csploop::Loop loop = make();
    csploop_bridge_options options = CSPLOOP_BRIDGE_OPTIONS_INIT;
    options.record_size = sizeof(Tick);
    uint64_t next = 0;
    bool closed = false;
    std::optional<csploop::Bridge> bridge;
    bridge.emplace(loop.bridge(options,
                               [&](const csploop_record &record) {
                                   closed = record.kind == CSPLOOP_KIND_CLOSED;
                                   std::array<Tick, 64> ticks;
                                   const auto drained = bridge->drain(std::as_writable_bytes(std::span(ticks))).value();
                                   for (uint32_t i = 0; i < drained.items; ++i)
                                       EXPECT_EQ(ticks[i].number, next++);
                               })
                       .value());
    std::thread producer([mine = bridge->share()] {
        for (uint64_t i = 0; i < 5000; ++i)
            ASSERT_TRUE(mine.push(Tick{i, 1.5}));
        ASSERT_TRUE(mine.close());
    });
    waiting_for = "the bridge's end";
    while (!closed)
        loop.turn().value();
    producer.join();
    EXPECT_EQ(next, 5000u);
    EXPECT_EQ(bridge->counts().drained, 5000u);
    EXPECT_EQ(bridge->push(Tick{}).code(), CSPLOOP_ECLOSED);
}

TEST(Hpp, DatagramsAreAnsweredToTheirSender) {
    csploop::Loop loop = make();
    std::string answer;
    bool closed = false;
    const csploop_id server = loop.udp_bind("127.0.0.1", 0,
                                            [&](const csploop_record &record) {
                                                if (record.kind != CSPLOOP_KIND_RECV)
                                                    return;
                                                const std::string text = "re: " + std::string(loop.bytes(record));
                                                EXPECT_TRUE(loop.send_to(record.id, text, loop.sender(record)));
                                            })
                                  .value();
    sockaddr_in name{};
    socklen_t length = sizeof name;
    ASSERT_EQ(getsockname(csploop_udp_fd(loop.capi(), server), reinterpret_cast<sockaddr *>(&name), &length), 0);
    const csploop_id client = loop.udp_bind("127.0.0.1", 0,
                                            [&](const csploop_record &record) {
                                                if (record.kind == CSPLOOP_KIND_RECV)
                                                    answer = loop.bytes(record);
                                                closed = closed || record.kind == CSPLOOP_KIND_CLOSED;
                                            })
                                  .value();
    ASSERT_TRUE(loop.udp_connect(client, "127.0.0.1", ntohs(name.sin_port)));
    ASSERT_TRUE(loop.udp_read_start(server));
    ASSERT_TRUE(loop.udp_read_start(client));
    ASSERT_TRUE(loop.send(client, "question"));
    waiting_for = "the answer";
    while (answer.empty())
        loop.turn().value();
    EXPECT_EQ(answer, "re: question");
    ASSERT_TRUE(loop.udp_read_stop(client));
    ASSERT_TRUE(loop.close_udp(client));
    waiting_for = "the end";
    while (!closed)
        loop.turn().value();
    EXPECT_EQ(loop.send(client, "x").code(), CSPLOOP_EBADID);
}
