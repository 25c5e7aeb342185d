#pragma once

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"

namespace sealroom::rtp {

inline constexpr std::size_t kFixedHeaderSize = 12;
/// The largest datagram sealroom sends; it accepts any.
inline constexpr std::size_t kMaxDatagramSize = 1200;
inline constexpr std::uint16_t kOneByteExtensionProfile = 0xBEDE;

/// The fields of the fixed RTP header (RFC 3550 section 5.1) that a sender chooses.
struct RtpHeader {
  bool marker = false;
  PayloadType payload_type{};
  std::uint16_t sequence_number = 0;
  RtpTimestamp timestamp{};
  Ssrc ssrc{};
};

/// The size of the header with CSRCs and extension. For SRTP: unlike RtpPacketView::parse it does
/// not look at the padding, which is still encrypted there.
Result<std::size_t> peek_header_size(ByteView packet);

/// A parsed view of an RTP packet. Owns nothing: the datagram must outlive it.
class RtpPacketView {
 public:
  static Result<RtpPacketView> parse(ByteView packet);

  [[nodiscard]] const RtpHeader& header() const { return header_; }
  [[nodiscard]] ByteView packet() const { return packet_; }
  /// With CSRCs and extensions.
  [[nodiscard]] std::size_t header_size() const { return header_size_; }
  /// Contributing sources, 4 bytes each.
  [[nodiscard]] ByteView csrcs() const {
    return packet_.subspan(kFixedHeaderSize, std::size_t{4} * (packet_[0] & 0x0F));
  }
  /// Without padding.
  [[nodiscard]] ByteView payload() const { return payload_; }
  [[nodiscard]] std::size_t padding_size() const { return padding_size_; }
  /// 0 if there is no extension.
  [[nodiscard]] std::uint16_t extension_profile() const { return extension_profile_; }
  [[nodiscard]] ByteView extension_data() const { return extension_data_; }

 private:
  friend Result<std::size_t> peek_header_size(ByteView packet);

  Result<void> read(ByteView packet);
  Result<void> read_header(ByteView packet);

  RtpHeader header_;
  ByteView packet_;
  ByteView payload_;
  ByteView extension_data_;
  std::size_t header_size_ = 0;
  std::size_t padding_size_ = 0;
  std::uint16_t extension_profile_ = 0;
};

/// RFC 5761 section 4: with rtcp-mux a packet whose second byte is 192..223 is RTCP.
[[nodiscard]] bool is_rtcp(ByteView packet);
/// The SSRC of a (possibly still encrypted) RTP packet, for demultiplexing before authentication.
Result<Ssrc> peek_ssrc(ByteView packet);

}  // namespace sealroom::rtp
