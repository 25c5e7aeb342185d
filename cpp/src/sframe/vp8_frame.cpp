#include "vp8_frame.h"

#include <algorithm>

namespace sealroom::sframe::vp8 {
namespace {

// RFC 6386 section 9.1: 3-byte frame tag (bit 0 clear on key frames), start code, dimensions.
constexpr std::size_t kKeyFrameHeaderSize = 10;
constexpr std::size_t kDeltaFramePrefixSize = 1;
constexpr std::size_t kStartCodeOffset = 3;
constexpr std::uint8_t kStartCode[] = {0x9d, 0x01, 0x2a};

/// An imitation by chance has odds of 2^-24 and ends with the next counter; four in a row are no
/// chance.
constexpr int kMaxAttempts = 4;

bool is_key_frame(ByteView frame) {
  return frame.size() >= kKeyFrameHeaderSize && (frame[0] & 1) == 0 &&
         std::equal(std::begin(kStartCode), std::end(kStartCode), frame.begin() + kStartCodeOffset);
}

}  // namespace

std::size_t clear_prefix_size(ByteView frame) {
  if (frame.empty()) return 0;
  return is_key_frame(frame) ? kKeyFrameHeaderSize : kDeltaFramePrefixSize;
}

std::size_t max_protected_size(std::size_t frame_size) { return frame_size + kMaxOverhead; }

Result<std::size_t> protect(Sender& sender, ByteView frame, MutableByteView out) {
  const std::size_t prefix_size = clear_prefix_size(frame);
  if (out.size() < prefix_size) return Error::buffer_too_small;
  const ByteView prefix = frame.first(prefix_size);
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const auto written =
        sender.protect(prefix, frame.subspan(prefix_size), out.subspan(prefix_size));
    if (!written) return written.error();
    std::copy(prefix.begin(), prefix.end(), out.begin());
    const std::size_t size = prefix_size + written.value();
    if (clear_prefix_size(out.first(size)) == prefix_size) return size;
  }
  return Error::unsupported;
}

Result<std::size_t> unprotect(Receiver& receiver, ByteView frame, MutableByteView out) {
  const std::size_t prefix_size = clear_prefix_size(frame);
  if (out.size() < prefix_size) return Error::buffer_too_small;
  const ByteView prefix = frame.first(prefix_size);
  const auto size =
      receiver.unprotect(prefix, frame.subspan(prefix_size), out.subspan(prefix_size));
  if (!size) return size.error();
  std::copy(prefix.begin(), prefix.end(), out.begin());
  return prefix_size + size.value();
}

}  // namespace sealroom::sframe::vp8
