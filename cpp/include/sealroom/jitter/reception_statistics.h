#pragma once

#include <cstdint>
#include <optional>

#include "sealroom/base/sequence.h"
#include "sealroom/base/types.h"

namespace sealroom::jitter {

/// The numbers of a receiver report (RFC 3550 appendices A.1, A.3, A.8) for one SSRC. A jump of
/// 3000 counts only when the number directly behind it follows. O(1), no allocation, one thread.
class ReceptionStatistics {
 public:
  explicit ReceptionStatistics(std::uint32_t clock_rate) : clock_rate_(clock_rate) {}

  void packet_received(std::uint16_t sequence_number, RtpTimestamp timestamp, TimePoint now);

  [[nodiscard]] std::uint32_t extended_highest_sequence() const;
  [[nodiscard]] std::int32_t cumulative_lost() const;  ///< clamped to 24-bit signed
  [[nodiscard]] std::uint32_t jitter() const;          ///< in timestamp units
  [[nodiscard]] std::uint64_t packets_received() const;
  /// Fraction lost since the last call, of 256.
  std::uint8_t take_fraction_lost();

 private:
  std::uint32_t clock_rate_;
  SequenceUnwrapper unwrapper_;
  std::int64_t first_ = 0;
  std::int64_t highest_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t expected_prior_ = 0;
  std::uint64_t received_prior_ = 0;
  std::uint32_t last_transit_ = 0;
  std::uint64_t jitter_q4_ = 0;
  std::optional<std::uint16_t> next_after_jump_;  ///< would confirm that the sender started anew
};

}  // namespace sealroom::jitter
