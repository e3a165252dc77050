// Completions on their way to the host: records, each with its callback or none.
#pragma once

#include <csploop/record.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace csploop {

struct Completion {
    csploop_record record;
    csploop_fn fn;
};

inline Completion completion(uint16_t kind, csploop_id id, csploop_fn fn, void *arg, int64_t result,
                             uint32_t offset = 0, uint16_t flags = 0) {
    return {{id, reinterpret_cast<uint64_t>(arg), result, offset, kind, flags}, fn};
}

// Where the loop's timers, streams and so on leave what has completed.
using Completions = std::vector<Completion>;

template <class T>
[[gnu::noinline]] void grow(std::vector<T> &list, size_t more) {
    list.reserve(std::max(list.size() + more, 2 * list.capacity()));
}

// So many can be added then without a lack of memory; grows as adding them one by one would.
template <class T>
inline void make_room(std::vector<T> &list, size_t more) {
    if (list.capacity() - list.size() < more) [[unlikely]]
        grow(list, more);
}

} // namespace csploop
