// A bridge with its one reference, and ways to push and drain numbers and strings.
#pragma once

#include <csploop.h>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

namespace csploop_test {

class TestBridge {
public:
    TestBridge(csploop_t *loop, uint32_t policy, uint32_t record_size, uint32_t capacity, csploop_fn fn = nullptr,
               void *arg = nullptr) {
        csploop_bridge_options options = CSPLOOP_BRIDGE_OPTIONS_INIT;
        options.policy = policy;
        options.record_size = record_size;
        options.capacity = capacity;
        EXPECT_EQ(csploop_bridge_new(loop, &bridge_, &options, fn, arg), 0);
    }
    ~TestBridge() { csploop_bridge_unref(bridge_); }
    TestBridge(const TestBridge &) = delete;
    TestBridge &operator=(const TestBridge &) = delete;

    csploop_bridge_t *get() const { return bridge_; }
    csploop_id id() const { return csploop_bridge_id(bridge_); }
    int push(uint64_t number) const { return csploop_bridge_push(bridge_, &number, sizeof number); }
    int push_many(const std::vector<uint64_t> &numbers, uint32_t *taken = nullptr) const {
        return csploop_bridge_push_many(bridge_, taken, numbers.data(), static_cast<uint32_t>(numbers.size()));
    }
    int push(std::string_view text) const { return csploop_bridge_push(bridge_, text.data(), text.size()); }

    std::vector<uint64_t> drain_numbers(size_t at_most = 4096) const {
        std::vector<uint64_t> numbers(at_most);
        uint32_t items = 0;
        size_t bytes = 0;
        EXPECT_EQ(csploop_bridge_drain(bridge_, &items, &bytes, numbers.data(), at_most * sizeof(uint64_t)), 0);
        EXPECT_EQ(bytes, items * sizeof(uint64_t));
        numbers.resize(items);
        return numbers;
    }
    std::vector<std::string> drain_strings(size_t buffer_bytes = 65536) const {
        std::vector<char> buffer(buffer_bytes);
        uint32_t items = 0;
        size_t bytes = 0;
        EXPECT_EQ(csploop_bridge_drain(bridge_, &items, &bytes, buffer.data(), buffer.size()), 0);
        std::vector<std::string> strings;
        for (size_t at = 0; at < bytes;) {
            uint32_t length = 0;
            std::memcpy(&length, &buffer[at], sizeof length);
            at += sizeof length;
            strings.emplace_back(buffer.data() + at, length);
            at += length;
        }
        EXPECT_EQ(strings.size(), items);
        return strings;
    }
    csploop_bridge_counts counts() const {
        csploop_bridge_counts counts{};
        counts.size = sizeof counts;
        EXPECT_EQ(csploop_bridge_stats(bridge_, &counts), 0);
        return counts;
    }

private:
    csploop_bridge_t *bridge_ = nullptr;
};

} // namespace csploop_test
