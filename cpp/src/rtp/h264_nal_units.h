#pragma once

#include <cstring>

#include "sealroom/base/bytes.h"

namespace sealroom::rtp::h264 {

// NAL unit header (H.264 section 7.3.1, RFC 6184 section 1.3): F, NRI (2), type (5).
constexpr std::uint8_t kForbiddenBit = 0x80;
constexpr std::uint8_t kImportanceMask = 0x60;
constexpr std::uint8_t kTypeMask = 0x1F;

constexpr std::uint8_t kSlice = 1;
constexpr std::uint8_t kDataPartitionA = 2;
constexpr std::uint8_t kIdrSlice = 5;
constexpr std::uint8_t kSupplementalInfo = 6;
constexpr std::uint8_t kSequenceParameterSet = 7;
constexpr std::uint8_t kAccessUnitDelimiter = 9;
constexpr std::uint8_t kPrefix = 14;
constexpr std::uint8_t kLastReserved = 18;
// 24 and above are packet types.
constexpr std::uint8_t kStapA = 24;
constexpr std::uint8_t kFuA = 28;
constexpr std::uint8_t kFirstPacketType = 24;
constexpr std::uint8_t kLastPacketType = 29;

// The second byte of an FU-A, RFC 6184 section 5.8.
constexpr std::uint8_t kFuStart = 0x80;
constexpr std::uint8_t kFuEnd = 0x40;

constexpr std::uint8_t type_of(std::uint8_t header) { return header & kTypeMask; }
constexpr bool is_nal_unit_type(std::uint8_t type) { return type >= 1 && type < kFirstPacketType; }

/// Walks a byte stream of Annex B: each NAL unit without start code and the zeros behind it.
class NalUnitReader {
 public:
  explicit NalUnitReader(ByteView stream) : stream_(stream) {
    const std::size_t code = find_start_code(0);
    ok_ = code != kNone;
    for (std::size_t i = 0; ok_ && i + 2 < code; ++i) ok_ = stream[i] == 0;  // only zeros may lead
    position_ = ok_ ? code + 1 : stream.size();
  }

  /// False after the last one, and for good once something is no NAL unit: then ok() is false.
  bool next(ByteView& unit) {
    if (!ok_ || is_done_) return false;
    const std::size_t begin = position_;
    const std::size_t code = find_start_code(begin);
    is_done_ = code == kNone;
    std::size_t end = is_done_ ? stream_.size() : code - 2;
    position_ = is_done_ ? stream_.size() : code + 1;
    while (end > begin && stream_[end - 1] == 0) --end;
    ok_ = end > begin;
    unit = stream_.subspan(begin, ok_ ? end - begin : 0);
    return ok_;
  }

  [[nodiscard]] bool ok() const { return ok_; }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;

  /// Where the 1 is of the first 00 00 01 that lies behind `from` as a whole.
  [[nodiscard]] std::size_t find_start_code(std::size_t from) const {
    for (std::size_t at = from + 2; at < stream_.size(); ++at) {
      const void* found = std::memchr(stream_.data() + at, 1, stream_.size() - at);
      if (found == nullptr) break;
      at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - stream_.data());
      if (stream_[at - 1] == 0 && stream_[at - 2] == 0) return at;
    }
    return kNone;
  }

  ByteView stream_;
  std::size_t position_ = 0;
  bool is_done_ = false;
  bool ok_ = true;
};

}  // namespace sealroom::rtp::h264
