#include "sealroom/rtp/packet.h"

#include "sealroom/base/byte_reader.h"

namespace sealroom::rtp {
namespace {

constexpr std::uint8_t kVersion = 2;

struct HeaderLayout {
  RtpHeader header;
  std::size_t size = 0;
  std::uint16_t extension_profile = 0;
  ByteView extension_data;
  bool has_padding = false;
};

// Everything that is in the clear under SRTP (RFC 3711 section 3.1): header, CSRCs and extension.
Result<HeaderLayout> parse_layout(ByteView packet) {
  if (packet.size() < kFixedHeaderSize) return Error::truncated;
  ByteReader reader(packet);
  const std::uint8_t first = reader.u8();
  const std::uint8_t second = reader.u8();
  if (first >> 6 != kVersion) return Error::malformed;

  HeaderLayout layout;
  layout.has_padding = (first & 0x20) != 0;
  layout.header.marker = (second & 0x80) != 0;
  layout.header.payload_type = PayloadType{static_cast<std::uint8_t>(second & 0x7F)};
  layout.header.sequence_number = reader.u16();
  layout.header.timestamp = RtpTimestamp{reader.u32()};
  layout.header.ssrc = Ssrc{reader.u32()};
  reader.skip(std::size_t{4} * (first & 0x0F));
  if ((first & 0x10) != 0) {
    layout.extension_profile = reader.u16();
    layout.extension_data = reader.bytes(std::size_t{4} * reader.u16());
  }
  if (!reader.ok()) return Error::truncated;
  layout.size = reader.position();
  return layout;
}

}  // namespace

Result<RtpPacketView> RtpPacketView::parse(ByteView packet) {
  const Result<HeaderLayout> parsed = parse_layout(packet);
  if (!parsed.ok()) return parsed.error();
  const HeaderLayout& layout = parsed.value();

  RtpPacketView view;
  view.header_ = layout.header;
  view.packet_ = packet;
  view.header_size_ = layout.size;
  view.extension_profile_ = layout.extension_profile;
  view.extension_data_ = layout.extension_data;
  const ByteView body = packet.subspan(layout.size);
  if (layout.has_padding) {
    if (body.empty()) return Error::truncated;
    view.padding_size_ = body.back();
    // The count includes its own byte (RFC 3550 section 5.1), so zero is a lie.
    if (view.padding_size_ == 0 || view.padding_size_ > body.size()) return Error::malformed;
  }
  view.payload_ = body.first(body.size() - view.padding_size_);
  return view;
}

Result<std::size_t> peek_header_size(ByteView packet) {
  const Result<HeaderLayout> parsed = parse_layout(packet);
  if (!parsed.ok()) return parsed.error();
  return parsed.value().size;
}

bool is_rtcp(ByteView packet) { return packet.size() >= 2 && packet[1] >= 192 && packet[1] <= 223; }

Result<Ssrc> peek_ssrc(ByteView packet) {
  if (packet.size() < kFixedHeaderSize) return Error::truncated;
  if (packet[0] >> 6 != kVersion) return Error::malformed;
  ByteReader reader(packet.subspan(8, 4));
  return Ssrc{reader.u32()};
}

}  // namespace sealroom::rtp
