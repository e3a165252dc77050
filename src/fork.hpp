// How a loop notices that it woke up in a forked child.
#pragma once

#include <cstdint>

namespace csploop {

// Grows in each forked child; a loop made under another value is the parent's.
uint32_t fork_generation();

} // namespace csploop
