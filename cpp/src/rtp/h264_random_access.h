#pragma once

#include "sealroom/base/bytes.h"

namespace sealroom::rtp::h264 {

/// The bytes of a NAL unit behind its header, emulation prevention removed (H.264 section 7.3.1).
class RbspReader {
 public:
  explicit RbspReader(ByteView data) : data_(data) {}

  bool next(std::uint8_t& byte) {
    if (zeros_ >= 2 && position_ < data_.size() && data_[position_] == 3) {
      ++position_;
      zeros_ = 0;
    }
    if (position_ == data_.size()) return false;
    byte = data_[position_++];
    zeros_ = byte == 0 ? zeros_ + 1 : 0;
    return true;
  }

 private:
  ByteView data_;
  std::size_t position_ = 0;
  std::size_t zeros_ = 0;
};

/// Of a slice with first_mb_in_slice 0, by its first byte: slice_type, Exp-Golomb, is 2 or 7.
constexpr bool is_intra_slice(std::uint8_t first) {
  return (first & 0xF0) == 0xB0 || first == 0x88;
}

/// Whether one of the messages is a recovery point (H.264 sections 7.3.2.3.1 and D.1.8). Of a
/// fragment only those that begin in it are seen.
inline bool has_recovery_point(ByteView supplemental_information) {
  constexpr std::size_t kRecoveryPoint = 6;
  RbspReader reader(supplemental_information);
  const auto read_number = [&](std::size_t& number) {
    std::uint8_t byte = 0xFF;
    for (number = 0; byte == 0xFF; number += byte) {
      if (!reader.next(byte)) return false;
    }
    return true;
  };
  std::size_t type = 0;
  std::size_t size = 0;
  while (read_number(type) && read_number(size)) {
    if (type == kRecoveryPoint) return true;
    for (std::uint8_t skipped = 0; size > 0; --size) {
      if (!reader.next(skipped)) return false;
    }
  }
  return false;
}

}  // namespace sealroom::rtp::h264
