// The fixture of all tests that look at records: one loop, and a log of everything it says.
//
// A mode has three parts, and an I/O test must pass in all of them: which poller waits, who waits
// (csploop_turn itself, or a host with poll(2) on csploop_backend_fd and then csploop_turn(…, 0)), and where
// records arrive (a batch or a callback). A test asks fn() and arg() for what to pass with a request.
#pragma once

#include "alarm.hpp"
#include "clock.hpp"
#include "sizes.hpp"

#include <algorithm>
#include <csploop.h>
#include <functional>
#include <gtest/gtest.h>
#include <poll.h>
#include <string>
#include <vector>

namespace csploop_test {

enum class Wait { own, host };
enum class Form { batch, callback };

struct Mode {
    csploop_poller poller = CSPLOOP_POLLER_DEFAULT;
    Wait wait = Wait::own;
    Form form = Form::batch;
};

inline std::string mode_name(const testing::TestParamInfo<Mode> &info) {
    const Mode &mode = info.param;
    return std::string(mode.poller == CSPLOOP_POLLER_UV ? "Uv" : "Epoll") +
           (mode.wait == Wait::own ? "OwnWait" : "HostDriven") + (mode.form == Form::batch ? "Batch" : "Callback");
}

inline std::vector<csploop_poller> pollers() {
#if defined(__linux__)
    return {CSPLOOP_POLLER_EPOLL, CSPLOOP_POLLER_UV};
#else
    return {CSPLOOP_POLLER_UV};
#endif
}

inline std::vector<Mode> all_modes() {
    std::vector<Mode> modes;
    for (csploop_poller poller : pollers())
        for (Wait wait : {Wait::own, Wait::host})
            for (Form form : {Form::batch, Form::callback})
                modes.push_back({poller, wait, form});
    return modes;
}

struct Event {
    csploop_record record;
    std::string bytes; // of a READ
};

class Harness {
public:
    explicit Harness(Mode mode, csploop_options options = CSPLOOP_OPTIONS_INIT) : mode_(mode), records_(256) {
        options.poller = mode.poller;
        const int code = csploop_new(&loop_, &options);
        if (code != 0)
            ADD_FAILURE() << "csploop_new: " << csploop_strerror(code);
        set_capacity(256);
    }
    ~Harness() {
        if (loop_) {
            EXPECT_EQ(csploop_close(loop_), 0);
        }
        csploop_unref(loop_);
    }
    Harness(const Harness &) = delete;
    Harness &operator=(const Harness &) = delete;

    csploop_t *loop() const { return loop_; }
    Mode mode() const { return mode_; }
    csploop_fn fn() const { return mode_.form == Form::callback ? &Harness::on_record : nullptr; }
    void *arg() { return this; }
    void set_capacity(uint32_t capacity) {
        records_.resize(std::max<uint32_t>(capacity, 1));
        capacity_ = capacity;
    }
    // Sees each record as it arrives: inside the callback, or walking the batch.
    std::function<void(const csploop_record &)> on;

    // One turn that waits, in the mode's way, for at most limit_ns (negative: until something happens).
    int step(int64_t limit_ns = -1) {
        if (mode_.wait == Wait::host) {
            wait_as_host(limit_ns);
            limit_ns = 0;
        }
        return turn(limit_ns);
    }
    // One bare csploop_turn.
    int turn(int64_t timeout_ns, const std::vector<csploop_submission> &submissions = {}, std::string_view out = {}) {
        csploop_batch batch = batch_of(submissions, out);
        const int n = csploop_turn(loop_, &batch, timeout_ns);
        EXPECT_GE(n, 0) << "csploop_turn: " << csploop_strerror(n);
        if (n < 0)
            return n;
        EXPECT_EQ(batch.n_records, static_cast<uint32_t>(n));
        EXPECT_EQ(batch.n_submissions, 0u);
        ++turns_;
        for (int i = 0; i < n; ++i)
            take(records_[static_cast<size_t>(i)], batch.slab, batch.slab_size);
        return n;
    }
    template <class Ready>
    void until(Ready ready, const char *what) {
        waiting_for = what;
        while (!ready() && !testing::Test::HasFatalFailure())
            step();
        waiting_for = "";
    }
    void until_event(csploop_id id, csploop_kind kind, const char *what) {
        until([&] { return count(id, kind) > 0; }, what);
    }
    // Turns without waiting, a few times: enough for whatever is already on its way inside this process.
    void settle(int turns = 4) {
        for (int i = 0; i < turns; ++i)
            turn(0);
    }

