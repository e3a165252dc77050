// operator new of the whole test program, which fails when FailingNew wants it to.
#include "failing_new.hpp"

#include <cstdlib>
#include <new>

namespace csploop_test {
thread_local long allocations_until_failure = -1;
}

// The whole family (but for over-aligned types), so that no two of it come from different hands.
void *operator new(size_t size) {
    if (csploop_test::allocations_until_failure >= 0 && csploop_test::allocations_until_failure-- == 0)
        throw std::bad_alloc();
    if (void *const memory = std::malloc(size ? size : 1))
        return memory;
    throw std::bad_alloc();
}
void *operator new[](size_t size) {
    return operator new(size);
}
void *operator new(size_t size, const std::nothrow_t &) noexcept {
    return std::malloc(size ? size : 1);
}
void *operator new[](size_t size, const std::nothrow_t &) noexcept {
    return std::malloc(size ? size : 1);
}
void operator delete(void *memory) noexcept {
    std::free(memory);
}
void operator delete[](void *memory) noexcept {
    std::free(memory);
}
void operator delete(void *memory, size_t) noexcept {
    std::free(memory);
}
void operator delete[](void *memory, size_t) noexcept {
    std::free(memory);
}
void operator delete(void *memory, const std::nothrow_t &) noexcept {
    std::free(memory);
}
void operator delete[](void *memory, const std::nothrow_t &) noexcept {
    std::free(memory);
}
