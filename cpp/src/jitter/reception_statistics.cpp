#include "sealroom/jitter/reception_statistics.h"

#include <algorithm>

namespace sealroom::jitter {
namespace {

// RFC 3550 appendix A.1. Its 100 for misorder is less than one round trip of fast video: a
// retransmitted burst would look like a sender that started anew.
constexpr std::int64_t kMaxDropout = 3000;
constexpr std::int64_t kMaxMisorder = 3000;

constexpr std::int64_t kMaxCumulativeLost = 0x7fffff;
constexpr std::int64_t kMinCumulativeLost = -0x800000;

// Seconds and their rest apart: microseconds times the clock rate would overflow for a time line
// that counts from 1970.
std::uint32_t to_timestamp_units(TimePoint time, std::uint32_t clock_rate) {
  const auto microseconds = static_cast<std::uint64_t>(time.time_since_epoch().count());
  const std::uint64_t seconds = microseconds / 1'000'000;
  const std::uint64_t rest = microseconds % 1'000'000;
  return static_cast<std::uint32_t>(seconds * clock_rate + rest * clock_rate / 1'000'000);
}

}  // namespace

void ReceptionStatistics::packet_received(std::uint16_t sequence_number, RtpTimestamp timestamp,
                                          TimePoint now) {
  const std::uint32_t transit = to_timestamp_units(now, clock_rate_) - timestamp.value;
  std::int64_t sequence = unwrapper_.peek(sequence_number);
  if (received_ == 0) {
    first_ = highest_ = unwrapper_.unwrap(sequence_number);
    last_transit_ = transit;
  } else if (sequence > highest_ + kMaxDropout || sequence <= highest_ - kMaxMisorder) {
    // A sender that started anew, if a second packet confirms it. What was lost before stays
    // counted.
    if (next_after_jump_ != sequence_number) {
      next_after_jump_ = static_cast<std::uint16_t>(sequence_number + 1);
      return;
    }
    const std::int64_t expected = highest_ - first_ + 1;
    unwrapper_.reset();
    highest_ = unwrapper_.unwrap(sequence_number);
    first_ = highest_ - expected;
    last_transit_ = transit;
  } else {
    sequence = unwrapper_.unwrap(sequence_number);
    highest_ = std::max(highest_, sequence);
  }
  next_after_jump_.reset();
  ++received_;

  const auto difference = static_cast<std::int32_t>(transit - last_transit_);
  last_transit_ = transit;
  const std::uint64_t deviation =
      static_cast<std::uint64_t>(difference < 0 ? -std::int64_t{difference} : difference);
  jitter_q4_ += deviation - ((jitter_q4_ + 8) >> 4);  // appendix A.8; never below zero
}

std::uint32_t ReceptionStatistics::extended_highest_sequence() const {
  return static_cast<std::uint32_t>(highest_);
}

std::int32_t ReceptionStatistics::cumulative_lost() const {
  if (received_ == 0) return 0;
  const std::int64_t lost = highest_ - first_ + 1 - static_cast<std::int64_t>(received_);
  return static_cast<std::int32_t>(std::clamp(lost, kMinCumulativeLost, kMaxCumulativeLost));
}

std::uint32_t ReceptionStatistics::jitter() const {
  return static_cast<std::uint32_t>(jitter_q4_ >> 4);
}

std::uint64_t ReceptionStatistics::packets_received() const { return received_; }

std::uint8_t ReceptionStatistics::take_fraction_lost() {
  if (received_ == 0) return 0;
  const auto expected = static_cast<std::uint64_t>(highest_ - first_ + 1);
  const auto expected_since = static_cast<std::int64_t>(expected - expected_prior_);
  const auto received_since = static_cast<std::int64_t>(received_ - received_prior_);
  expected_prior_ = expected;
  received_prior_ = received_;
  const std::int64_t lost = expected_since - received_since;
  if (expected_since <= 0 || lost <= 0) return 0;
  return static_cast<std::uint8_t>(std::min<std::int64_t>(lost * 256 / expected_since, 255));
}

}  // namespace sealroom::jitter
