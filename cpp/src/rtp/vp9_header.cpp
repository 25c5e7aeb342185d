#include "bit_reader.h"
#include "codecs.h"

namespace sealroom::rtp {
namespace {

constexpr std::uint32_t kFrameMarker = 2;
constexpr std::uint32_t kSyncCode = 0x498342;
constexpr std::uint32_t kRgb = 7;

}  // namespace

/// The uncompressed header of the first frame, section 6.2 of the VP9 bitstream specification.
FrameInfo read_vp9_info(ByteView frame) {
  FrameInfo info;
  BitReader reader(frame);
  if (reader.bits(2) != kFrameMarker) return info;
  const std::uint32_t profile_low = reader.bits(1);
  const std::uint32_t profile = reader.bits(1) << 1 | profile_low;
  if (profile == 3) reader.bits(1);
  const bool shows_existing = reader.bits(1) != 0;
  const bool is_key_frame = !shows_existing && reader.bits(1) == 0;
  if (!reader.ok()) return info;
  if (!is_key_frame) {
    info.is_key_frame = false;
    return info;
  }
  reader.bits(2);  // show_frame, error_resilient_mode
  if (reader.bits(24) != kSyncCode) return info;
  info.is_key_frame = true;

  const bool has_subsampling = (profile & 1) != 0;
  if (profile >= 2) reader.bits(1);  // ten_or_twelve_bit
  if (reader.bits(3) != kRgb) {
    reader.bits(has_subsampling ? 4 : 1);  // color_range, subsampling_x and _y, reserved
  } else if (has_subsampling) {
    reader.bits(1);
  }
  const std::uint32_t width = reader.bits(16) + 1;
  const std::uint32_t height = reader.bits(16) + 1;
  if (reader.ok() && width <= 0xFFFF && height <= 0xFFFF) {
    info.width = static_cast<std::uint16_t>(width);
    info.height = static_cast<std::uint16_t>(height);
  }
  return info;
}

}  // namespace sealroom::rtp
