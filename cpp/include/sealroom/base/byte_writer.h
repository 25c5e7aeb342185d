#pragma once

#include <algorithm>

#include "sealroom/base/bytes.h"

namespace sealroom {

/// Bounds-checked big-endian cursor over a caller's buffer. A write past the end writes nothing and
/// makes `ok()` false for good.
class ByteWriter {
 public:
  explicit ByteWriter(MutableByteView data) : data_(data) {}

  void u8(std::uint8_t value) { number(value, 1); }
  void u16(std::uint16_t value) { number(value, 2); }
  void u24(std::uint32_t value) { number(value, 3); }
  void u32(std::uint32_t value) { number(value, 4); }
  void u64(std::uint64_t value) { number(value, 8); }

  void number(std::uint64_t value, std::size_t size) {
    if (size > 8 || !claim(size)) return;
    for (std::size_t i = 0; i < size; ++i) {
      data_[position_ + i] = static_cast<std::uint8_t>(value >> (8 * (size - 1 - i)));
    }
    position_ += size;
  }

  void bytes(ByteView source) {
    if (!claim(source.size())) return;
    std::copy(source.begin(), source.end(), data_.begin() + static_cast<std::ptrdiff_t>(position_));
    position_ += source.size();
  }

  void zeros(std::size_t size) {
    if (!claim(size)) return;
    std::fill_n(data_.begin() + static_cast<std::ptrdiff_t>(position_), size, std::uint8_t{0});
    position_ += size;
  }

  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t remaining() const { return data_.size() - position_; }
  [[nodiscard]] MutableByteView written() const { return data_.first(position_); }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  bool claim(std::size_t size) {
    if (!ok_ || size > remaining()) ok_ = false;
    return ok_;
  }

  MutableByteView data_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace sealroom
