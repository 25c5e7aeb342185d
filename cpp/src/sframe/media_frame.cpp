#include "sealroom/sframe/media_frame.h"

#include <algorithm>

namespace sealroom::sframe {
namespace {

// RFC 6386 section 9.1: 3-byte frame tag (bit 0 clear on key frames), start code, dimensions.
constexpr std::size_t kVp8KeyFrameHeaderSize = 10;
constexpr std::size_t kVp8DeltaFramePrefixSize = 1;
constexpr std::size_t kVp8StartCodeOffset = 3;
constexpr std::uint8_t kVp8StartCode[] = {0x9d, 0x01, 0x2a};

/// An imitation by chance has odds of 2^-24 and ends with the next counter; four in a row are no
/// chance.
constexpr int kMaxAttempts = 4;

bool is_vp8_key_frame(ByteView frame) {
  return frame.size() >= kVp8KeyFrameHeaderSize && (frame[0] & 1) == 0 &&
         std::equal(std::begin(kVp8StartCode), std::end(kVp8StartCode),
                    frame.begin() + kVp8StartCodeOffset);
}

}  // namespace

std::size_t clear_prefix_size(FrameFormat format, ByteView frame) {
  if (format == FrameFormat::opaque || frame.empty()) return 0;
  return is_vp8_key_frame(frame) ? kVp8KeyFrameHeaderSize : kVp8DeltaFramePrefixSize;
}

std::size_t max_protected_size(FrameFormat /*format*/, std::size_t frame_size) {
  return frame_size + kMaxOverhead;
}

Result<std::size_t> protect_frame(Sender& sender, FrameFormat format, ByteView frame,
                                  MutableByteView out) {
  if (frame.empty()) return Error::invalid_argument;
  const std::size_t prefix_size = clear_prefix_size(format, frame);
  if (out.size() < prefix_size) return Error::buffer_too_small;
  const ByteView prefix = frame.first(prefix_size);
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const auto written =
        sender.protect(prefix, frame.subspan(prefix_size), out.subspan(prefix_size));
    if (!written) return written.error();
    std::copy(prefix.begin(), prefix.end(), out.begin());
    const std::size_t size = prefix_size + written.value();
    if (clear_prefix_size(format, out.first(size)) == prefix_size) return size;
  }
  return Error::unsupported;
}

Result<std::size_t> unprotect_frame(Receiver& receiver, FrameFormat format,
                                    ByteView protected_frame, MutableByteView out) {
  const std::size_t prefix_size = clear_prefix_size(format, protected_frame);
  if (out.size() < prefix_size) return Error::buffer_too_small;
  const ByteView prefix = protected_frame.first(prefix_size);
  const auto size =
      receiver.unprotect(prefix, protected_frame.subspan(prefix_size), out.subspan(prefix_size));
  if (!size) return size.error();
  std::copy(prefix.begin(), prefix.end(), out.begin());
  return prefix_size + size.value();
}

}  // namespace sealroom::sframe
