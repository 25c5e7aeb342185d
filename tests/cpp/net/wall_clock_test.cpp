// NTP times while somebody sets the system's clock. This program has a clock_gettime of its own.

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <ctime>

#include "sealroom/net/io_thread.h"

namespace {
std::atomic<time_t> g_step = 0;
}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const int result = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
  if (clock == CLOCK_REALTIME) time->tv_sec += g_step;
  return result;
}

namespace sealroom::net {
namespace {

std::uint64_t seconds_between(NtpTime earlier, NtpTime later) {
  return (later.value - earlier.value) >> 32;
}

// Round trips are differences of such times (RFC 3550 section 6.4.1).
TEST(WallClock, NtpTimesGoOnEvenlyWhenTheSystemsClockIsSet) {
  const NtpTime start = IoThread::ntp_now();
  for (const time_t step : {3, 3600, -3600}) {
    g_step = step;
    EXPECT_LT(seconds_between(start, IoThread::ntp_now()), 60U) << step;
  }
}

}  // namespace
}  // namespace sealroom::net
