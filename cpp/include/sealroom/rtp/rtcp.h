#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "sealroom/base/byte_writer.h"
#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"

namespace sealroom::rtp {

enum class RtcpType : std::uint8_t {
  sender_report = 200,
  receiver_report = 201,
  source_description = 202,
  bye = 203,
  app = 204,
  transport_feedback = 205,  ///< RTPFB
  payload_feedback = 206,    ///< PSFB
  extended_report = 207,
};
inline constexpr std::uint8_t kNackFormat = 1;  ///< in RTPFB, RFC 4585 section 6.2.1
inline constexpr std::uint8_t kPliFormat = 1;   ///< in PSFB, RFC 4585 section 6.3.1
inline constexpr std::uint8_t kFirFormat = 4;   ///< in PSFB, RFC 5104 section 4.3.1
inline constexpr std::size_t kMaxReportBlocks = 31;

/// One packet of a compound, after its header checked out.
struct RtcpPacketView {
  RtcpType type{};
  std::uint8_t count_or_format = 0;
  ByteView body;  ///< after the 4-byte header, without padding
};

/// Walks a compound or reduced-size packet (RFC 3550 section 6.1, RFC 5506).
/// Use: `while (reader.next(packet))`, then `reader.ok()` tells whether the end was reached
/// cleanly: a packet that breaks its framing, and bytes that are no packet, end the walk. The
/// `parse` functions below return invalid_argument for a packet of another type.
class RtcpReader {
 public:
  explicit RtcpReader(ByteView compound) : rest_(compound) {}
  bool next(RtcpPacketView& packet);
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  ByteView rest_;
  bool ok_ = true;
};

struct ReportBlock {
  Ssrc ssrc{};
  std::uint8_t fraction_lost = 0;    ///< of 256
  std::int32_t cumulative_lost = 0;  ///< 24-bit signed
  std::uint32_t extended_highest_sequence = 0;
  std::uint32_t jitter = 0;                          ///< in timestamp units
  std::uint32_t last_sender_report = 0;              ///< middle 32 bits of its NTP time
  std::uint32_t delay_since_last_sender_report = 0;  ///< in 1/65536 s
};

struct ReportBlocks {
  std::array<ReportBlock, kMaxReportBlocks> blocks{};
  std::size_t count = 0;
};

struct SenderReport {
  Ssrc sender{};
  NtpTime ntp_time{};
  RtpTimestamp rtp_timestamp{};
  std::uint32_t packet_count = 0;
  std::uint32_t octet_count = 0;
  ReportBlocks reports;
  static Result<SenderReport> parse(const RtcpPacketView& packet);
};

struct ReceiverReport {
  Ssrc sender{};
  ReportBlocks reports;
  static Result<ReceiverReport> parse(const RtcpPacketView& packet);
};

/// The first chunk's CNAME, empty if it has none; other chunks are skipped.
struct SourceDescription {
  Ssrc ssrc{};
  std::string_view cname;
  static Result<SourceDescription> parse(const RtcpPacketView& packet);
};

struct Bye {
  std::array<Ssrc, kMaxReportBlocks> sources{};
  std::size_t count = 0;
  static Result<Bye> parse(const RtcpPacketView& packet);
};

/// PLI and the media SSRC of any feedback message.
struct Feedback {
  Ssrc sender{};
  Ssrc media{};
  ByteView control_information;  ///< FCI
  static Result<Feedback> parse(const RtcpPacketView& packet);
};

/// Taken from one NACK; the rest is ignored.
inline constexpr std::size_t kMaxNackedPackets = 512;
struct NackList {
  std::array<std::uint16_t, kMaxNackedPackets> sequence_numbers{};
  std::size_t count = 0;
};
/// Expands PID and BLP (RFC 4585 section 6.2.1).
Result<NackList> parse_nack(const Feedback& feedback);
/// Media SSRCs of a FIR (RFC 5104 section 4.3.1.1), at most kMaxReportBlocks.
Result<Bye> parse_fir(const Feedback& feedback);

/// Appends packets to a caller's buffer. Each method writes its packet whole or, with
/// buffer_too_small, nothing; invalid_argument for a value its field cannot hold, an empty CNAME or
/// an empty list.
class RtcpWriter {
 public:
  explicit RtcpWriter(MutableByteView buffer) : buffer_(buffer) {}

  Result<void> sender_report(const SenderReport& report);
  Result<void> receiver_report(const ReceiverReport& report);
  Result<void> source_description(Ssrc ssrc, std::string_view cname);
  Result<void> bye(Ssrc ssrc);
  /// `sequence_numbers` ascending (in RFC 1982 order); packed into as few PID/BLP words as they
  /// allow.
  Result<void> nack(Ssrc sender, Ssrc media, std::span<const std::uint16_t> sequence_numbers);
  Result<void> picture_loss_indication(Ssrc sender, Ssrc media);

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  MutableByteView buffer_;
  std::size_t size_ = 0;
};

}  // namespace sealroom::rtp
