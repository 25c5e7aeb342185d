#include <optional>

#include "codecs.h"
#include "h264_nal_units.h"
#include "h264_random_access.h"
#include "sealroom/base/byte_reader.h"
#include "sealroom/base/byte_writer.h"

namespace sealroom::rtp {
namespace {

using namespace h264;  // NOLINT(google-build-using-namespace)

constexpr std::uint8_t kStartCode[] = {0, 0, 0, 1};
constexpr std::size_t kLengthSize = 2;

/// What the start of a NAL unit says; `data` is what of it lies behind its header in this packet.
PayloadStart inspect_unit(std::uint8_t header, ByteView data) {
  PayloadStart start;
  const std::uint8_t type = type_of(header);
  switch (type) {
    case kSlice:
    case kDataPartitionA:
    case kIdrSlice:
      // first_mb_in_slice, Exp-Golomb, is 0; or in the next packet, then it may be.
      start.starts_frame = data.empty() || (data[0] & 0x80) != 0;
      start.is_key_frame = start.starts_frame && type == kIdrSlice;
      start.signs.has_slice = true;
      start.signs.can_begin =
          start.starts_frame && !start.is_key_frame && !data.empty() && is_intra_slice(data[0]);
      break;
    default:
      // H.264 section 7.4.1.2.3: what comes before the first slice of its picture.
      start.starts_frame = (type >= kSupplementalInfo && type <= kAccessUnitDelimiter) ||
                           (type >= kPrefix && type <= kLastReserved);
      break;
  }
  start.signs.has_parameters = type == kSequenceParameterSet;
  if (type == kSupplementalInfo) start.signs.can_begin = has_recovery_point(data);
  // The delimiter comes first, and parameter sets do but for it (H.264 section 7.4.1.2.3).
  start.may_be_preceded =
      start.starts_frame && type != kSequenceParameterSet && type != kAccessUnitDelimiter;
  return start;
}

PayloadStart inspect_unit(ByteView unit) { return inspect_unit(unit[0], unit.subspan(1)); }

/// One payload in mode 1: walks it once, and gives `unit` each whole NAL unit, `fragment` the
/// rewritten header and the bytes of a fragment.
template <class Unit, class Fragment>
Result<void> walk(ByteView payload, Unit unit, Fragment fragment) {
  if (payload.empty()) return Error::malformed;
  ByteReader reader(payload);
  const std::uint8_t header = reader.u8();
  const std::uint8_t type = type_of(header);
  if (is_nal_unit_type(type)) {
    unit(payload);
    return {};
  }
  if (type == kFuA) {
    const std::uint8_t fu_header = reader.u8();
    const ByteView data = reader.rest();
    if (!reader.ok()) return Error::truncated;
    // Both S and E, which RFC 6184 section 5.8 forbids and cameras send, is a whole NAL unit.
    const bool is_start = (fu_header & kFuStart) != 0;
    if (!is_nal_unit_type(type_of(fu_header))) return Error::malformed;
    const unsigned restored = (header & (kForbiddenBit | kImportanceMask)) | type_of(fu_header);
    fragment(is_start, static_cast<std::uint8_t>(restored), data);
    return {};
  }
  if (type != kStapA) {
    return type <= kLastPacketType && type >= kFirstPacketType ? Error::unsupported
                                                               : Error::malformed;
  }
  do {
    const ByteView aggregated = reader.bytes(reader.u16());
    if (!reader.ok()) return Error::truncated;
    if (aggregated.empty() || !is_nal_unit_type(type_of(aggregated[0]))) return Error::malformed;
    unit(aggregated);
  } while (reader.remaining() > 0);
  return {};
}

void add(PayloadStart& whole, PayloadStart unit) {
  if (unit.starts_frame) {
    whole.may_be_preceded = unit.may_be_preceded && (whole.may_be_preceded || !whole.starts_frame);
  }
  whole.starts_frame |= unit.starts_frame;
  whole.signs.add(unit.signs);
  whole.is_key_frame |= unit.is_key_frame || whole.signs.make_key_frame();
}

}  // namespace

std::size_t h264_scratch_size(std::size_t payload_size) {
  // Each aggregated NAL unit is at least 3 bytes long with its length, and grows by 2.
  return payload_size + sizeof(kStartCode) +
         payload_size / (kLengthSize + 1) * (sizeof(kStartCode) - kLengthSize);
}

Result<PayloadPart> depacketize_h264(ByteView payload, MutableByteView scratch) {
  PayloadStart start;
  std::optional<ByteView> as_it_is;
  ByteWriter writer(scratch);
  const auto walked = walk(
      payload,
      [&](ByteView unit) {
        add(start, inspect_unit(unit));
        writer.bytes(kStartCode);
        writer.bytes(unit);
      },
      [&](bool is_start, std::uint8_t header, ByteView data) {
        if (!is_start) {
          as_it_is = data;
          return;
        }
        add(start, inspect_unit(header, data));
        writer.bytes(kStartCode);
        writer.u8(header);
        writer.bytes(data);
      });
  if (!walked) return walked.error();
  if (!writer.ok()) return Error::buffer_too_small;
  const ByteView data = as_it_is.value_or(writer.written());
  return PayloadPart{data, start.starts_frame, start.is_key_frame, start.may_be_preceded,
                     start.signs};
}

Result<PayloadStart> inspect_h264(ByteView payload) {
  PayloadStart start;
  const auto walked = walk(
      payload, [&](ByteView unit) { add(start, inspect_unit(unit)); },
      [&](bool is_start, std::uint8_t header, ByteView data) {
        if (is_start) add(start, inspect_unit(header, data));
      });
  if (!walked) return walked.error();
  return start;
}

FrameInfo read_h264_info(ByteView frame) {
  FrameInfo info;
  NalUnitReader reader(frame);
  ByteView unit;
  PayloadStart start;
  // Behind the first slice only other slices of the same picture come.
  while (!start.signs.has_slice && reader.next(unit)) {
    add(start, inspect_unit(unit));
    start.is_key_frame |= type_of(unit[0]) == kIdrSlice;  // whichever of its slices comes first
  }
  if (reader.ok()) {
    info.is_key_frame = start.is_key_frame || start.signs.are_of_parameters_only();
  }
  return info;
}

}  // namespace sealroom::rtp
