#include "sealroom/srtp/packet_header.h"

namespace sealroom::srtp {

Result<Ssrc> parse_rtcp_ssrc(ByteView packet) {
  if (packet.size() < kRtcpHeaderSize) return Error::truncated;
  if (!is_version_2(packet)) return Error::malformed;
  return Ssrc{load_u32(packet, 4)};
}

}  // namespace sealroom::srtp
