#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "clock_drift.h"
#include "sealroom/base/sequence.h"
#include "sealroom/base/types.h"

namespace sealroom::jitter {

/// How late a stream's packets come, each against the fastest of the last seconds, and the delay
/// that 95 of 100 do not exceed, in steps of 20 ms up to 2 s. The past is forgotten by a factor of
/// 0.983 per packet: at 50 packets/s a burst of lateness is gone from the target after about 3.5 s.
/// All constants are those of NetEq's DelayManager and its histogram (libwebrtc m125: quantile
/// 0.95, forget factor 0.983, 100 buckets of 20 ms, 2 s of history, start delay 80 ms). Clock drift
/// is absorbed as the fastest packet ages. O(1), no allocation.
class DelayTracker {
 public:
  DelayTracker(std::uint32_t clock_rate, Duration min_target, Duration max_target);

  void packet_received(RtpTimestamp timestamp, TimePoint now);
  [[nodiscard]] Duration target() const { return target_; }
  /// The same without the configured bounds and the caution of the start.
  [[nodiscard]] Duration minimum() const { return minimum_; }
  /// Of the sender against the receiver; nothing in the first minute.
  [[nodiscard]] std::optional<double> clock_drift_ppm() const { return drift_.ppm(); }

 private:
  static constexpr std::size_t kBuckets = 100;

  Duration relative_delay(RtpTimestamp timestamp, TimePoint now);
  void add_to_histogram(std::size_t bucket);

  std::uint32_t clock_rate_;
  Duration min_target_;
  Duration max_target_;
  Duration target_;
  Duration minimum_{};

  ClockDrift drift_;
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
