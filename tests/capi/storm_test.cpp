// A storm: callbacks of every kind do whatever a host may do from inside one, to whatever there is, also to what is gone.
// By fixed seeds, so a failure comes again. What must hold: no record after CLOSED, of an unwatched or of a cancelled
// id; each by-reference write, accepted timer and close is told of once; nothing stays open.
#include "support/bridges.hpp"
#include "support/harness.hpp"
#include "support/sockets.hpp"

#include <map>
#include <memory>
#include <random>
#include <set>

using namespace csploop_test;

namespace {

class Storm {
public:
    Storm(csploop_poller poller, unsigned seed) : random_(seed) {
        csploop_options options = CSPLOOP_OPTIONS_INIT;
        options.poller = poller;
        options.slab_bytes = seed % 2 ? 0 : 16 << 10; // a small one is full often
        EXPECT_EQ(csploop_new(&loop_, &options), 0);
        EXPECT_EQ(csploop_tcp_listen(loop_, &listener_, "127.0.0.1", 0, nullptr, on_record, this), 0);
        port_ = port_of(csploop_stream_fd(loop_, listener_));
        live_.insert(listener_);
    }
    ~Storm() {
        bridges_.clear();
        EXPECT_EQ(csploop_close(loop_), 0);
        csploop_unref(loop_);
    }
    Storm(const Storm &) = delete;
    Storm &operator=(const Storm &) = delete;

    void rage(int turns) {
        for (int i = 0; i < turns && !testing::Test::HasFailure(); ++i) {
            for (int k = 0; k < 4; ++k)
                act();
            turn();
        }
        calm();
    }

private:
    struct Written {
        Storm *storm;
        std::string data;
    };

