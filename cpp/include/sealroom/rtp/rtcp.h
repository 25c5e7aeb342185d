#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "sealroom/base/byte_reader.h"
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
/// In RTPFB, draft-holmer-rmcat-transport-wide-cc-extensions-01; see transport_feedback.h.
inline constexpr std::uint8_t kTransportFeedbackFormat = 15;
inline constexpr std::uint8_t kPliFormat = 1;  ///< in PSFB, RFC 4585 section 6.3.1
inline constexpr std::uint8_t kFirFormat = 4;  ///< in PSFB, RFC 5104 section 4.3.1
/// In PSFB, for what an application defines (RFC 4585 section 6.4), REMB among it.
inline constexpr std::uint8_t kApplicationFormat = 15;
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

/// The validity check of RFC 3550 appendix A.2 for a whole compound: it begins with a report
/// without padding, all versions are 2 and the lengths add up. Where reduced size is negotiated
/// (RFC 5506) RtcpReader alone is the check. Errors: malformed.
Result<void> check_compound(ByteView compound);

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

enum class SdesType : std::uint8_t {
  cname = 1,
  name = 2,
  email = 3,
  phone = 4,
  location = 5,
  tool = 6,
  note = 7,
  priv = 8,  ///< PRIV: its text begins with the length of a prefix and the prefix
};

/// RFC 3550 section 6.5. Text views point into the packet.
struct SdesItem {
  Ssrc ssrc{};
  SdesType type{};
  std::string_view text;  ///< at most 255 bytes
};

/// Walks all items of all chunks. Use: `while (reader.next(item))`, then `reader.ok()`.
class SdesReader {
 public:
  /// Ends at once for a packet of another type.
  explicit SdesReader(const RtcpPacketView& packet);
  bool next(SdesItem& item);
  [[nodiscard]] bool ok() const { return reader_.ok(); }

 private:
  ByteReader reader_;
  std::size_t chunks_ = 0;  ///< left to begin
  bool in_chunk_ = false;
  Ssrc ssrc_{};
};

struct Bye {
  std::array<Ssrc, kMaxReportBlocks> sources{};
  std::size_t count = 0;
  std::string_view reason;  ///< empty: none
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
/// One media source of a FIR; the number tells a new request from a repeated one.
struct FirEntry {
  Ssrc ssrc{};
  std::uint8_t command_sequence_number = 0;
};
/// Taken from one FIR; the rest is ignored.
struct FirList {
  std::array<FirEntry, kMaxReportBlocks> entries{};
  std::size_t count = 0;
};
/// RFC 5104 section 4.3.1.1.
Result<FirList> parse_fir(const Feedback& feedback);

/// Receiver estimated maximum bit rate, draft-alvestrand-rmcat-remb-03.
struct Remb {
  std::uint64_t bits_per_second = 0;
  std::array<Ssrc, 255> sources{};
  std::size_t count = 0;
};
/// unsupported for another message of the application format.
Result<Remb> parse_remb(const Feedback& feedback);

/// Appends packets to a caller's buffer. Each method writes its packet whole or, with
/// buffer_too_small, nothing; invalid_argument for a value its field cannot hold, an empty CNAME or
/// an empty list. No allocation.
class RtcpWriter {
 public:
  explicit RtcpWriter(MutableByteView buffer) : buffer_(buffer) {}

  Result<void> sender_report(const SenderReport& report);
  Result<void> receiver_report(const ReceiverReport& report);
  Result<void> source_description(Ssrc ssrc, std::string_view cname);
  /// Any items; those of one source stand behind each other and become one chunk, at most 31.
  Result<void> source_description(std::span<const SdesItem> items);
  Result<void> bye(Ssrc ssrc) { return bye({&ssrc, 1}, {}); }
  /// 1 to 31 sources, a reason of at most 255 bytes.
  Result<void> bye(std::span<const Ssrc> sources, std::string_view reason);
  /// `sequence_numbers` ascending (in RFC 1982 order); packed into as few PID/BLP words as they
  /// allow.
  Result<void> nack(Ssrc sender, Ssrc media, std::span<const std::uint16_t> sequence_numbers);
  Result<void> picture_loss_indication(Ssrc sender, Ssrc media);
  /// At least one entry.
  Result<void> full_intra_request(Ssrc sender, std::span<const FirEntry> entries);
  /// At most 255 sources. What 18 bits of mantissa cannot hold is rounded down.
  Result<void> remb(Ssrc sender, std::uint64_t bits_per_second, std::span<const Ssrc> sources);
  /// Any feedback message; control information that does not end at a word is padded, as libwebrtc
  /// does it.
  Result<void> feedback(RtcpType type, std::uint8_t format, Ssrc sender, Ssrc media,
                        ByteView control_information);
  /// Pads the last packet by `size` bytes, a multiple of four up to 252 (RFC 3550 section 6.4.1).
  Result<void> pad(std::size_t size);

  [[nodiscard]] std::size_t size() const { return size_; }
  /// What `feedback` could take of control information.
  [[nodiscard]] std::size_t feedback_room() const {
    constexpr std::size_t kHeader = 12;
    const std::size_t left = buffer_.size() - size_;
    return left < kHeader ? 0 : (left - kHeader) / 4 * 4;
  }

 private:
  /// Room for a packet of `size` bytes, which is then the last one; empty if there is none.
  MutableByteView claim(std::size_t size);

  MutableByteView buffer_;
  std::size_t size_ = 0;
  std::size_t last_ = 0;  ///< where the last packet begins
};

}  // namespace sealroom::rtp
