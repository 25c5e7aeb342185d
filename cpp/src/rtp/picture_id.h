#pragma once

#include <cstdint>

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/byte_writer.h"

namespace sealroom::rtp {

// What the payload descriptors of VP8 (RFC 7741 section 4.2) and VP9 (RFC 9628 section 4.2) share:
// the bit that announces a picture id, and its two lengths.
inline constexpr std::uint8_t kHasPictureId = 0x80;   // I
inline constexpr std::uint8_t kLongPictureId = 0x80;  // M, of the id's first byte: 15 bits, not 7

/// Numbers pictures with 15 bits, each one more than the last.
class PictureNumbers {
 public:
  explicit PictureNumbers(std::uint16_t first) : next_(first & kMask) {}

  /// The next picture begins.
  void advance() {
    current_ = next_;
    next_ = static_cast<std::uint16_t>((current_ + 1) & kMask);
  }
  /// The long form of the present picture's id.
  void write(ByteWriter& writer) const {
    writer.u16(static_cast<std::uint16_t>(kLongPictureId << 8 | current_));
  }

 private:
  static constexpr std::uint16_t kMask = 0x7FFF;

  std::uint16_t current_ = 0;
  std::uint16_t next_;
};

inline void skip_picture_id(ByteReader& reader) {
  if ((reader.u8() & kLongPictureId) != 0) reader.skip(1);
}

}  // namespace sealroom::rtp
