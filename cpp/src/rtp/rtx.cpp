#include "sealroom/rtp/rtx.h"

#include <algorithm>

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/byte_writer.h"

namespace sealroom::rtp {
namespace {

constexpr std::uint8_t kPaddingBit = 0x20;
constexpr std::uint8_t kMaxPayloadType = 127;

/// The header of `packet`, with CSRCs and extensions, as it is in another stream.
void write_header_in(const RtpPacketView& packet, const StreamAddress& stream,
                     std::uint16_t sequence_number, ByteWriter& writer) {
  const ByteView header = packet.packet().first(packet.header_size());
  writer.u8(static_cast<std::uint8_t>(header[0] & ~kPaddingBit));
  writer.u8(
      static_cast<std::uint8_t>((packet.header().marker ? 0x80 : 0) | stream.payload_type.value));
  writer.u16(sequence_number);
  writer.u32(packet.header().timestamp.value);
  writer.u32(stream.ssrc.value);
  writer.bytes(header.subspan(kFixedHeaderSize));
}

Result<std::size_t> finish(const ByteWriter& writer) {
  if (!writer.ok()) return Error::buffer_too_small;
  return writer.position();
}

}  // namespace

Result<RtxPayload> parse_rtx(const RtpPacketView& packet) {
  ByteReader reader(packet.payload());
  const std::uint16_t original = reader.u16();
  if (!reader.ok()) return Error::truncated;
  return RtxPayload{original, reader.rest()};
}

Result<std::size_t> wrap_rtx(const RtpPacketView& original, const StreamAddress& rtx,
                             std::uint16_t sequence_number, MutableByteView out) {
  if (rtx.payload_type.value > kMaxPayloadType) return Error::invalid_argument;
  ByteWriter writer(out);
  write_header_in(original, rtx, sequence_number, writer);
  writer.u16(original.header().sequence_number);
  writer.bytes(original.payload());
  return finish(writer);
}

Result<std::size_t> wrap_rtx(const RtpPacketView& original, const StreamAddress& rtx,
                             std::uint16_t sequence_number, const HeaderExtensions& extensions,
                             const ExtensionMap& map, MutableByteView out) {
  RtpHeader header = original.header();
  header.payload_type = rtx.payload_type;
  header.sequence_number = sequence_number;
  header.ssrc = rtx.ssrc;
  const Result<std::size_t> size = write_header(header, extensions, map, out);
  if (!size) return size.error();
  const ByteView csrcs = original.csrcs();
  const std::size_t header_size = size.value() + csrcs.size();
  if (out.size() < header_size) return Error::buffer_too_small;
  const auto behind_fixed = out.begin() + kFixedHeaderSize;
  const auto end = out.begin() + static_cast<std::ptrdiff_t>(size.value());
  std::copy_backward(behind_fixed, end, out.begin() + static_cast<std::ptrdiff_t>(header_size));
  std::copy(csrcs.begin(), csrcs.end(), behind_fixed);
  out[0] = static_cast<std::uint8_t>(out[0] | csrcs.size() / 4);
  ByteWriter writer(out.subspan(header_size));
  writer.u16(original.header().sequence_number);
  writer.bytes(original.payload());
  if (!writer.ok()) return Error::buffer_too_small;
  return header_size + writer.position();
}

Result<std::size_t> unwrap_rtx(const RtpPacketView& packet, const StreamAddress& media,
                               MutableByteView out) {
  if (media.payload_type.value > kMaxPayloadType) return Error::invalid_argument;
  const Result<RtxPayload> parsed = parse_rtx(packet);
  if (!parsed) return parsed.error();
  ByteWriter writer(out);
  write_header_in(packet, media, parsed.value().original_sequence_number, writer);
  writer.bytes(parsed.value().payload);
  return finish(writer);
}

}  // namespace sealroom::rtp
