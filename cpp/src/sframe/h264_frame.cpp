#include "h264_frame.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "emulation_prevention.h"
#include "sealroom/base/byte_writer.h"
#include "sealroom/sframe/header.h"

namespace sealroom::sframe::h264 {
namespace {

constexpr std::uint8_t kStartCode[] = {0, 0, 0, 1};

// NAL unit header (H.264 section 7.3.1): forbidden_zero_bit, nal_ref_idc (2), nal_unit_type (5).
constexpr std::uint8_t kForbiddenBit = 0x80;
constexpr std::uint8_t kTypeMask = 0x1f;
constexpr std::uint8_t kSlice = 1;
constexpr std::uint8_t kIdrSlice = 5;
constexpr std::uint8_t kSequenceParameterSet = 7;
constexpr std::uint8_t kPictureParameterSet = 8;

/// Header and the two bytes that hold first_mb_in_slice, slice_type and pic_parameter_set_id, which
/// receivers read.
constexpr std::size_t kSliceClearSize = 3;
/// Of a frame without a slice: a reference P slice, first_mb_in_slice 0, pic_parameter_set_id 0.
constexpr std::uint8_t kStandInSlice[kSliceClearSize] = {0x41, 0x9a, 0x80};
/// A NAL unit never ends with a zero byte; ciphertext may.
constexpr std::uint8_t kStop = 0x80;

constexpr std::size_t kMaxParameterSetsSize =
    kMaxMetadataSize - sizeof(kStartCode) - kSliceClearSize;

bool is_slice(std::uint8_t header) {
  const auto type = header & kTypeMask;
  return (header & kForbiddenBit) == 0 && (type == kSlice || type == kIdrSlice);
}

bool is_parameter_set(std::uint8_t header) {
  const auto type = header & kTypeMask;
  return (header & kForbiddenBit) == 0 &&
         (type == kSequenceParameterSet || type == kPictureParameterSet);
}

struct Unit {
  ByteView bytes;                   ///< without the zeros behind it
  std::optional<std::size_t> next;  ///< where the unit after it begins
  bool is_valid = true;             ///< no three zero bytes in a row
};

/// The NAL unit that begins at `begin`.
Unit read_unit(ByteView stream, std::size_t begin) {
  Unit unit;
  std::size_t end = stream.size();
  std::size_t from = begin;
  while (true) {
    const std::size_t found = find_emulation(stream, from);
    if (found == stream.size()) break;
    if (stream[found] > 1) {
      from = found + 1;
      continue;
    }
    std::size_t after_zeros = found;
    while (after_zeros < stream.size() && stream[after_zeros] == 0) ++after_zeros;
    if (after_zeros == stream.size()) break;
    if (stream[after_zeros] == 1) {
      end = found - 2;
      unit.next = after_zeros + 1;
      break;
    }
    unit.is_valid = false;
    from = after_zeros;
  }
  while (end > begin && stream[end - 1] == 0) --end;
  unit.bytes = stream.subspan(begin, end - begin);
  return unit;
}

/// Where the first NAL unit begins that has at least one byte; what lies before its start code is
/// none.
std::optional<std::size_t> find_first_unit(ByteView stream) {
  std::size_t from = 0;
  while (true) {
    std::size_t found = find_emulation(stream, from);
    while (found < stream.size() && stream[found] == 0) ++found;
    if (found + 1 >= stream.size()) return std::nullopt;
    if (stream[found] == 1) return found + 1;
    from = found;
  }
}

/// Writes the clear bytes: valid parameter sets before the first slice as long as they fit, then
/// three bytes of the slice. `out` has kMaxMetadataSize bytes.
std::size_t write_clear(ByteView frame, MutableByteView out) {
  ByteWriter writer(out);
  const std::uint8_t* slice = kStandInSlice;
  bool fits = true;
  auto next = find_first_unit(frame);
  while (next && *next < frame.size()) {
    const std::uint8_t header = frame[*next];
    if (is_slice(header) && frame.size() - *next >= kSliceClearSize) {
      slice = frame.data() + *next;
      break;
    }
    const Unit unit = read_unit(frame, *next);
    if (is_parameter_set(header) && unit.is_valid && unit.bytes.size() > 1) {
      fits = fits &&
             writer.position() + sizeof(kStartCode) + unit.bytes.size() <= kMaxParameterSetsSize;
      if (fits) {
        writer.bytes(kStartCode);
        writer.bytes(unit.bytes);
      }
    }
    next = unit.next;
  }
  writer.bytes(kStartCode);
  writer.bytes({slice, kSliceClearSize});
  return writer.position();
}

struct Parsed {
  std::array<std::uint8_t, kMaxMetadataSize> clear;  ///< as write_clear made them
  std::size_t clear_size = 0;
  ByteView payload;  ///< of the slice, all behind its header, with the stop byte
};

Result<void> parse(ByteView stream, Parsed& parsed) {
  std::size_t begin = 0;
  while (begin < stream.size() && stream[begin] == 0) ++begin;
  if (begin == stream.size()) return Error::truncated;
  if (begin < 2 || stream[begin] != 1) return Error::malformed;
  ++begin;

  ByteWriter clear(parsed.clear);
  while (begin < stream.size() && is_parameter_set(stream[begin])) {
    const Unit unit = read_unit(stream, begin);
    if (!unit.next) return Error::truncated;
    clear.bytes(kStartCode);
    clear.bytes(unit.bytes);
    begin = *unit.next;
  }
  std::size_t end = stream.size();
  while (end > begin && stream[end - 1] == 0) --end;
  if (end - begin <= kSliceClearSize) return Error::truncated;
  if (!is_slice(stream[begin]) || stream[end - 1] != kStop) return Error::malformed;
  clear.bytes(kStartCode);
  clear.bytes(stream.subspan(begin, kSliceClearSize));
  if (!clear.ok()) return Error::malformed;
  parsed.clear_size = clear.position();
  parsed.payload = stream.subspan(begin + 1, end - begin - 1);
  return {};
}

}  // namespace

std::size_t max_protected_size(std::size_t frame_size) {
  return kMaxMetadataSize + max_escaped_size(frame_size + kMaxOverhead + kSliceClearSize);
}

Result<std::size_t> protect(Sender& sender, ByteView frame, MutableByteView out) {
  if (out.size() < max_protected_size(frame.size())) return Error::buffer_too_small;
  const std::size_t clear_size = write_clear(frame, out.first(kMaxMetadataSize));
  const auto written = sender.protect(out.first(clear_size), frame, out.subspan(clear_size));
  if (!written) return written.error();
  const std::size_t size = clear_size + written.value();
  out[size] = kStop;
  const std::size_t payload_begin = clear_size - kSliceClearSize + 1;
  return payload_begin + escape_in_place(out.subspan(payload_begin), size + 1 - payload_begin);
}

Result<std::size_t> unprotect(Receiver& receiver, ByteView frame, MutableByteView out) {
  Parsed parsed;
  const auto form = parse(frame, parsed);
  if (!form) return form.error();
  const ByteView clear = ByteView(parsed.clear).first(parsed.clear_size);
  constexpr std::size_t kPrefix = kSliceClearSize - 1;
  if (find_emulation(parsed.payload, 0) == parsed.payload.size()) {
    return receiver.unprotect(
        clear, parsed.payload.subspan(kPrefix, parsed.payload.size() - kPrefix - 1), out);
  }

  const auto size = unescape(parsed.payload, out);
  if (!size) return size.error();
  if (size.value() <= kPrefix) return Error::truncated;
  const ByteView sealed = out.subspan(kPrefix, size.value() - kPrefix - 1);
  const auto header = Header::parse(sealed);
  if (!header) return header.error();
  // Opened where it lies, then moved to the front.
  const MutableByteView opened = out.subspan(kPrefix + header.value().size);
  const auto opened_size = receiver.unprotect(clear, sealed, opened);
  if (!opened_size) return opened_size.error();
  std::memmove(out.data(), opened.data(), opened_size.value());
  return opened_size;
}

}  // namespace sealroom::sframe::h264
