// Memory runs out in the middle of I/O: each allocation in turn fails once. What was accepted arrives as it was
// written, or the host is told that it does not; nothing is lost silently, repeated, or told twice.
#include "support/memory_scenario.hpp"

using namespace csploop_test;

namespace {

// Writes of all kinds, far more than the kernel takes at once, then the end.
class Writes : public Scenario {
public:
    using Scenario::Scenario;

    void play() override {
        const auto [near, far] = pair(SOCK_STREAM);
        id_ = adopt(near);
        const std::string out = pattern(300000, 1);
        referenced_ = pattern(70000, 2);
        std::vector<csploop_submission> submissions;
        const auto add = [&](uint32_t op, uint64_t data, uint64_t length) {
            submissions.push_back({id_, submissions.size(), data, length, op, 0});
            pieces_.push_back(op == CSPLOOP_OP_WRITE ? out.substr(data, length) : referenced_);
        };
        add(CSPLOOP_OP_WRITE, 0, 10);
        add(CSPLOOP_OP_WRITE, 10, 200000);
        add(CSPLOOP_OP_WRITE_REF, reinterpret_cast<uint64_t>(referenced_.data()), referenced_.size());
        add(CSPLOOP_OP_WRITE, 200010, 99990);
        add(CSPLOOP_OP_WRITE_REF, reinterpret_cast<uint64_t>(referenced_.data()), referenced_.size());
        written_.resize(submissions.size());
        for (int i = 0; i < 8; ++i) // what is collected before anything is sent
            again([&] { return csploop_call_soon(loop, nullptr, nullptr, nullptr); });
        turn(submissions, out);
        write(pattern(200000, 3)); // above high water: sent from where it lies
        write(pattern(50, 4));
        const int code = memory.again([&] { return csploop_stream_shutdown(loop, id_); });
        ASSERT_TRUE(code == 0 || (code == CSPLOOP_EPIPE && memory.failed())) << csploop_strerror(code);
        std::string arrived;
        for (int turns = 0; turns < 300 && !shut_down_ && !error_; ++turns) {
            turn();
            read(far, arrived);
        }
        ASSERT_TRUE(shut_down_ || error_) << "neither the end nor an error was told";
        again([&] { return csploop_stream_close(loop, id_, CSPLOOP_CLOSE_DRAIN); });
        for (int turns = 0; turns < 10 && !closed_; ++turns)
            turn();
        EXPECT_TRUE(closed_);
        read(far, arrived);

        std::string expected;
        for (const std::string &piece : pieces_)
            expected += piece;
        if (error_)
            EXPECT_EQ(error_, CSPLOOP_ENOMEM);
        else
            EXPECT_EQ(arrived.size(), expected.size());
        EXPECT_TRUE(expected.compare(0, arrived.size(), arrived) == 0) << "what arrives is what was written";
        EXPECT_TRUE(memory.failed() || !error_);
        for (const size_t reference : {2u, 4u})
            EXPECT_EQ(written_[reference], 1) << "a by-reference write ends once";
    }

private:
    void write(const std::string &data) {
        std::string copy = data;
        const int code = memory.again([&] { return csploop_stream_write(loop, id_, copy.data(), copy.size()); });
        std::fill(copy.begin(), copy.end(), '#');
        ASSERT_TRUE(code == 0 || (code == CSPLOOP_EPIPE && memory.failed())) << csploop_strerror(code);
        if (code == 0)
            pieces_.push_back(data);
    }
    static void read(int far, std::string &arrived) {
        char buffer[65536];
        for (ssize_t n; (n = ::recv(far, buffer, sizeof buffer, 0)) > 0;)
            arrived.append(buffer, static_cast<size_t>(n));
    }
    void on_record(const csploop_record &record, const char *) override {
        EXPECT_FALSE(closed_) << "CLOSED is last";
        switch (record.kind) {
        case CSPLOOP_KIND_REJECTED:
            EXPECT_TRUE(record.result == CSPLOOP_ENOMEM || record.result == CSPLOOP_EPIPE) << record.result;
            pieces_[record.token].clear();
            break;
        case CSPLOOP_KIND_WRITTEN:
            ++written_[record.token];
            if (record.result < 0 && !error_)
                refused_reference(record);
            break;
        case CSPLOOP_KIND_SOON:
            break;
        case CSPLOOP_KIND_SHUTDOWN:
            shut_down_ = true;
            break;
        case CSPLOOP_KIND_ERROR:
            EXPECT_EQ(error_, 0) << "said once";
            error_ = static_cast<int>(record.result);
            break;
        case CSPLOOP_KIND_CLOSED:
            closed_ = true;
            break;
        default:
            EXPECT_EQ(record.kind, CSPLOOP_KIND_BACKLOG);
        }
    }
    // Not taken at all, or dropped with the stream, whose ERROR follows.
    void refused_reference(const csploop_record &record) {
        EXPECT_TRUE(record.result == CSPLOOP_ENOMEM || record.result == CSPLOOP_EPIPE) << record.result;
        pieces_[record.token].clear();
    }

    csploop_id id_ = 0;
    std::string referenced_;
    std::vector<std::string> pieces_; // what was accepted, in order
    std::vector<int> written_;
    int error_ = 0;
    bool shut_down_ = false, closed_ = false;
};

// Many streams are ready in one turn: each gets its own bytes, though the turn was cut short between two of them.
class Reads : public Scenario {
public:
    using Scenario::Scenario;

