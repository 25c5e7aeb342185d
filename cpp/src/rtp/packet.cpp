#include "sealroom/rtp/packet.h"

#include "sealroom/base/byte_reader.h"

namespace sealroom::rtp {
namespace {

constexpr std::uint8_t kVersion = 2;

constexpr std::uint8_t kHasPadding = 0x20;
constexpr std::uint8_t kHasExtension = 0x10;

}  // namespace

// The result is filled where it lies: copying a view just written costs more than writing it.
Result<RtpPacketView> RtpPacketView::parse(ByteView packet) {
  Result<RtpPacketView> result{RtpPacketView()};
  if (const auto read = result.value().read(packet); !read) result = read.error();
  return result;
}

// Everything that is in the clear under SRTP (RFC 3711 section 3.1): header, CSRCs and extension.
Result<void> RtpPacketView::read_header(ByteView packet) {
  if (packet.size() < kFixedHeaderSize) return Error::truncated;
  ByteReader reader(packet);
  const std::uint8_t first = reader.u8();
  const std::uint8_t second = reader.u8();
  if (first >> 6 != kVersion) return Error::malformed;
  header_.marker = (second & 0x80) != 0;
  header_.payload_type = PayloadType{static_cast<std::uint8_t>(second & 0x7F)};
  header_.sequence_number = reader.u16();
  header_.timestamp = RtpTimestamp{reader.u32()};
  header_.ssrc = Ssrc{reader.u32()};
  reader.skip(std::size_t{4} * (first & 0x0F));
  if ((first & kHasExtension) != 0) {
    extension_profile_ = reader.u16();
    extension_data_ = reader.bytes(std::size_t{4} * reader.u16());
  }
  if (!reader.ok()) return Error::truncated;
  header_size_ = reader.position();
  return {};
}

Result<void> RtpPacketView::read(ByteView packet) {
  if (auto header = read_header(packet); !header) return header;
  packet_ = packet;
  const ByteView body = packet.subspan(header_size_);
  if ((packet[0] & kHasPadding) != 0) {
    if (body.empty()) return Error::truncated;
    padding_size_ = body.back();
    // The count includes its own byte (RFC 3550 section 5.1), so zero is a lie.
    if (padding_size_ == 0 || padding_size_ > body.size()) return Error::malformed;
  }
  payload_ = body.first(body.size() - padding_size_);
  return {};
}

Result<std::size_t> peek_header_size(ByteView packet) {
  RtpPacketView view;
  if (const auto header = view.read_header(packet); !header) return header.error();
  return view.header_size_;
}

bool is_rtcp(ByteView packet) { return packet.size() >= 2 && packet[1] >= 192 && packet[1] <= 223; }

Result<Ssrc> peek_ssrc(ByteView packet) {
  if (packet.size() < kFixedHeaderSize) return Error::truncated;
  if (packet[0] >> 6 != kVersion) return Error::malformed;
  ByteReader reader(packet.subspan(8, 4));
  return Ssrc{reader.u32()};
}

}  // namespace sealroom::rtp