    // Only what submit() has refused comes in the batch.
    void turn() {
        csploop_record records[3];
        csploop_batch batch{};
        batch.size = sizeof batch;
        batch.records = records;
        batch.capacity = 3;
        EXPECT_GE(csploop_turn(loop_, &batch, 0), 0);
        for (uint32_t i = 0; i < batch.n_records; ++i)
            EXPECT_EQ(records[i].kind, CSPLOOP_KIND_REJECTED);
    }
    unsigned pick(size_t below) { return static_cast<unsigned>(random_() % below); }
    csploop_id any_id() {
        if (ids_.empty() || pick(20) == 0)
            return random_();
        return ids_[pick(ids_.size())]; // perhaps long gone
    }
    void remember(csploop_id id) {
        EXPECT_TRUE(live_.insert(id).second);
        ids_.push_back(id);
        if (ids_.size() > 60)
            ids_.erase(ids_.begin() + pick(ids_.size()));
    }
    void act() {
        const csploop_id id = any_id();
        switch (pick(24)) {
        case 0:
            return connect();
        case 1:
            return adopt_pair();
        case 2:
            return open_datagrams();
        case 3:
            return watch_something();
        case 4:
            return arm(id);
        case 5:
            return open_bridge();
        case 6:
            return push(id);
        case 7:
        case 8:
            return write(id);
        case 9:
        case 10:
            return write_reference(id);
        case 11:
            return (void)csploop_stream_read_start(loop_, id, static_cast<int>(pick(2)));
        case 12:
            return (void)csploop_stream_read_stop(loop_, id);
        case 13:
            return (void)csploop_stream_shutdown(loop_, id);
        case 14:
            return (void)(id != listener_ && csploop_stream_close(loop_, id, pick(3)));
        case 15:
            return (void)csploop_stream_flush(loop_, id);
        case 16:
            if (csploop_cancel(loop_, id) == 0)
                live_.erase(id);
            return;
        case 17:
            return unwatch(id);
        case 18:
            return (void)csploop_watch_modify(loop_, id, pick(8));
        case 19:
            return datagram(id);
        case 20:
            return (void)csploop_udp_close(loop_, id, pick(2));
        case 21:
            return (void)(pick(2) ? csploop_udp_read_start(loop_, id) : csploop_udp_read_stop(loop_, id));
        case 22:
            return submit(id);
        default:
            return meddle(id);
        }
    }
    void connect() {
        csploop_id id = 0;
        if (streams_ < 40 && csploop_tcp_connect(loop_, &id, "127.0.0.1", port_, nullptr, on_record, this) == 0)
            remember(id), ++streams_;
    }
    void adopt_pair() {
        auto [one, other] = socket_pair();
        if (streams_ >= 40)
            return;
        for (Fd *end : {&one, &other}) {
            csploop_id id = 0;
            ASSERT_EQ(csploop_stream_adopt(loop_, &id, end->get(), nullptr, on_record, this), 0);
            end->release();
            remember(id), ++streams_;
            csploop_stream_read_start(loop_, id, CSPLOOP_READ_SLAB);
        }
    }
    void open_datagrams() {
        csploop_id id = 0;
        if (streams_ >= 40 || csploop_udp_bind(loop_, &id, "127.0.0.1", 0, nullptr, on_record, this) != 0)
            return;
        char text[128];
        ASSERT_GT(csploop_udp_local_address(loop_, id, text, sizeof text), 0);
        csploop_udp_connect(loop_, id, "127.0.0.1", std::stoi(std::strrchr(text, ':') + 1)); // to itself
        csploop_udp_read_start(loop_, id);
        remember(id), ++streams_;
    }
    void watch_something() {
        auto [near, far] = socket_pair();
        csploop_id id = 0;
        if (watched_.size() >= 20 ||
            csploop_watch(loop_, &id, near.get(), 1 + pick(7), on_record, this) != 0) // READ, WRITE, EDGE
            return;
        if (pick(2))
            send_all(far, "x");
        remember(id);
        watched_.emplace(id, std::make_pair(std::move(near), std::move(far)));
    }
    void unwatch(csploop_id id) {
        if (csploop_unwatch(loop_, id) == 0) {
            live_.erase(id);
            watched_.erase(id);
        }
    }
    void arm(csploop_id) {
        csploop_id id = 0;
        int code = 0;
        switch (pick(3)) {
        case 0:
            code = csploop_call_soon(loop_, &id, on_record, this);
            break;
        case 1:
            code = csploop_call_later(loop_, &id, pick(3) * 1000, on_record, this);
            break;
        default:
            code = csploop_call_at_wall(loop_, &id, static_cast<int64_t>(pick(1000)), on_record, this);
        }
        ASSERT_EQ(code, 0);
        remember(id);
    }
    void open_bridge() {
        if (bridges_.size() >= 5)
            return;
        auto bridge = std::make_unique<TestBridge>(loop_, CSPLOOP_BRIDGE_FAIL, 0, 4, on_record, this);
        remember(bridge->id());
        bridges_.push_back(std::move(bridge));
    }
    void push(csploop_id) {
        if (bridges_.empty())
            return;
        const size_t index = pick(bridges_.size());
        if (pick(8) == 0)
            bridges_.erase(bridges_.begin() + static_cast<std::ptrdiff_t>(index));
        else if (pick(8) == 0)
            csploop_bridge_close(bridges_[index]->get());
        else
            bridges_[index]->push(std::string(pick(50), 'b'));
    }
    void write(csploop_id id) {
        const std::string data(pick(4) ? pick(2000) : pick(300000), 'w');
        csploop_stream_write(loop_, id, data.data(), data.size());
    }
    void write_reference(csploop_id id) {
        auto written = std::make_unique<Written>(Written{this, std::string(pick(3) ? pick(5000) : pick(400000), 'r')});
        if (csploop_stream_write_ref(loop_, id, written->data.data(), written->data.size(), on_written,
                                     written.get()) == 0)
            references_.emplace(written.get(), std::move(written));
    }
    void datagram(csploop_id id) {
        const std::string data(pick(3000), 'd');
        csploop_udp_send(loop_, id, data.data(), data.size());
    }
    // A batch that is submitted between turns or from inside a callback. What it refuses has no callback.
    void submit(csploop_id id) {
        csploop_submission some[2] = {{id, 0, 0, 5, CSPLOOP_OP_WRITE, 0}, {id, 0, 0, 0, CSPLOOP_OP_READ_START, 0}};
        char slab[] = "12345";
        csploop_batch batch{};
        batch.size = sizeof batch;
        batch.submissions = some;
        batch.n_submissions = 2;
        batch.out_slab = slab;
        batch.out_slab_size = 5;
        EXPECT_EQ(csploop_submit(loop_, &batch), 0);
        std::memset(slab, '#', sizeof slab);
    }
    void meddle(csploop_id id) {
        char into[64];
        switch (pick(5)) {
        case 0:
            csploop_stream_set_handler(loop_, id, on_record, this);
            break;
        case 1:
            csploop_stream_read_into(loop_, id, into, sizeof into);
            break;
        case 2:
            csploop_stop(loop_);
            break;
        case 3:
            EXPECT_EQ(csploop_post(loop_, on_record, this), 0);
            ++posts_;
            break;
        default:
            if (inside_) {
                EXPECT_EQ(csploop_turn(loop_, nullptr, 0), CSPLOOP_EBUSY);
                EXPECT_EQ(csploop_run(loop_, CSPLOOP_RUN_NOWAIT), CSPLOOP_EBUSY);
                EXPECT_EQ(csploop_close(loop_), CSPLOOP_EBUSY);
            }
        }
    }

