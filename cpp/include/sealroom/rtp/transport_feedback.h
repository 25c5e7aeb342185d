#pragma once

#include <optional>
#include <vector>

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/sequence_line.h"
#include "sealroom/rtp/rtcp.h"

namespace sealroom::rtp {

/// Transport-wide congestion control feedback, draft-holmer-rmcat-transport-wide-cc-extensions-01
/// section 3.1: which packets of a transport arrived when.
struct TransportFeedback {
  Ssrc sender{};
  Ssrc media{};
  std::uint16_t base_sequence_number = 0;
  std::uint16_t status_count = 0;   ///< packets it speaks of, from the base on
  std::int32_t reference_time = 0;  ///< 24 bit, signed, in 64 ms
  std::uint8_t feedback_count = 0;  ///< numbers the feedback packets, wraps
  ByteView chunks;                  ///< exactly those of the statuses
  ByteView deltas;                  ///< at least those of the statuses

  /// Checks that all statuses and all their deltas are there, O(chunks). Errors: truncated.
  static Result<TransportFeedback> parse(const Feedback& feedback);
};

struct PacketStatus {
  std::uint16_t sequence_number = 0;
  bool is_received = false;
  /// Since the zero of the reference time, in steps of 250 us; none where the packet is not
  /// received, or is without telling when (a reserved symbol that exists in the field).
  std::optional<Duration> arrival;
};

/// Walks the statuses of a parsed feedback: at most 65,535, whatever its size.
class PacketStatuses {
 public:
  explicit PacketStatuses(const TransportFeedback& feedback);
  bool next(PacketStatus& status);

 private:
  [[nodiscard]] std::uint8_t next_symbol();

  ByteReader chunks_;
  ByteReader deltas_;
  std::uint16_t sequence_number_;
  std::uint32_t left_;
  std::uint16_t chunk_ = 0;
  std::uint32_t left_in_chunk_ = 0;
  Duration arrival_;
};

/// Records the arrivals of one transport and writes them as feedback. Holds the last kCapacity
/// sequence numbers; a packet that was overtaken by its own feedback is reported again with those
/// behind it, one that comes twice counts once, a jump ahead of kCapacity starts anew; what is
/// as far behind is passed over, until two such numbers follow each other when nothing else has
/// come for a second: a sender that counts anew. Sans-IO; O(1) per packet amortised; memory is
/// taken at construction. One thread.
class TransportFeedbackCollector {
 public:
  static constexpr std::size_t kCapacity = 4096;

  TransportFeedbackCollector() : arrivals_(kCapacity, kNever) {}

  void packet_received(std::uint16_t transport_sequence_number, TimePoint now);
  [[nodiscard]] bool has_feedback() const { return unreported_ > 0; }
  /// Appends one feedback packet of what is not reported yet, as much as there is room for; call
  /// again while has_feedback(). Nothing is reported twice by this. Errors: buffer_too_small (then
  /// nothing has changed), invalid_argument if there is nothing to report.
  Result<void> write(RtcpWriter& writer, Ssrc sender, Ssrc media);

 private:
  [[nodiscard]] TimePoint& at(std::int64_t sequence) {
    return arrivals_[static_cast<std::size_t>(sequence) % kCapacity];
  }
  void start(std::int64_t sequence);

  SequenceLine line_{static_cast<std::int64_t>(kCapacity) - 1};
  std::vector<TimePoint> arrivals_;  ///< of [end_ - kCapacity, end_); kNever: not there
  std::int64_t begin_ = 0;           ///< nothing before it is left to report
  std::int64_t end_ = 0;             ///< behind the newest
  std::size_t unreported_ = 0;       ///< received ones in [begin_, end_)
  std::uint8_t feedback_count_ = 0;
};

}  // namespace sealroom::rtp
