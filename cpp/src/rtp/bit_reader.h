#pragma once

#include <cstdint>

#include "sealroom/base/bytes.h"

namespace sealroom::rtp {

/// Bounds-checked cursor over bits, most significant first; like ByteReader it fails for good, and
/// then gives zeros.
class BitReader {
 public:
  explicit BitReader(ByteView data) : data_(data) {}

  std::uint32_t bits(std::size_t count) {
    if (count > 8 * data_.size() - position_) {
      ok_ = false;
      position_ = 8 * data_.size();
      return 0;
    }
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i, ++position_) {
      value = value << 1 | (data_[position_ / 8] >> (7 - position_ % 8) & 1U);
    }
    return value;
  }
  bool flag() { return bits(1) != 0; }

  /// ns(n), AV1 section 4.10.7: a number below `count` in as few bits as it needs.
  std::uint32_t below(std::uint32_t count) {
    std::size_t width = 0;
    while (count >> width != 0) ++width;
    const std::uint32_t shorter = (1U << width) - count;
    const std::uint32_t value = bits(width - 1);
    return value < shorter ? value : (value << 1) - shorter + bits(1);
  }

  [[nodiscard]] bool ok() const { return ok_; }

 private:
  ByteView data_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace sealroom::rtp
