#pragma once

#include <cstdint>

namespace sealroom::net {

/// How many forks made this process after the first call. What belongs to a thread remembers the
/// count it was made at: with another one it is a copy in a child, whose threads did not come along
/// and whose mutexes are as they stood. Needs no system call.
std::uint32_t fork_count();

}  // namespace sealroom::net
