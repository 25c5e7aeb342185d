#pragma once

#include "sealroom/base/bytes.h"

namespace sealroom::net {

/// What a datagram on a multiplexed 5-tuple is, by its first byte (RFC 7983 section 7).
enum class DatagramKind : std::uint8_t { stun, dtls, turn_channel, rtp_or_rtcp, unknown };

[[nodiscard]] DatagramKind classify(ByteView datagram);

}  // namespace sealroom::net
