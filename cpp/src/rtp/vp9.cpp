#include <algorithm>

#include "codecs.h"
#include "picture_id.h"

namespace sealroom::rtp {
namespace {

// The payload descriptor of RFC 9628 section 4.2, besides picture_id.h.
constexpr std::uint8_t kInterPredicted = 0x40;    // P
constexpr std::uint8_t kHasLayers = 0x20;         // L
constexpr std::uint8_t kFlexible = 0x10;          // F
constexpr std::uint8_t kStartOfFrame = 0x08;      // B
constexpr std::uint8_t kEndOfFrame = 0x04;        // E
constexpr std::uint8_t kHasStructure = 0x02;      // V
constexpr std::uint8_t kSpatialLayerMask = 0x0E;  // SID
constexpr std::uint8_t kInterLayer = 0x01;        // D
constexpr std::uint8_t kMoreReferences = 0x01;    // N
constexpr std::size_t kMaxReferences = 3;
// The scalability structure, section 4.2.1.
constexpr std::uint8_t kHasResolution = 0x10;    // Y
constexpr std::uint8_t kHasPictureGroup = 0x08;  // G
constexpr std::uint8_t kOneReference = 0x04;     // R of a picture of the group
constexpr std::size_t kDescriptorSize = 5;       // what the packetizer writes, and before
constexpr std::size_t kMaxStructureSize = 8;     // the first data of a key frame this too
constexpr std::size_t kMinCapacity = 2 * kMaxStructureSize;

void skip_structure(ByteReader& reader) {
  const std::uint8_t first = reader.u8();
  const std::size_t layers = (first >> 5) + 1U;
  if ((first & kHasResolution) != 0) reader.skip(4 * layers);
  if ((first & kHasPictureGroup) == 0) return;
  for (std::uint8_t left = reader.u8(); left > 0 && reader.ok(); --left) {
    reader.skip((reader.u8() >> 2) & 3);
  }
}

/// One spatial and one temporal layer, each picture predicted from the one before: non-flexible
/// mode. libwebrtc drops key frames without a scalability structure in this mode, and frames
/// without TL0PICIDX.
class Vp9Packetizer final : public Packetizer {
 public:
  explicit Vp9Packetizer(std::uint16_t first_picture_id) : numbers_(first_picture_id) {}

  Result<std::size_t> write_next(MutableByteView out) override {
    if (rest_.empty()) return Error::invalid_argument;
    const std::size_t structure = is_first_ && is_key_frame_ ? structure_size() : 0;
    const std::size_t part = std::min(part_size_ - structure, rest_.size());
    if (out.size() < kDescriptorSize + structure + part) return Error::buffer_too_small;
    unsigned flags = kHasPictureId | kHasLayers;
    if (!is_key_frame_) flags |= kInterPredicted;
    if (is_first_) flags |= kStartOfFrame;
    if (part == rest_.size()) flags |= kEndOfFrame;
    if (structure != 0) flags |= kHasStructure;
    ByteWriter writer(out);
    writer.u8(static_cast<std::uint8_t>(flags));
    numbers_.write(writer);
    writer.u8(0);  // TID, U, SID, D
    writer.u8(tl0_picture_index_);
    if (structure != 0) write_structure(writer);
    writer.bytes(rest_.first(part));
    rest_ = rest_.subspan(part);
    is_first_ = false;
    return writer.position();
  }

 private:
  Result<std::size_t> start_frame(ByteView frame, std::size_t max_payload,
                                  const FrameInfo& info) override {
    rest_ = {};
    if (frame.empty() || max_payload < kDescriptorSize + kMinCapacity) {
      return Error::invalid_argument;
    }
    const bool is_told = info.is_key_frame && info.width != 0 && info.height != 0;
    const FrameInfo read = is_told ? info : read_vp9_info(frame);
    is_key_frame_ = info.is_key_frame.value_or(read.is_key_frame.value_or(false));
    width_ = info.width != 0 ? info.width : read.width;
    height_ = info.height != 0 ? info.height : read.height;
    // The structure counts as data. A part is longer than half the capacity, so than it.
    const std::size_t structure = is_key_frame_ ? structure_size() : 0;
    const EvenCut cut = cut_evenly(frame.size() + structure, max_payload - kDescriptorSize);
    part_size_ = cut.part_size;
    rest_ = frame;
    is_first_ = true;
    numbers_.advance();
    ++tl0_picture_index_;
    return cut.packets;
  }

  [[nodiscard]] bool has_resolution() const { return width_ != 0 && height_ != 0; }
  [[nodiscard]] std::size_t structure_size() const {
    return has_resolution() ? kMaxStructureSize : kMaxStructureSize - 4;
  }
  void write_structure(ByteWriter& writer) const {
    writer.u8(has_resolution() ? kHasResolution | kHasPictureGroup : kHasPictureGroup);
    if (has_resolution()) {
      writer.u16(width_);
      writer.u16(height_);
    }
    writer.u8(1);  // N_G: a group of one picture
    writer.u8(kOneReference);
    writer.u8(1);  // P_DIFF
  }

  ByteView rest_;
  std::size_t part_size_ = 0;
  PictureNumbers numbers_;
  std::uint16_t width_ = 0;
  std::uint16_t height_ = 0;
  std::uint8_t tl0_picture_index_ = 0xff;  // the first frame's is 0
  bool is_key_frame_ = false;
  bool is_first_ = false;
};

}  // namespace

std::unique_ptr<Packetizer> create_vp9_packetizer(std::uint16_t first_picture_id) {
  return std::make_unique<Vp9Packetizer>(first_picture_id);
}

Result<PayloadPart> depacketize_vp9(ByteView payload) {
  ByteReader reader(payload);
  const std::uint8_t flags = reader.u8();
  const bool has_picture_id = (flags & kHasPictureId) != 0;
  const bool is_flexible = (flags & kFlexible) != 0;
  const bool is_predicted = (flags & kInterPredicted) != 0;
  if (is_flexible && !has_picture_id) return Error::malformed;
  if (has_picture_id) skip_picture_id(reader);
  bool is_lowest_layer = true;
  bool needs_lower_layer = false;
  if ((flags & kHasLayers) != 0) {
    const std::uint8_t layers = reader.u8();
    is_lowest_layer = (layers & kSpatialLayerMask) == 0;
    needs_lower_layer = !is_lowest_layer && (layers & kInterLayer) != 0;
    if (!is_flexible) reader.skip(1);
  }
  if (is_flexible && is_predicted) {
    std::size_t references = 1;
    while ((reader.u8() & kMoreReferences) != 0) {
      if (++references > kMaxReferences) return Error::malformed;
    }
  }
  if ((flags & kHasStructure) != 0) skip_structure(reader);
  if (!reader.ok()) return Error::truncated;

  PayloadPart part;
  part.data = reader.rest();
  if (part.data.empty()) return Error::malformed;
  // The layers of a picture are one frame; it starts with the lowest that is sent. A router leaves
  // out those below that nothing needs (K-SVC).
  part.starts_frame = (flags & kStartOfFrame) != 0 && !needs_lower_layer;
  part.is_key_frame = part.starts_frame && is_lowest_layer && !is_predicted;
  return part;
}

}  // namespace sealroom::rtp
