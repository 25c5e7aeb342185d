#pragma once

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"

namespace sealroom::srtp {

/// RTP and RTCP packets are UDP datagrams. The bound also keeps AES-CM far below its 2^16 blocks
/// per packet, after which key stream would repeat (RFC 3711 section 4.1.1).
inline constexpr std::size_t kMaxPacketSize = 65535;

/// What SRTP needs of an RTP packet and nothing behind it: unlike rtp::RtpPacketView this can read
/// a packet whose payload, and with it the padding count, is still encrypted.
struct RtpPacketHeader {
  std::size_t size = 0;  ///< with CSRCs and extension: what stays in clear
  std::uint16_t sequence_number = 0;
  Ssrc ssrc{};
};

/// Errors: truncated, malformed (version is not 2).
Result<RtpPacketHeader> parse_rtp_header(ByteView packet);

/// What stays in clear of an RTCP compound packet: the first header and the sender's SSRC (RFC 3711
/// section 3.4).
inline constexpr std::size_t kRtcpHeaderSize = 8;

/// Errors: truncated, malformed (version is not 2).
Result<Ssrc> parse_rtcp_ssrc(ByteView packet);

}  // namespace sealroom::srtp
