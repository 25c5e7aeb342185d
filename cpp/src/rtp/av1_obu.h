#pragma once

#include <algorithm>

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/byte_writer.h"

namespace sealroom::rtp::av1 {

// OBU header, AV1 section 5.3.2: forbidden bit, type (4), extension flag, has_size flag, reserved.
constexpr std::uint8_t kForbiddenBit = 0x80;
constexpr std::uint8_t kExtensionFlag = 0x04;
constexpr std::uint8_t kHasSizeFlag = 0x02;
constexpr std::uint8_t kSequenceHeader = 1;
constexpr std::uint8_t kTemporalDelimiter = 2;
constexpr std::uint8_t kFrameHeader = 3;
constexpr std::uint8_t kFrame = 6;
constexpr std::uint8_t kTileList = 8;

// Aggregation header, section 4.4 of the AV1 RTP specification.
constexpr std::uint8_t kStartsWithFragment = 0x80;  // Z
constexpr std::uint8_t kEndsWithFragment = 0x40;    // Y
constexpr unsigned kCountShift = 4;                 // W
constexpr std::size_t kMaxCount = 3;
constexpr std::uint8_t kNewSequence = 0x08;  // N

constexpr std::uint8_t type_of(std::uint8_t header) { return header >> 3 & 0x0F; }
constexpr std::size_t header_size(std::uint8_t header) {
  return (header & kExtensionFlag) != 0 ? 2 : 1;
}
/// Section 5 of the AV1 RTP specification: neither sent nor given on.
constexpr bool is_dropped(std::uint8_t type) {
  return type == kTemporalDelimiter || type == kTileList;
}

constexpr std::size_t leb128_size(std::size_t value) {
  std::size_t size = 1;
  while ((value >>= 7) != 0) ++size;
  return size;
}

/// AV1 section 4.10.5: at most 8 bytes of 7 bits, least significant first. What is no such number
/// fails the reader.
inline std::size_t read_leb128(ByteReader& reader) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const std::uint8_t byte = reader.u8();
    value |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * i);
    if ((byte & 0x80) == 0) {
      return static_cast<std::size_t>(std::min<std::uint64_t>(value, SIZE_MAX));
    }
  }
  reader.skip(reader.remaining() + 1);
  return 0;
}

inline void write_leb128(ByteWriter& writer, std::size_t value) {
  for (; value >= 0x80; value >>= 7) writer.u8(static_cast<std::uint8_t>(value | 0x80));
  writer.u8(static_cast<std::uint8_t>(value));
}

/// An OBU of a frame, its size field left out.
struct Obu {
  std::uint8_t header = 0;  ///< as it was
  std::uint8_t extension = 0;
  ByteView payload;

  [[nodiscard]] std::uint8_t type() const { return type_of(header); }
  [[nodiscard]] bool has_extension() const { return (header & kExtensionFlag) != 0; }
  /// temporal_id (3 bits) and spatial_id (2), AV1 section 5.3.3.
  [[nodiscard]] std::uint8_t layer() const { return extension >> 3; }
  /// With the header, without a size field.
  [[nodiscard]] std::size_t size() const { return header_size(header) + payload.size(); }
};

/// Walks the OBUs of a frame (low-overhead format, AV1 section 5.2); the last one may do without
/// size field.
class ObuReader {
 public:
  explicit ObuReader(ByteView frame) : reader_(frame) {}

  /// False after the last one, and for good once something is no OBU: then ok() is false.
  bool next(Obu& obu) {
    if (!ok_ || reader_.remaining() == 0) return false;
    obu.header = reader_.u8();
    obu.extension = (obu.header & kExtensionFlag) != 0 ? reader_.u8() : std::uint8_t{0};
    obu.payload =
        (obu.header & kHasSizeFlag) != 0 ? reader_.bytes(read_leb128(reader_)) : reader_.rest();
    ok_ = reader_.ok() && (obu.header & kForbiddenBit) == 0;
    return ok_;
  }

  [[nodiscard]] bool ok() const { return ok_; }

 private:
  ByteReader reader_;
  bool ok_ = true;
};

/// Whether the first frame of a temporal unit is a key frame that is not shown again: by the first
/// bytes of its sequence header, AV1 section 5.5.1, and of its frame header, section 5.9.2.
inline bool is_key_frame(ByteView sequence_header, ByteView frame_header) {
  constexpr unsigned kReducedStillPicture = 0x08;
  constexpr unsigned kShowExistingFrame = 0x80;
  constexpr unsigned kFrameType = 0x60;  // 0: KEY_FRAME
  if (!sequence_header.empty() && (sequence_header[0] & kReducedStillPicture) != 0) return true;
  return !frame_header.empty() && (frame_header[0] & (kShowExistingFrame | kFrameType)) == 0;
}

/// An OBU or a fragment of one in a packet.
struct Element {
  ByteView data;  ///< not empty, unless it continues an OBU or goes on
  bool continues_last = false;
  bool goes_on = false;  ///< in the next packet
};

/// Walks the OBU elements of one payload. Senders make elements without a byte: those that neither
/// continue an OBU nor go on are passed over, a payload of nothing else is malformed.
class ElementReader {
 public:
  ElementReader() : reader_({}) {}
  explicit ElementReader(ByteView payload)
      : reader_(payload), header_(reader_.u8()), is_empty_(true) {
    // A coded video sequence does not start with the rest of an OBU.
    is_malformed_ = starts_with_fragment() && starts_sequence();
  }

  bool next(Element& element) {
    while (!error() && has_more()) {
      ++number_;
      const bool has_length = number_ != count();
      element.data = has_length ? reader_.bytes(read_leb128(reader_)) : reader_.rest();
      element.continues_last = number_ == 1 && starts_with_fragment();
      element.goes_on = !has_more() && (header_ & kEndsWithFragment) != 0;
      is_empty_ = is_empty_ && element.data.empty();
      if (!element.data.empty() || element.continues_last || element.goes_on) return !error();
    }
    is_malformed_ |= is_empty_;
    return false;
  }

  [[nodiscard]] bool starts_with_fragment() const { return (header_ & kStartsWithFragment) != 0; }
  [[nodiscard]] bool starts_sequence() const { return (header_ & kNewSequence) != 0; }
  [[nodiscard]] bool is_truncated() const { return !reader_.ok(); }
  [[nodiscard]] bool error() const { return is_malformed_ || is_truncated(); }

 private:
  /// W; 0: not told, and each element has a length.
  [[nodiscard]] std::size_t count() const { return header_ >> kCountShift & kMaxCount; }
  [[nodiscard]] bool has_more() const {
    return count() == 0 ? reader_.remaining() > 0 : number_ < count();
  }

  ByteReader reader_;
  std::uint8_t header_ = 0;
  std::size_t number_ = 0;
  bool is_empty_ = false;
  bool is_malformed_ = false;
};

}  // namespace sealroom::rtp::av1
