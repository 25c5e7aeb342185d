#include <algorithm>

#include "codecs.h"
#include "picture_id.h"

namespace sealroom::rtp {
namespace {

// The payload descriptor of RFC 7741 section 4.2, besides picture_id.h.
constexpr std::uint8_t kExtended = 0x80;          // X
constexpr std::uint8_t kStartOfPartition = 0x10;  // S
constexpr std::uint8_t kPartitionMask = 0x07;     // PID
constexpr std::uint8_t kHasTl0PicIdx = 0x40;      // L
constexpr std::uint8_t kHasTid = 0x20;            // T
constexpr std::uint8_t kHasKeyIdx = 0x10;         // K
constexpr std::size_t kDescriptorSize = 4;        // what the packetizer writes

class Vp8Packetizer final : public Packetizer {
 public:
  explicit Vp8Packetizer(std::uint16_t first_picture_id) : numbers_(first_picture_id) {}

  Result<std::size_t> write_next(MutableByteView out) override {
    if (rest_.empty()) return Error::invalid_argument;
    const std::size_t part = std::min(part_size_, rest_.size());
    if (out.size() < kDescriptorSize + part) return Error::buffer_too_small;
    ByteWriter writer(out);
    // Frames are ciphertext, so the partitions inside cannot be told apart: all is PID 0.
    writer.u8(is_first_ ? kExtended | kStartOfPartition : kExtended);
    writer.u8(kHasPictureId);
    numbers_.write(writer);
    writer.bytes(rest_.first(part));
    rest_ = rest_.subspan(part);
    is_first_ = false;
    return writer.position();
  }

 private:
  Result<std::size_t> start_frame(ByteView frame, std::size_t max_payload,
                                  const FrameInfo& /*info*/) override {
    rest_ = {};
    if (frame.empty() || max_payload <= kDescriptorSize) return Error::invalid_argument;
    const EvenCut cut = cut_evenly(frame.size(), max_payload - kDescriptorSize);
    part_size_ = cut.part_size;
    rest_ = frame;
    is_first_ = true;
    numbers_.advance();
    return cut.packets;
  }

  ByteView rest_;
  std::size_t part_size_ = 0;
  PictureNumbers numbers_;
  bool is_first_ = false;
};

}  // namespace

std::unique_ptr<Packetizer> create_vp8_packetizer(std::uint16_t first_picture_id) {
  return std::make_unique<Vp8Packetizer>(first_picture_id);
}

Result<PayloadPart> depacketize_vp8(ByteView payload) {
  ByteReader reader(payload);
  const std::uint8_t first = reader.u8();
  if ((first & kExtended) != 0) {
    const std::uint8_t fields = reader.u8();
    if ((fields & kHasPictureId) != 0) skip_picture_id(reader);
    if ((fields & kHasTl0PicIdx) != 0) reader.skip(1);
    if ((fields & (kHasTid | kHasKeyIdx)) != 0) reader.skip(1);
  }
  if (!reader.ok()) return Error::truncated;

  PayloadPart part;
  part.data = reader.rest();
  if (part.data.empty()) return Error::malformed;
  part.starts_frame = (first & kStartOfPartition) != 0 && (first & kPartitionMask) == 0;
  // The inverse key frame flag P opens the VP8 payload header (RFC 7741 section 4.3).
  part.is_key_frame = part.starts_frame && (part.data[0] & 1) == 0;
  return part;
}

FrameInfo read_vp8_info(ByteView frame) {
  FrameInfo info;
  if (frame.empty()) return info;
  info.is_key_frame = (frame[0] & 1) == 0;
  // RFC 6386 section 9.1: the start code, then width and height, 14 bits each, little-endian.
  constexpr std::size_t kKeyFrameHeaderSize = 10;
  if (!*info.is_key_frame || frame.size() < kKeyFrameHeaderSize) return info;
  if (frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a) return info;
  const auto size_at = [&](std::size_t at) {
    return static_cast<std::uint16_t>((frame[at] | frame[at + 1] << 8) & 0x3fff);
  };
  info.width = size_at(6);
  info.height = size_at(8);
  return info;
}

}  // namespace sealroom::rtp
