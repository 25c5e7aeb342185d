#pragma once

#include <memory>
#include <span>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/net/udp_socket.h"

namespace sealroom::net {

/// Called on the I/O thread, with no lock of IoThread held: any of its methods may be called back.
class DatagramHandler {
 public:
  virtual ~DatagramHandler() = default;
  /// What one pass read, one datagram or more in order of arrival, each in memory of its own. The
  /// handler may change the bytes and the order of the views. They live until it returns.
  virtual void handle_datagrams(std::span<MutableByteView> datagrams, TimePoint now) = 0;
};

class TimerHandler {
 public:
  virtual ~TimerHandler() = default;
  virtual void handle_timer(TimePoint now) = 0;
};

/// One thread that reads many sockets (epoll) and fires timers, for all sessions and routers of a
/// process. It and UdpSocket are the only parts of the core that make system calls.
///
/// The `remove` methods wait while the handler in question runs. They are deadlock-free under one
/// rule: do not call them holding a mutex that this handler takes. Called on the I/O thread itself
/// they never wait (handlers run one at a time, so the one in question either does not run or is
/// the caller): a handler may remove and destroy itself.
///
/// It belongs to the process that made it. In a child of fork add_socket() fails, the `remove`
/// methods and the destructor touch nothing of the parent's, and the rest is not to be called.
class IoThread {
 public:
  using Id = std::uint64_t;  ///< never 0, never reused

  IoThread();   ///< throws std::system_error when the process is out of descriptors or threads
  ~IoThread();  ///< stops and joins; handlers are not called afterwards. Not on the I/O thread
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  /// False in a child of fork.
  [[nodiscard]] bool is_of_this_process() const;

  [[nodiscard]] static TimePoint now();  ///< CLOCK_MONOTONIC
  /// For sender reports: the wall clock as it was at the first call, going on with now(). Round
  /// trips are differences of it, and whoever sets the wall clock must not change them.
  [[nodiscard]] static NtpTime ntp_now();

  /// Watches the socket. Both must outlive the registration. system_error if the kernel refuses.
  Result<Id> add_socket(UdpSocket& socket, DatagramHandler& handler);
  void remove_socket(Id id);  ///< when it returns the handler is not running and will not be called
  Id add_timer(TimerHandler& handler);
  void remove_timer(Id id);  ///< likewise
  /// Sets when the timer fires next, replacing what was set; kNever disarms. A timer that fires is
  /// disarmed until armed again. Never early; late by up to a millisecond. Any thread; wakes the
  /// I/O thread only if this is the new earliest. O(log timers), no allocation.
  void arm(Id timer, TimePoint at);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::net
