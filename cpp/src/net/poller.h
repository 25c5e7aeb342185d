#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sealroom/base/result.h"
#include "sealroom/base/types.h"

namespace sealroom::net {

/// Waits for readable sockets: epoll on Linux, poll elsewhere. `wait` belongs to one thread; the
/// others may be called by any, also while it waits.
class Poller {
 public:
  Poller();  ///< throws std::system_error when the process is out of descriptors
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  Result<void> add(int file_descriptor, std::uint64_t id);
  void remove(int file_descriptor);
  /// Ends the current wait, or the next one if none runs.
  void wake();
  /// Sleeps until a socket is readable, `wake` or the time-out (negative: none, rounded up to a
  /// millisecond) and replaces `ready` by the ids that are readable. An id may be one that has just
  /// been removed.
  void wait(Duration timeout, std::vector<std::uint64_t>& ready);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// For poll and epoll_wait: -1 for ever, otherwise rounded up so that a timer is never early.
inline int to_poll_timeout(Duration timeout) {
  if (timeout < Duration::zero()) return -1;
  constexpr Duration kLongest = std::chrono::hours(1);
  const Duration bounded = timeout < kLongest ? timeout : kLongest;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(bounded).count());
}

}  // namespace sealroom::net
