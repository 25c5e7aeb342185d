#include "sealroom/net/process.h"

#include <pthread.h>

#include <atomic>
#include <system_error>

namespace sealroom::net {
namespace {

std::atomic<std::uint32_t> count{0};

void count_fork() { count.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

std::uint32_t fork_count() {
  static const int registered = [] {
    const int error = ::pthread_atfork(nullptr, nullptr, count_fork);
    if (error != 0) throw std::system_error(error, std::generic_category(), "pthread_atfork");
    return 0;
  }();
  (void)registered;
  return count.load(std::memory_order_relaxed);
}

}  // namespace sealroom::net
