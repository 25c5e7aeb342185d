#pragma once

#include <cstddef>

namespace sealroom::test {

/// How often this program has called operator new so far. Needs allocation_counter.cpp among the
/// test's sources, which replaces the global operators.
std::size_t allocation_count();

}  // namespace sealroom::test
