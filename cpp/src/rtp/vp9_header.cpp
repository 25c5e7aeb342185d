#include "codecs.h"

namespace sealroom::rtp {
namespace {

/// Most significant bit first. Beyond the end come zeros, and `ok` is false for good.
class BitReader {
 public:
  explicit BitReader(ByteView data) : data_(data) {}

  std::uint32_t bits(unsigned count) {
    std::uint32_t value = 0;
    for (; count > 0; --count) value = value << 1 | bit();
    return value;
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::uint32_t bit() {
    if (position_ / 8 >= data_.size()) {
      ok_ = false;
      return 0;
    }
    const unsigned shift = 7 - position_ % 8;
    return data_[position_++ / 8] >> shift & 1U;
  }

  ByteView data_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

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
