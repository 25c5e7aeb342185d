#include "delay_tracker.h"

#include <algorithm>

namespace sealroom::jitter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kQuantile = 0.95;
constexpr double kForget = 0.983;
constexpr double kRescaleAt = 1e100;  // once in about 13000 packets
constexpr Duration kBucketWidth = milliseconds(20);
constexpr Duration kWindow = seconds(2);
constexpr Duration kTimelineBreak = seconds(10);

// Until the histogram says something: NetEq's start delay, for one second of 20 ms packets.
constexpr Duration kStartTarget = milliseconds(80);
constexpr std::uint32_t kStartPackets = 50;

}  // namespace

DelayTracker::DelayTracker(std::uint32_t clock_rate, Duration min_target, Duration max_target)
    : clock_rate_(std::max<std::uint32_t>(clock_rate, 1)),
      min_target_(min_target),
      max_target_(std::max(min_target, max_target)),
      target_(std::clamp(kStartTarget, min_target_, max_target_)) {}

void DelayTracker::packet_received(RtpTimestamp timestamp, TimePoint now) {
  const Duration delay = relative_delay(timestamp, now);
  add_to_histogram(std::min(static_cast<std::size_t>(delay / kBucketWidth), kBuckets - 1));
  minimum_ = kBucketWidth * static_cast<Duration::rep>(quantile_ + 1);
  Duration target = minimum_;
  if (packets_ < kStartPackets) {
    ++packets_;
    target = std::max(target, kStartTarget);
  }
  target_ = std::clamp(target, min_target_, max_target_);
}

Duration DelayTracker::relative_delay(RtpTimestamp timestamp, TimePoint now) {
  const std::int64_t ticks = timestamps_.unwrap(timestamp.value);
  // Seconds and their rest apart, so that weeks of microseconds times ticks cannot overflow.
  const std::int64_t rate = clock_rate_;
  const Duration sent = seconds(ticks / rate) + Duration(ticks % rate * 1'000'000 / rate);
  const Duration transit = now.time_since_epoch() - sent;
  const Duration base = std::min(fastest_, fastest_before_);
  if (packets_ == 0 || transit - base > kTimelineBreak || base - transit > kTimelineBreak) {
    fastest_ = fastest_before_ = transit;
    window_start_ = now;
    drift_.restart();
    drift_.packet_received(transit, now);
    return Duration::zero();
  }
  drift_.packet_received(transit, now);
  if (now - window_start_ >= kWindow) {
    fastest_before_ = now - window_start_ < 2 * kWindow ? fastest_ : transit;
    window_start_ = now;
    fastest_ = transit;
  }
  fastest_ = std::min(fastest_, transit);
  return transit - std::min(fastest_, fastest_before_);
}

void DelayTracker::add_to_histogram(std::size_t bucket) {
  newest_weight_ /= kForget;
  weights_[bucket] += newest_weight_;
  total_ += newest_weight_;
  if (bucket < quantile_) below_ += newest_weight_;
  // Afresh from the buckets, so that rounding does not add up either.
  if (newest_weight_ > kRescaleAt) {
    total_ = below_ = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      weights_[i] /= newest_weight_;
      total_ += weights_[i];
      if (i < quantile_) below_ += weights_[i];
    }
    newest_weight_ = 1;
  }
  const double wanted = kQuantile * total_;
  while (quantile_ + 1 < kBuckets && below_ + weights_[quantile_] < wanted) {
    below_ += weights_[quantile_++];
  }
  while (quantile_ > 0 && below_ >= wanted) below_ -= weights_[--quantile_];
}

}  // namespace sealroom::jitter
