#include "sealroom/net/event_notifier.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#if defined(__linux__)
#include <sys/eventfd.h>
#endif

namespace sealroom::net {

EventNotifier::EventNotifier() {
#if defined(__linux__)
  read_fd_ = write_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (read_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
#else
  int ends[2];
  if (::pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  for (const int end : ends) {
    ::fcntl(end, F_SETFL, ::fcntl(end, F_GETFL) | O_NONBLOCK);
    ::fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  read_fd_ = ends[0];
  write_fd_ = ends[1];
#endif
}

EventNotifier::~EventNotifier() {
  ::close(read_fd_);
  if (write_fd_ != read_fd_) ::close(write_fd_);
}

void EventNotifier::signal() {
  if (signalled_.exchange(true, std::memory_order_acq_rel)) return;
  const std::uint64_t one = 1;
  // Eight bytes for eventfd; into a pipe as many as any. It cannot be full: one write per clear.
  while (::write(write_fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void EventNotifier::clear() {
  // The descriptor first, then the flag: a signal in between finds the flag still set and writes
  // nothing, which is right, as what it announces is there before the caller fetches. The other way
  // round its byte would be read here and the flag stay set, and every later wake be lost.
  std::uint64_t drained[8];
  while (true) {
    const ssize_t size = ::read(read_fd_, drained, sizeof drained);
    if (size < 0 && errno == EINTR) continue;
    if (size < static_cast<ssize_t>(sizeof drained)) break;
  }
  signalled_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace sealroom::net
