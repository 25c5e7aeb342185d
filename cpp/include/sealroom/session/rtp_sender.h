#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "sealroom/base/datagram_batch.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/rtp/header_extension.h"
#include "sealroom/rtp/packet_history.h"
#include "sealroom/rtp/payload_format.h"
#include "sealroom/rtp/red.h"
#include "sealroom/rtp/retransmission_limiter.h"
#include "sealroom/rtp/rtcp.h"
#include "sealroom/session/frame_limits.h"
#include "sealroom/session/statistics.h"
#include "sealroom/sframe/media_frame.h"
#include "sealroom/srtp/sender.h"

namespace sealroom::session {

/// Of audio, whose frames are never fragmented (RFC 7587 section 4.2). An Opus packet of one frame
/// has at most 1276 bytes (RFC 6716 sections 3.1 and 3.2.1); its loudness may follow.
inline constexpr std::size_t kMaxAudioFrameSize = 1300;

/// For audio frames that do not fit into rtp::kMaxDatagramSize. With IPv6, UDP and TURN around them
/// they pass through the 1500 bytes of Ethernet.
inline constexpr std::size_t kMaxAudioDatagramSize = 1400;

/// Retransmissions on a stream of their own (RFC 4588), which keeps the loss that the receiver
/// reports true and gives them times of their own.
struct RtxSenderConfig {
  Ssrc ssrc{};
  PayloadType payload_type{};
  std::uint16_t first_sequence_number = 0;
};

/// Opus only: each packet carries the last `distance` frames once more (RFC 2198), as ciphertext.
struct RedSenderConfig {
  PayloadType payload_type{};
  std::size_t distance = 1;  ///< 1..rtp::RedEncoder::kMaxDistance
};

struct SenderConfig {
  rtp::Codec codec{};
  PayloadType payload_type{};
  Ssrc ssrc{};
  std::string mid;  ///< at most 16 bytes
  std::uint16_t first_sequence_number = 0;
  std::uint16_t first_picture_id = 0;  ///< VP8, VP9
  bool protection =
      true;  ///< false: frames leave without end-to-end encryption, for peers that have none
  std::optional<RtxSenderConfig> rtx;  ///< absent: what is sent again is byte-identical
  std::optional<RedSenderConfig> red;
};

struct OutgoingFrame {
  /// 1..kMaxFrameSize bytes and at most kMaxFramePackets packets, of audio 1..kMaxAudioFrameSize.
  ByteView data;
  RtpTimestamp timestamp{};
  std::optional<rtp::AudioLevel> audio_level{};
  /// What the packets of VP9 and AV1 say; absent: read from `data`, right unless that is encrypted
  /// already.
  std::optional<bool> is_key_frame{};
};

/// One track on its way out: SFrame, packets, SRTP. One thread.
class RtpSender {
 public:
  RtpSender(crypto::Backend backend, SenderConfig config);

  /// Later frames use this key. Key ids must not come back (invalid_argument): the counter would
  /// start again.
  Result<void> set_key(sframe::CipherSuite suite, KeyId key_id, ByteView base_key);

  /// Appends the frame's protected packets to `batch`. Errors: invalid_argument, limit_exceeded,
  /// not_ready (no key), key_exhausted; on an error nothing is sent and no counter of the stream
  /// has moved.
  Result<void> send(const OutgoingFrame& frame, const rtp::ExtensionMap& extensions,
                    srtp::Sender& srtp, DatagramBatch& batch, TimePoint now, NtpTime wall_clock);

  /// Sends again what is kept of it, each packet at most once in 10 ms or half a round trip, all
  /// together at most the share of RetransmissionLimiter. The history keeps packets as they were
  /// before SRTP, so each is sealed anew: on the RTX stream, or without one under the index it had
  /// and so to the same bytes.
  void handle_nack(const rtp::NackList& nack, const rtp::ExtensionMap& extensions,
                   srtp::Sender& srtp, DatagramBatch& batch, TimePoint now, NtpTime wall_clock);
  void handle_report_block(const rtp::ReportBlock& block, NtpTime wall_clock);
  void count_key_frame_request() { ++statistics_.key_frame_requests_received; }
  /// Nothing before the first frame.
  [[nodiscard]] std::optional<rtp::SenderReport> sender_report(TimePoint now,
                                                               NtpTime wall_clock) const;

  [[nodiscard]] const SenderConfig& config() const { return config_; }
  [[nodiscard]] const SenderStatistics& statistics() const { return statistics_; }

 private:
  static constexpr std::size_t kMaxBatch = 16;

  [[nodiscard]] Urgency urgency() const;
  /// Seals a packet of `header_size` bytes of header and the payload behind it into `batch`.
  Result<void> seal(ByteView packet, std::size_t header_size, srtp::Sender& srtp,
                    DatagramBatch& batch) const;
  /// The same for at most kMaxBatch packets, each of at most kMaxDatagramSize when sealed.
  Result<void> seal_batch(std::span<const ByteView> packets, std::size_t header_size,
                          srtp::Sender& srtp, DatagramBatch& batch) const;
  Result<void> seal_rtx(ByteView packet, const rtp::ExtensionMap& extensions, srtp::Sender& srtp,
                        DatagramBatch& batch, NtpTime wall_clock);
  /// The packetizer's next payload, as RED where that is on.
  Result<std::size_t> write_payload(RtpTimestamp timestamp, MutableByteView out);
  /// The bytes to packetize: the frame itself, or its protected form in protected_.
  Result<ByteView> protect(ByteView frame);

  crypto::Backend backend_;
  SenderConfig config_;
  std::optional<sframe::Sender> sframe_;
  std::optional<KeyId> newest_key_id_;
  std::unique_ptr<rtp::Packetizer> packetizer_;
  rtp::PacketHistory history_;
  rtp::RetransmissionLimiter limiter_;
  Bytes protected_;
  std::optional<rtp::RedEncoder> red_;
  Bytes primary_;  ///< RED: the payload before it is joined with those before it
  std::uint16_t next_sequence_number_;
  std::uint16_t next_rtx_sequence_number_ = 0;
  RtpTimestamp last_timestamp_{};
  TimePoint last_sent_at_{};
  SenderStatistics statistics_;
};

}  // namespace sealroom::session
