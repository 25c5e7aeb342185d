#pragma once

#include "sealroom/base/bytes.h"

namespace sealroom {

/// Bounds-checked big-endian cursor. A read past the end returns zero or an empty view and makes
/// `ok()` false for good, so a parser reads all its fields and asks once.
class ByteReader {
 public:
  explicit ByteReader(ByteView data) : data_(data) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u24() { return static_cast<std::uint32_t>(number(3)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() { return number(8); }

  /// Big-endian number of `size` bytes, 0..8.
  std::uint64_t number(std::size_t size) {
    if (size > 8 || size > remaining()) {
      fail();
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = (value << 8) | data_[position_ + i];
    position_ += size;
    return value;
  }

  ByteView bytes(std::size_t size) {
    if (size > remaining()) {
      fail();
      return {};
    }
    const ByteView result = data_.subspan(position_, size);
    position_ += size;
    return result;
  }

  void skip(std::size_t size) { (void)bytes(size); }
  ByteView rest() { return bytes(remaining()); }

  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t remaining() const { return data_.size() - position_; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  void fail() {
    ok_ = false;
    position_ = data_.size();
  }

  ByteView data_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace sealroom
