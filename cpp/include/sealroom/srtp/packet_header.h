#pragma once

#include <cstring>

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

inline constexpr std::size_t kFixedHeaderSize = 12;

inline std::uint16_t load_u16(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
inline std::uint32_t load_u32(ByteView bytes, std::size_t at) {
  return static_cast<std::uint32_t>(load_u16(bytes, at)) << 16 | load_u16(bytes, at + 2);
}
inline bool is_version_2(ByteView packet) { return (packet[0] & 0xC0) == 0x80; }

/// Errors: truncated, malformed (version is not 2). Inline, as each packet is looked at more than
/// once before it is sealed.
inline Result<RtpPacketHeader> parse_rtp_header(ByteView packet) {
  constexpr std::size_t kExtensionHeaderSize = 4;
  constexpr std::uint8_t kExtensionBit = 0x10;
  if (packet.size() < kFixedHeaderSize) return Error::truncated;
  if (!is_version_2(packet)) return Error::malformed;
  std::size_t size = kFixedHeaderSize + 4U * (packet[0] & 0x0FU);
  if ((packet[0] & kExtensionBit) != 0) {
    if (packet.size() < size + kExtensionHeaderSize) return Error::truncated;
    size += kExtensionHeaderSize + 4U * load_u16(packet, size + 2);
  }
  if (packet.size() < size) return Error::truncated;
  return RtpPacketHeader{size, load_u16(packet, 2), Ssrc{load_u32(packet, 8)}};
}

/// To the front of `out`. Most headers are the fixed one, whose copy needs no call.
inline void copy_header(ByteView header, MutableByteView out) {
  if (header.size() == kFixedHeaderSize) {
    std::memcpy(out.data(), header.data(), kFixedHeaderSize);
  } else {
    std::memcpy(out.data(), header.data(), header.size());
  }
}

/// What stays in clear of an RTCP compound packet: the first header and the sender's SSRC (RFC 3711
/// section 3.4).
inline constexpr std::size_t kRtcpHeaderSize = 8;

/// Errors: truncated, malformed (version is not 2).
Result<Ssrc> parse_rtcp_ssrc(ByteView packet);

}  // namespace sealroom::srtp
