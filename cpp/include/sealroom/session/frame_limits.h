#pragma once

#include <cstddef>

namespace sealroom::session {

/// The packets of a video track among which losses are repaired: those that its sender keeps, and
/// the span of its receiver's jitter buffer.
inline constexpr std::size_t kMaxFrameSpan = 2048;
/// Fewer, so that what follows a frame may come before it is repaired.
inline constexpr std::size_t kMaxFramePackets = kMaxFrameSpan - 128;
/// Fits into that many packets, unless its parts (H.264 NAL units, AV1 OBUs) fill them badly.
inline constexpr std::size_t kMaxFrameSize = 2u << 20;

}  // namespace sealroom::session