    static void on_written(csploop_t *, const csploop_record *record, void *arg) {
        auto *const written = static_cast<Written *>(arg);
        Storm &storm = *written->storm;
        EXPECT_EQ(record->kind, CSPLOOP_KIND_WRITTEN);
        EXPECT_TRUE(storm.live_.count(record->id)) << "before CLOSED";
        EXPECT_EQ(storm.references_.erase(written), 1u) << "once";
        storm.react();
    }
    static void on_record(csploop_t *, const csploop_record *record, void *arg) {
        static_cast<Storm *>(arg)->on(*record);
    }
    void on(const csploop_record &record) {
        ++records_;
        if (record.kind == CSPLOOP_KIND_POST) {
            --posts_;
            return react();
        }
        EXPECT_TRUE(live_.count(record.id)) << "kind " << record.kind << " of an id that has ended";
        switch (record.kind) {
        case CSPLOOP_KIND_SOON:
        case CSPLOOP_KIND_TIMER:
            live_.erase(record.id);
            break;
        case CSPLOOP_KIND_CLOSED:
            live_.erase(record.id);
            streams_ -= record.id != listener_ && (record.id >> 59) != 4;
            break;
        case CSPLOOP_KIND_ACCEPT:
            ASSERT_GT(record.result, 0);
            remember(static_cast<csploop_id>(record.result)), ++streams_;
            csploop_stream_read_start(loop_, static_cast<csploop_id>(record.result), CSPLOOP_READ_SLAB);
            break;
        case CSPLOOP_KIND_BRIDGE:
            for (const auto &bridge : bridges_)
                if (bridge->id() == record.id)
                    bridge->drain_strings();
            break;
        case CSPLOOP_KIND_ERROR:
            csploop_stream_close(loop_, record.id, CSPLOOP_CLOSE_DRAIN);
            break;
        default:
            break;
        }
        react();
    }
    void react() {
        if (calming_)
            return;
        inside_ = true;
        for (unsigned i = pick(3); i > 0; --i)
            act();
        inside_ = false;
    }
    // Everything ends, and says so.
    void calm() {
        calming_ = true;
        bridges_.clear();
        watched_.clear();
        for (const csploop_id id : std::set<csploop_id>(live_)) {
            if (csploop_unwatch(loop_, id) == 0 || csploop_cancel(loop_, id) == 0)
                live_.erase(id);
            csploop_stream_close(loop_, id, CSPLOOP_CLOSE_ABORT);
            csploop_udp_close(loop_, id, CSPLOOP_CLOSE_ABORT);
        }
        for (int i = 0; i < 200 && !(live_.empty() && posts_ == 0); ++i)
            turn();
        EXPECT_TRUE(live_.empty()) << live_.size() << " have not ended";
        EXPECT_TRUE(references_.empty()) << references_.size() << " writes have not ended";
        EXPECT_EQ(posts_, 0);
        EXPECT_GT(records_, 100) << "so little is no storm";
    }

    std::mt19937_64 random_;
    csploop_t *loop_ = nullptr;
    csploop_id listener_ = 0;
    int port_ = 0;
    std::vector<csploop_id> ids_; // to act on
    std::set<csploop_id> live_;   // that may still have records
    std::map<csploop_id, std::pair<Fd, Fd>> watched_;
    std::map<Written *, std::unique_ptr<Written>> references_;
    std::vector<std::unique_ptr<TestBridge>> bridges_;
    int streams_ = 0, posts_ = 0, records_ = 0;
    bool inside_ = false, calming_ = false;
};

} // namespace

class StormTest : public testing::TestWithParam<csploop_poller> {};
CSPLOOP_ON_ALL_POLLERS(StormTest);

TEST_P(StormTest, CallbacksMayDoWhatTheyWant) {
    for (unsigned seed = 1; seed <= sized(12u, 6u) && !HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Storm(GetParam(), seed).rage(400);
    }
}
