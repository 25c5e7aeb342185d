#include "av1_frame.h"

#include <algorithm>

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/byte_writer.h"

namespace sealroom::sframe::av1 {
namespace {

// OBU header (AV1 section 5.3.2): forbidden bit, type (4), extension flag, has_size flag, reserved.
constexpr std::uint8_t kForbiddenBit = 0x80;
constexpr std::uint8_t kExtensionFlag = 0x04;
constexpr std::uint8_t kHasSizeFlag = 0x02;
constexpr std::uint8_t kSequenceHeader = 1;
constexpr std::uint8_t kTemporalDelimiter = 2;
constexpr std::uint8_t kMetadata = 5;
constexpr std::uint8_t kPadding = 15;

constexpr std::uint8_t kSequenceHeaderObu = kSequenceHeader << 3 | kHasSizeFlag;
constexpr std::uint8_t kTemporalDelimiterObu = kTemporalDelimiter << 3 | kHasSizeFlag;
constexpr std::uint8_t kFrameObu = 6 << 3;
constexpr std::uint8_t kFrameObuWithSize = kFrameObu | kHasSizeFlag;

constexpr std::size_t kMaxSequenceHeaderSize = kMaxMetadataSize;
constexpr std::size_t kMaxSizeFieldSize = 2;  ///< of a sequence header that is copied

/// leb128 (AV1 section 4.10.5): at most 8 bytes of 7 bits, least significant first.
std::uint64_t read_leb128(ByteReader& reader) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const std::uint8_t byte = reader.u8();
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) return value;
  }
  reader.skip(reader.remaining() + 1);  // a ninth byte: not a number
  return 0;
}

void write_leb128(ByteWriter& writer, std::size_t value) {
  while (value >= 0x80) {
    writer.u8(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  writer.u8(static_cast<std::uint8_t>(value));
}

ByteView read_payload(ByteReader& reader, bool has_size) {
  if (!has_size) return reader.rest();
  const std::uint64_t size = read_leb128(reader);
  return reader.bytes(static_cast<std::size_t>(std::min<std::uint64_t>(size, SIZE_MAX)));
}

/// The payload of the sequence header that stays readable: the first one before any frame data;
/// empty if there is none or what comes before it is no OBU.
ByteView find_sequence_header(ByteView frame) {
  ByteReader reader(frame);
  while (reader.remaining() > 0) {
    const std::uint8_t header = reader.u8();
    if ((header & kForbiddenBit) != 0) return {};
    if ((header & kExtensionFlag) != 0) reader.skip(1);
    const ByteView payload = read_payload(reader, (header & kHasSizeFlag) != 0);
    if (!reader.ok()) return {};
    switch (header >> 3) {
      case kSequenceHeader:
        return payload.size() <= kMaxSequenceHeaderSize ? payload : ByteView{};
      case kTemporalDelimiter:
      case kMetadata:
      case kPadding:
        break;
      default:
        return {};
    }
  }
  return {};
}

}  // namespace

std::size_t max_protected_size(std::size_t frame_size) {
  return frame_size + kMaxOverhead + sizeof(kFrameObu) + sizeof(kSequenceHeaderObu) +
         kMaxSizeFieldSize + std::min(frame_size, kMaxSequenceHeaderSize);
}

Result<std::size_t> protect(Sender& sender, ByteView frame, MutableByteView out) {
  const ByteView sequence_header = find_sequence_header(frame);
  ByteWriter writer(out);
  if (!sequence_header.empty()) {
    writer.u8(kSequenceHeaderObu);
    write_leb128(writer, sequence_header.size());
    writer.bytes(sequence_header);
  }
  writer.u8(kFrameObu);
  if (!writer.ok()) return Error::buffer_too_small;
  const auto written = sender.protect(sequence_header, frame, out.subspan(writer.position()));
  if (!written) return written.error();
  return writer.position() + written.value();
}

Result<std::size_t> unprotect(Receiver& receiver, ByteView frame, MutableByteView out) {
  ByteReader reader(frame);
  std::uint8_t header = reader.u8();
  if (header == kTemporalDelimiterObu) {
    if (reader.u8() != 0) return Error::malformed;
    header = reader.u8();
  }
  ByteView sequence_header;
  if (header == kSequenceHeaderObu) {
    sequence_header = read_payload(reader, true);
    if (reader.ok() && sequence_header.empty()) return Error::malformed;
    header = reader.u8();
  }
  if (!reader.ok()) return Error::truncated;
  if (header != kFrameObu && header != kFrameObuWithSize) return Error::malformed;
  const ByteView sealed = read_payload(reader, header == kFrameObuWithSize);
  if (!reader.ok()) return Error::truncated;
  if (reader.remaining() > 0 || sequence_header.size() > kMaxSequenceHeaderSize) {
    return Error::malformed;
  }
  return receiver.unprotect(sequence_header, sealed, out);
}

}  // namespace sealroom::sframe::av1
