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

/// A media frame on the wire is `clear prefix || SFrame header || ciphertext || tag`; the prefix is
/// the SFrame metadata, so it is authenticated. Reversible for every non-empty frame: VP8 uses 10
/// clear bytes if and only if the frame is a key frame (bit 0 of byte 0 is 0) of at least 10 bytes
/// whose bytes 3..5 are the start code 9d 01 2a; the receiver reads the same condition from the
/// protected frame, and the sender spends another counter in the rare case that the ciphertext of a
/// short frame imitates the start code.
[[nodiscard]] std::size_t clear_prefix_size(FrameFormat format, ByteView frame);

/// The most bytes that protect_frame writes for a frame of this size.
[[nodiscard]] std::size_t max_protected_size(FrameFormat format, std::size_t frame_size);

/// `out` needs max_protected_size() bytes; returns the size written. An empty frame is
/// invalid_argument. With a KID (or a counter beyond 2^32) whose own bytes in the header imitate
/// the start code another counter does not help: unsupported, for what is not a valid VP8 frame
/// anyway.
Result<std::size_t> protect_frame(Sender& sender, FrameFormat format, ByteView frame,
                                  MutableByteView out);

/// `out` needs `protected_frame.size()` bytes; returns the frame's size. Errors as of
/// Receiver::unprotect.
Result<std::size_t> unprotect_frame(Receiver& receiver, FrameFormat format,
                                    ByteView protected_frame, MutableByteView out);

}  // namespace sealroom::sframe
