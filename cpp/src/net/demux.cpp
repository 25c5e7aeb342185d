#include "sealroom/net/demux.h"

namespace sealroom::net {

DatagramKind classify(ByteView datagram) {
  if (datagram.empty()) return DatagramKind::unknown;
  const std::uint8_t first = datagram.front();
  if (first <= 3) return DatagramKind::stun;
  if (first >= 20 && first <= 63) return DatagramKind::dtls;
  if (first >= 64 && first <= 79) return DatagramKind::turn_channel;
  if (first >= 128 && first <= 191) return DatagramKind::rtp_or_rtcp;
  return DatagramKind::unknown;
}

}  // namespace sealroom::net
