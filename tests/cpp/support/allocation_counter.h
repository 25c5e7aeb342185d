#pragma once

#include <cstddef>

namespace sealroom::test {

/// How often this program has called operator new so far. Needs allocation_counter.cpp among the
/// test's sources, which replaces the global operators.
std::size_t allocation_count();
/// The bytes it has asked for so, without what was freed in between.
std::size_t allocated_bytes();

}  // namespace sealroom::test
