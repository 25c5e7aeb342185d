#pragma once

#include <array>
#include <cstdint>

#include "sealroom/base/sequence.h"
#include "sealroom/base/types.h"

namespace sealroom::jitter {

/// How late a stream's packets come, each against the fastest of the last seconds, and the delay
/// that 95 of 100 do not exceed. The past is forgotten by a factor of 0.983 per packet (NetEq's
/// constant: at 50 packets/s a burst of lateness is gone from the target after about 3.5 s). Clock
/// drift is absorbed as the fastest packet ages. O(1), no allocation.
class DelayTracker {
 public:
  DelayTracker(std::uint32_t clock_rate, Duration min_target, Duration max_target);

  void packet_received(RtpTimestamp timestamp, TimePoint now);
  [[nodiscard]] Duration target() const { return target_; }

 private:
  static constexpr std::size_t kBuckets = 100;

  Duration relative_delay(RtpTimestamp timestamp, TimePoint now);
  void add_to_histogram(std::size_t bucket);

  std::uint32_t clock_rate_;
  Duration min_target_;
  Duration max_target_;
  Duration target_;

  TimestampUnwrapper timestamps_;
  TimePoint window_start_{};
  Duration fastest_{};         ///< arrival minus send time, of the current window
  Duration fastest_before_{};  ///< of the one before
  std::uint32_t packets_ = 0;  ///< saturates once the start is over

  std::array<double, kBuckets> weights_{};
  double newest_weight_ = 1;  ///< grows instead of all older ones shrinking
  double total_ = 0;
  double below_ = 0;  ///< sum of the weights under quantile_
  std::size_t quantile_ = 0;
};

}  // namespace sealroom::jitter
