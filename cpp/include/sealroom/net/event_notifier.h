#pragma once

#include <atomic>

namespace sealroom::net {

/// A descriptor that becomes readable when there is something to fetch. Signals between two `clear`
/// calls coalesce into one wake. eventfd on Linux, a pipe elsewhere. Thread-safe.
class EventNotifier {
 public:
  EventNotifier();  ///< throws std::system_error when the process is out of descriptors
  ~EventNotifier();
  EventNotifier(const EventNotifier&) = delete;
  EventNotifier& operator=(const EventNotifier&) = delete;

  [[nodiscard]] int file_descriptor() const { return read_fd_; }
  void signal();
  /// Call before fetching, so that what arrives during the fetch signals again.
  void clear();

 private:
  std::atomic<bool> signalled_{false};
  int read_fd_ = -1;
  int write_fd_ = -1;
};

}  // namespace sealroom::net
