#pragma once

#include <cstdint>
#include <string_view>

#include "sealroom/base/bytes.h"

namespace sealroom::rtp {

inline std::int32_t sign_extend_24(std::uint32_t value) {
  return static_cast<std::int32_t>(value << 8) >> 8;
}

inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace sealroom::rtp
