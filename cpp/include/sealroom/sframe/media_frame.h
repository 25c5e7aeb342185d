#pragma once

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/sframe/receiver.h"
#include "sealroom/sframe/sender.h"

namespace sealroom::sframe {

/// What a frame is, so far as it decides which leading bytes stay readable for packetizers and the
/// SFU.
enum class FrameFormat : std::uint8_t {
  opaque,  ///< no clear bytes: Opus, VP9
  vp8,     ///< 10 clear bytes on key frames, 1 on the others (docs/wire.md)
  h264,    ///< parameter sets in clear, the whole frame's ciphertext in one slice NAL unit
  av1,     ///< sequence header in clear, the whole frame's ciphertext in one OBU_FRAME
};

/// The leading bytes of `frame`, whole or protected, that VP8 leaves as they are; 0 in the other
/// formats, where no clear byte is in the frame's own place.
[[nodiscard]] std::size_t clear_prefix_size(FrameFormat format, ByteView frame);

/// The most bytes that protect_frame writes for a frame of this size.
[[nodiscard]] std::size_t max_protected_size(FrameFormat format, std::size_t frame_size);

/// Protects a frame so that packetizers, SFUs and receivers of its codec still find what they look
/// for; docs/wire.md has the table of rules. Every clear byte is SFrame metadata, so authenticated,
/// and every frame that is not empty comes back byte for byte, a valid one of its codec or not.
/// `out` needs max_protected_size() bytes and must not overlap `frame`; returns the size written.
/// An empty frame is invalid_argument. VP8 only: the ciphertext of a short frame that imitates a
/// key frame's start code costs one more counter; where the header itself imitates it (by a KID, or
/// a counter beyond 2^32) that does not help: unsupported, for what is not a valid VP8 frame
/// anyway.
Result<std::size_t> protect_frame(Sender& sender, FrameFormat format, ByteView frame,
                                  MutableByteView out);

/// `out` needs `protected_frame.size()` bytes and must not overlap `protected_frame`; returns the
/// frame's size. Errors as of Receiver::unprotect; what has not the form that protect_frame gives
/// is malformed or truncated. Of the clear bytes only the codec's own framing may have changed on
/// the way: H.264 zeros around NAL units, AV1 size fields and temporal delimiter.
Result<std::size_t> unprotect_frame(Receiver& receiver, FrameFormat format,
                                    ByteView protected_frame, MutableByteView out);

}  // namespace sealroom::sframe