    void play() override {
        for (size_t i = 0; i < streams; ++i) {
            const auto [near, far] = pair(SOCK_STREAM);
            ids_[i] = adopt(near);
            again([&] { return csploop_stream_read_start(loop, ids_[i], CSPLOOP_READ_SLAB); });
            const std::string data = pattern(100, static_cast<unsigned>(i));
            ASSERT_EQ(::send(far, data.data(), data.size(), 0), 100);
        }
        const unsigned events = CSPLOOP_WATCH_WRITE | CSPLOOP_WATCH_EDGE;
        again([&] { return csploop_watch(loop, &edge_, far_ends[0], events, nullptr, nullptr); });
        const auto done = [&] {
            const auto whole = [](const std::string &text) { return text.size() >= 100; };
            return edges_ > 0 && std::all_of(read_, read_ + streams, whole);
        };
        for (int turns = 0; turns < 10 && !done(); ++turns)
            turn();
        for (size_t i = 0; i < streams; ++i)
            EXPECT_EQ(read_[i], pattern(100, static_cast<unsigned>(i))) << i;
        EXPECT_GE(edges_, 1) << "an edge is told, be it later";
    }

private:
    static constexpr size_t streams = 12;

    void on_record(const csploop_record &record, const char *slab) override {
        if (record.kind == CSPLOOP_KIND_WATCH) {
            ++edges_;
            return;
        }
        ASSERT_EQ(record.kind, CSPLOOP_KIND_READ);
        const auto index = static_cast<size_t>(std::find(ids_, ids_ + streams, record.id) - ids_);
        ASSERT_LT(index, streams);
        read_[index].append(slab + record.offset, static_cast<size_t>(record.result));
    }

    csploop_id ids_[streams] = {};
    csploop_id edge_ = 0;
    std::string read_[streams];
    int edges_ = 0;
};

// More datagrams than the kernel takes at once: each arrives whole and in order, or is told of.
class Datagrams : public Scenario {
public:
    using Scenario::Scenario;

    void play() override {
        const auto [near, far] = pair(SOCK_DGRAM);
        again([&] { return csploop_udp_adopt(loop, &id_, near, nullptr, nullptr, nullptr); });
        std::vector<csploop_submission> submissions;
        std::string out;
        for (unsigned i = 0; i < datagrams; ++i) {
            submissions.push_back({id_, i, out.size(), size, CSPLOOP_OP_SEND, 0});
            out += pattern(size, i);
        }
        turn(submissions, out);
        std::vector<std::string> arrived;
        for (int turns = 0; turns < 300 && arrived.size() + lost_ + rejected_ < datagrams; ++turns) {
            receive(far, arrived);
            turn();
        }
        EXPECT_EQ(arrived.size() + lost_ + rejected_, datagrams);
        EXPECT_TRUE(memory.failed() || arrived.size() == datagrams);
        unsigned next = 0;
        for (const std::string &datagram : arrived) {
            while (next < datagrams && datagram != pattern(size, next))
                ++next;
            EXPECT_LT(next++, datagrams) << "each as it was sent, in order";
        }
        again([&] { return csploop_udp_close(loop, id_, CSPLOOP_CLOSE_DRAIN); });
        for (int turns = 0; turns < 10 && !closed_; ++turns)
            turn();
        EXPECT_TRUE(closed_);
    }

private:
    static constexpr unsigned datagrams = 60;
    static constexpr uint64_t size = 1000;

    static void receive(int far, std::vector<std::string> &arrived) {
        char buffer[2 * size];
        for (ssize_t n; (n = ::recv(far, buffer, sizeof buffer, 0)) > 0;)
            arrived.emplace_back(buffer, static_cast<size_t>(n));
    }
    void on_record(const csploop_record &record, const char *) override {
        EXPECT_FALSE(closed_) << "CLOSED is last";
        if (record.kind == CSPLOOP_KIND_DATAGRAM_ERROR || record.kind == CSPLOOP_KIND_REJECTED) {
            EXPECT_EQ(record.result, CSPLOOP_ENOMEM);
            ++(record.kind == CSPLOOP_KIND_REJECTED ? rejected_ : lost_);
        } else if (record.kind == CSPLOOP_KIND_CLOSED) {
            closed_ = true;
        } else {
            EXPECT_EQ(record.kind, CSPLOOP_KIND_BACKLOG);
        }
    }

    csploop_id id_ = 0;
    size_t lost_ = 0, rejected_ = 0;
    bool closed_ = false;
};

} // namespace

class MemoryFailureIo : public MemoryFailureTest {};
CSPLOOP_WITHOUT_MEMORY(MemoryFailureIo);

TEST_P(MemoryFailureIo, WritesArriveOrTheStreamSaysThatItBroke) {
    each_allocation_fails<Writes>();
}

TEST_P(MemoryFailureIo, ReadsOfATurnThatWasCutShortKeepTheirBytes) {
    each_allocation_fails<Reads>();
}

TEST_P(MemoryFailureIo, DatagramsArriveOrAreToldOf) {
    each_allocation_fails<Datagrams>();
}
