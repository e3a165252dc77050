// Memory runs out while bridges are told of and while a loop ends: each allocation in turn fails once.
#include "support/memory_scenario.hpp"

using namespace csploop_test;

namespace {

// Many bridges are signalled in one turn: each is told of, and its items are there.
class Bridges : public Scenario {
public:
    using Scenario::Scenario;

    void play() override {
        csploop_bridge_options options = CSPLOOP_BRIDGE_OPTIONS_INIT;
        options.policy = CSPLOOP_BRIDGE_FAIL;
        for (csploop_bridge_t *&bridge : bridges_) {
            again([&] { return csploop_bridge_new(loop, &bridge, &options, nullptr, nullptr); });
            again([&] { return csploop_bridge_push(bridge, "item", 4); });
        }
        for (int turns = 0; turns < 10 && told_ < count; ++turns)
            turn();
        EXPECT_EQ(told_, count);
        for (csploop_bridge_t *const bridge : bridges_)
            csploop_bridge_unref(bridge);
        for (int turns = 0; turns < 10 && closed_ < count; ++turns)
            turn();
        EXPECT_EQ(closed_, count);
    }

private:
    static constexpr int count = 12;

    void on_record(const csploop_record &record, const char *) override {
        if (record.kind == CSPLOOP_KIND_CLOSED) {
            ++closed_;
            return;
        }
        ASSERT_EQ(record.kind, CSPLOOP_KIND_BRIDGE);
        for (csploop_bridge_t *const bridge : bridges_) {
            uint32_t items = 0;
            char item[64];
            if (csploop_bridge_id(bridge) != record.id)
                continue;
            EXPECT_EQ(csploop_bridge_drain(bridge, &items, nullptr, item, sizeof item), 0);
            told_ += static_cast<int>(items);
        }
    }

    csploop_bridge_t *bridges_[count] = {};
    int told_ = 0, closed_ = 0;
};

// The loop is closed with bytes unsent: it ends, whatever memory there is.
class Ending : public Scenario {
public:
    using Scenario::Scenario;

    void play() override {
        const std::string referenced = pattern(20000, 5);
        const char *const bytes = referenced.data();
        const size_t length = referenced.size();
        for (int i = 0; i < 4; ++i) {
            const csploop_id id = adopt(pair(SOCK_STREAM).first);
            again([&] { return csploop_stream_write(loop, id, "copied", 6); });
            again([&] { return csploop_stream_write_ref(loop, id, bytes, length, nullptr, nullptr); });
            csploop_id socket = 0;
            const int near = pair(SOCK_DGRAM).first;
            again([&] { return csploop_udp_adopt(loop, &socket, near, nullptr, nullptr, nullptr); });
            for (int k = 0; k < 8; ++k)
                again([&] { return csploop_udp_send(loop, socket, bytes, 1000); });
        }
        EXPECT_EQ(memory.armed([&] { return csploop_close(loop); }), 0);
    }

private:
    void on_record(const csploop_record &, const char *) override {}
};

} // namespace

class MemoryFailureEnd : public MemoryFailureTest {};
CSPLOOP_WITHOUT_MEMORY(MemoryFailureEnd);

TEST_P(MemoryFailureEnd, BridgesAreToldOf) {
    each_allocation_fails<Bridges>();
}

TEST_P(MemoryFailureEnd, ClosingTheLoopAlwaysEndsIt) {
    each_allocation_fails<Ending>();
}
