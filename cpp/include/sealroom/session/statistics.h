#pragma once

#include <cstdint>

#include "sealroom/base/types.h"

namespace sealroom::session {

/// Why a frame was not handed on, each counted apart. `not_encrypted` is a frame without a
/// well-formed SFrame header or too short for one; plaintext that happens to look like a header
/// counts as unknown_key_id or authentication_failed.
enum class RejectReason : std::uint8_t {
  not_encrypted,
  unknown_key_id,
  replayed,
  authentication_failed,
  queue_overflow,  ///< authentic, but the application did not fetch frames in time
};
inline constexpr std::size_t kRejectReasons = 5;

struct SenderStatistics {
  std::uint64_t frames_sent = 0;
  std::uint64_t packets_sent = 0;
  std::uint64_t bytes_sent = 0;  ///< RTP payload, first sendings
  std::uint64_t packets_retransmitted = 0;
  std::uint64_t nacks_received = 0;  ///< packets asked for
  std::uint64_t key_frame_requests_received = 0;
  std::uint8_t fraction_lost = 0;  ///< of 256, from the last receiver report
  Duration round_trip_time{};      ///< zero until measured
};

struct ReceiverStatistics {
  std::uint64_t packets_received = 0;
  std::uint64_t bytes_received = 0;  ///< RTP payload
  std::int64_t packets_lost = 0;     ///< as in the receiver report, RFC 3550
  std::uint64_t packets_duplicated = 0;
  std::uint64_t packets_discarded = 0;
  std::uint64_t packets_malformed = 0;         ///< their payload breaks its format
  std::uint64_t packets_recovered = 0;         ///< arrived after a NACK
  std::uint64_t retransmissions_received = 0;  ///< on the RTX stream; not among packets_received
  std::uint64_t packets_from_redundancy = 0;   ///< lost, or late, and taken from a RED packet
  std::uint64_t frames_received = 0;           ///< handed on
  std::uint64_t frames_missing = 0;            ///< audio: handed on as missing
  std::uint64_t frames_dropped = 0;            ///< incomplete, or undecodable after a loss
  std::uint64_t rejected[kRejectReasons] = {};
  std::uint64_t nacks_sent = 0;
  std::uint64_t key_frame_requests_sent = 0;
  std::uint32_t jitter = 0;  ///< RFC 3550, in timestamp units
};

struct SessionStatistics {
  std::uint64_t datagrams_received = 0;
  /// Before keys, not authentic, replayed, malformed, or of a stream that was given up.
  std::uint64_t datagrams_rejected = 0;
  std::uint64_t datagrams_replayed = 0;  ///< of these: SRTP replay or too old
  /// Authentic, but of no receiver, or of a stream that another took the place of.
  std::uint64_t datagrams_unrouted = 0;
};

}  // namespace sealroom::session
