#pragma once

#include "sealroom/base/types.h"

namespace sealroom::rtp {

/// False for what is no payload type, and for 64 to 95: with a marker such packets are taken for
/// RTCP where both come on one port (RFC 5761 section 4).
[[nodiscard]] constexpr bool may_share_port_with_rtcp(PayloadType type) {
  return type.value < 64 || (type.value >= 96 && type.value <= 127);
}

}  // namespace sealroom::rtp
