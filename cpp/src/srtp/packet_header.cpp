#include "sealroom/srtp/packet_header.h"

namespace sealroom::srtp {

namespace {

constexpr std::size_t kFixedHeaderSize = 12;
constexpr std::size_t kExtensionHeaderSize = 4;
constexpr std::uint8_t kExtensionBit = 0x10;

std::uint16_t load_u16(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

Ssrc load_ssrc(ByteView bytes, std::size_t at) {
  return Ssrc{static_cast<std::uint32_t>(load_u16(bytes, at)) << 16 | load_u16(bytes, at + 2)};
}

bool is_version_2(ByteView packet) { return (packet[0] & 0xC0) == 0x80; }

}  // namespace

Result<RtpPacketHeader> parse_rtp_header(ByteView packet) {
  if (packet.size() < kFixedHeaderSize) return Error::truncated;
  if (!is_version_2(packet)) return Error::malformed;
  std::size_t size = kFixedHeaderSize + 4U * (packet[0] & 0x0FU);
  if ((packet[0] & kExtensionBit) != 0) {
    if (packet.size() < size + kExtensionHeaderSize) return Error::truncated;
    size += kExtensionHeaderSize + 4U * load_u16(packet, size + 2);
  }
  if (packet.size() < size) return Error::truncated;
  return RtpPacketHeader{size, load_u16(packet, 2), load_ssrc(packet, 8)};
}

Result<Ssrc> parse_rtcp_ssrc(ByteView packet) {
  if (packet.size() < kRtcpHeaderSize) return Error::truncated;
  if (!is_version_2(packet)) return Error::malformed;
  return load_ssrc(packet, 4);
}

}  // namespace sealroom::srtp