    const std::vector<Event> &log() const { return log_; }
    void forget() { log_.clear(); }
    int turns() const { return turns_; }
    int count(csploop_id id, csploop_kind kind) const {
        return static_cast<int>(std::count_if(log_.begin(), log_.end(), [&](const Event &event) {
            return event.record.id == id && event.record.kind == kind;
        }));
    }
    // The first record of this id and kind; one of kind NONE when there is none.
    csploop_record first(csploop_id id, csploop_kind kind) const {
        for (const Event &event : log_)
            if (event.record.id == id && event.record.kind == kind)
                return event.record;
        return {};
    }
    csploop_record last(csploop_id id, csploop_kind kind) const {
        for (auto it = log_.rbegin(); it != log_.rend(); ++it)
            if (it->record.id == id && it->record.kind == kind)
                return it->record;
        return {};
    }
    std::vector<uint16_t> kinds(csploop_id id) const {
        std::vector<uint16_t> kinds;
        for (const Event &event : log_)
            if (event.record.id == id)
                kinds.push_back(event.record.kind);
        return kinds;
    }
    // Everything this stream has read so far.
    std::string text(csploop_id id) const {
        std::string text;
        for (const Event &event : log_)
            if (event.record.id == id)
                text += event.bytes;
        return text;
    }
    // The id of the n-th stream that a listener accepted, 0 when there is none.
    csploop_id accepted(csploop_id listener, size_t n = 0) const {
        for (const Event &event : log_)
            if (event.record.id == listener && event.record.kind == CSPLOOP_KIND_ACCEPT && event.record.result > 0 &&
                n-- == 0)
                return static_cast<csploop_id>(event.record.result);
        return 0;
    }
    csploop_batch batch_of(const std::vector<csploop_submission> &submissions = {}, std::string_view out = {}) {
        csploop_batch batch{};
        batch.size = sizeof batch;
        batch.n_submissions = static_cast<uint32_t>(submissions.size());
        batch.submissions = submissions.data();
        batch.out_slab = out.data();
        batch.out_slab_size = out.size();
        batch.records = records_.data();
        batch.capacity = capacity_;
        return batch;
    }

private:
    static void on_record(csploop_t *loop, const csploop_record *record, void *arg) {
        auto *harness = static_cast<Harness *>(arg);
        EXPECT_EQ(loop, harness->loop_);
        uint64_t size = 0;
        const void *slab = csploop_slab(loop, &size);
        harness->take(*record, slab, size);
    }
    void take(const csploop_record &record, const void *slab, uint64_t slab_size) {
        Event event{record, {}};
        if (record.kind == CSPLOOP_KIND_READ) {
            EXPECT_GT(record.result, 0);
            EXPECT_LE(record.offset + static_cast<uint64_t>(record.result), slab_size);
            event.bytes.assign(static_cast<const char *>(slab) + record.offset, static_cast<size_t>(record.result));
        }
        log_.push_back(std::move(event));
        if (on)
            on(record);
    }
    void wait_as_host(int64_t limit_ns) {
        int64_t deadline = 0;
        ASSERT_EQ(csploop_next_deadline(loop_, &deadline), 0);
        int64_t wait = limit_ns;
        if (deadline != INT64_MAX) {
            const int64_t due = deadline == 0 ? 0 : std::max<int64_t>(0, deadline - csploop_now(loop_));
            wait = wait < 0 ? due : std::min(wait, due);
        }
        pollfd entry{csploop_backend_fd(loop_), POLLIN, 0};
        ASSERT_GE(entry.fd, 0);
        poll(&entry, 1, wait < 0 ? -1 : static_cast<int>((wait + millisecond - 1) / millisecond));
    }

    Mode mode_;
    csploop_t *loop_ = nullptr;
    std::vector<csploop_record> records_;
    uint32_t capacity_ = 0;
    std::vector<Event> log_;
    int turns_ = 0;
};

// A test that runs in every mode.
class ModeTest : public testing::TestWithParam<Mode> {
protected:
    Harness h{GetParam()};
    csploop_t *loop = h.loop();
};

// A test that runs once per poller.
class PollerTest : public testing::TestWithParam<csploop_poller> {
protected:
    Harness h{Mode{GetParam()}};
    csploop_t *loop = h.loop();
};
inline std::string poller_name(const testing::TestParamInfo<csploop_poller> &info) {
    return info.param == CSPLOOP_POLLER_UV ? "Uv" : "Epoll";
}

} // namespace csploop_test

#define CSPLOOP_IN_ALL_MODES(Suite) \
    INSTANTIATE_TEST_SUITE_P(, Suite, testing::ValuesIn(csploop_test::all_modes()), csploop_test::mode_name)
#define CSPLOOP_ON_ALL_POLLERS(Suite) \
    INSTANTIATE_TEST_SUITE_P(, Suite, testing::ValuesIn(csploop_test::pollers()), csploop_test::poller_name)
