#include "sealroom/rtp/header_extension.h"

#include <algorithm>

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/byte_writer.h"
#include "wire_values.h"

namespace sealroom::rtp {
namespace {

constexpr std::size_t kMaxTextSize = 16;
constexpr std::uint16_t kTwoByteExtensionProfile = 0x1000;
constexpr std::uint8_t kMaxOneByteId = 14;
constexpr std::size_t kMaxOneByteSize = 16;
constexpr std::size_t kMaxTwoByteSize = 255;
constexpr std::uint8_t kBackCameraBit = 0x08;
constexpr std::uint8_t kFlipBit = 0x04;

// An element of a size its type does not have says nothing that could be trusted: it is left out.
void read_element(ExtensionType type, ByteView value, HeaderExtensions& extensions) {
  ByteReader reader(value);
  const bool is_text = !value.empty() && value.size() <= kMaxTextSize;
  switch (type) {
    case ExtensionType::mid:
      if (is_text) extensions.mid = as_text(value);
      return;
    case ExtensionType::rid:
      if (is_text) extensions.rid = as_text(value);
      return;
    case ExtensionType::repaired_rid:
      if (is_text) extensions.repaired_rid = as_text(value);
      return;
    case ExtensionType::abs_send_time:
      if (value.size() == 3) extensions.abs_send_time = reader.u24();
      return;
    case ExtensionType::transport_sequence_number:
      if (value.size() == 2) extensions.transport_sequence_number = reader.u16();
      return;
    case ExtensionType::audio_level:
      if (value.size() == 1) {
        const std::uint8_t byte = reader.u8();
        extensions.audio_level =
            AudioLevel{(byte & 0x80) != 0, static_cast<std::uint8_t>(byte & 0x7F)};
      }
      return;
    case ExtensionType::video_orientation:
      if (value.size() == 1) {
        const std::uint8_t byte = reader.u8();
        extensions.video_orientation =
            VideoOrientation{(byte & kBackCameraBit) != 0, (byte & kFlipBit) != 0,
                             static_cast<std::uint16_t>((byte & 3) * 90)};
      }
      return;
    case ExtensionType::dependency_descriptor:
      extensions.dependency_descriptor = value;
      return;
  }
}

/// What to write: ids and sizes decided once, so that size and content cannot disagree.
struct Plan {
  std::array<std::size_t, kExtensionTypes> sizes{};  ///< 0: not written
  std::size_t elements = 0;
  std::size_t value_bytes = 0;
  bool two_byte = false;

  [[nodiscard]] std::size_t data_size() const {
    const std::size_t size = value_bytes + elements * (two_byte ? 2 : 1);
    return (size + 3) / 4 * 4;
  }
  [[nodiscard]] std::size_t header_size() const {
    return kFixedHeaderSize + (elements == 0 ? 0 : 4 + data_size());
  }
};

Plan make_plan(const HeaderExtensions& extensions, const ExtensionMap& map) {
  Plan plan;
  const auto add = [&](ExtensionType type, std::size_t size) {
    const std::uint8_t id = map.id(type);
    if (size == 0 || id == 0) return;
    plan.sizes[static_cast<std::size_t>(type)] = size;
    ++plan.elements;
    plan.value_bytes += size;
    plan.two_byte = plan.two_byte || id > kMaxOneByteId || size > kMaxOneByteSize;
  };
  add(ExtensionType::mid, extensions.mid.size());
  add(ExtensionType::rid, extensions.rid.size());
  add(ExtensionType::repaired_rid, extensions.repaired_rid.size());
  add(ExtensionType::abs_send_time, extensions.abs_send_time ? 3 : 0);
  add(ExtensionType::transport_sequence_number, extensions.transport_sequence_number ? 2 : 0);
  add(ExtensionType::audio_level, extensions.audio_level ? 1 : 0);
  add(ExtensionType::video_orientation, extensions.video_orientation ? 1 : 0);
  add(ExtensionType::dependency_descriptor, extensions.dependency_descriptor.size());
  return plan;
}

bool is_right_angle(std::uint16_t degrees) { return degrees % 90 == 0 && degrees < 360; }

bool is_valid(const RtpHeader& header, const HeaderExtensions& extensions) {
  const auto text_fits = [](std::string_view text) { return text.size() <= kMaxTextSize; };
  return header.payload_type.value <= 127 && text_fits(extensions.mid) &&
         text_fits(extensions.rid) && text_fits(extensions.repaired_rid) &&
         extensions.abs_send_time.value_or(0) <= 0xFFFFFF &&
         (!extensions.audio_level || extensions.audio_level->level <= 127) &&
         (!extensions.video_orientation ||
          is_right_angle(extensions.video_orientation->rotation)) &&
         extensions.dependency_descriptor.size() <= kMaxTwoByteSize;
}

void write_value(ExtensionType type, const HeaderExtensions& extensions, ByteWriter& writer) {
  switch (type) {
    case ExtensionType::mid:
      return writer.bytes(as_bytes(extensions.mid));
    case ExtensionType::rid:
      return writer.bytes(as_bytes(extensions.rid));
    case ExtensionType::repaired_rid:
      return writer.bytes(as_bytes(extensions.repaired_rid));
    case ExtensionType::abs_send_time:
      return writer.u24(*extensions.abs_send_time);
    case ExtensionType::transport_sequence_number:
      return writer.u16(*extensions.transport_sequence_number);
    case ExtensionType::audio_level:
      return writer.u8(static_cast<std::uint8_t>(
          (extensions.audio_level->voice_activity ? 0x80 : 0) | extensions.audio_level->level));
    case ExtensionType::video_orientation:
      return writer.u8(static_cast<std::uint8_t>(
          (extensions.video_orientation->back_camera ? kBackCameraBit : 0) |
          (extensions.video_orientation->flip ? kFlipBit : 0) |
          extensions.video_orientation->rotation / 90));
    case ExtensionType::dependency_descriptor:
      return writer.bytes(extensions.dependency_descriptor);
  }
}

}  // namespace

std::string_view extension_uri(ExtensionType type) {
  switch (type) {
    case ExtensionType::mid:
      return "urn:ietf:params:rtp-hdrext:sdes:mid";
    case ExtensionType::rid:
      return "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
    case ExtensionType::repaired_rid:
      return "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
    case ExtensionType::abs_send_time:
      return "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
    case ExtensionType::transport_sequence_number:
      return "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
    case ExtensionType::audio_level:
      return "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
    case ExtensionType::video_orientation:
      return "urn:3gpp:video-orientation";
    case ExtensionType::dependency_descriptor:
      return "https://aomediacodec.github.io/av1-rtp-spec/"
             "#dependency-descriptor-rtp-header-extension";
  }
  return {};
}

Result<void> ExtensionMap::set(ExtensionType type, std::uint8_t id) {
  const std::optional<ExtensionType> holder = this->type(id);
  if (holder && *holder != type) return Error::invalid_argument;
  ids_[static_cast<std::size_t>(type)] = id;
  return {};
}

std::optional<ExtensionType> ExtensionMap::type(std::uint8_t id) const {
  if (id == 0) return std::nullopt;
  const auto found = std::find(ids_.begin(), ids_.end(), id);
  if (found == ids_.end()) return std::nullopt;
  return static_cast<ExtensionType>(found - ids_.begin());
}

ExtensionReader::ExtensionReader(const RtpPacketView& packet)
    : reader_(packet.extension_data()),
      is_one_byte_(packet.extension_profile() == kOneByteExtensionProfile) {
  // The low four bits are "appbits" of the two-byte form (RFC 8285 section 4.3).
  const bool is_two_byte = (packet.extension_profile() & 0xFFF0) == kTwoByteExtensionProfile;
  if (!is_one_byte_ && !is_two_byte) reader_ = ByteReader({});
}

bool ExtensionReader::next(ExtensionElement& element) {
  std::uint8_t first = 0;
  while (first == 0) {  // padding
    if (reader_.remaining() == 0) return false;
    first = reader_.u8();
  }
  element.id = first;
  std::size_t size = 0;
  if (is_one_byte_) {
    element.id = first >> 4;
    // RFC 8285 section 4.2: id 15, and id 0 with a length, end the processing.
    if (element.id == 0 || element.id > kMaxOneByteId) {
      reader_ = ByteReader({});
      return false;
    }
    size = (first & 0x0FU) + 1U;
  } else {
    size = reader_.u8();
  }
  element.value = reader_.bytes(size);
  return reader_.ok();
}

HeaderExtensions read_extensions(const RtpPacketView& packet, const ExtensionMap& map) {
  HeaderExtensions extensions;
  ExtensionReader reader(packet);
  for (ExtensionElement element; reader.next(element);) {
    if (const auto type = map.type(element.id)) read_element(*type, element.value, extensions);
  }
  return extensions;
}

Result<std::size_t> write_header(const RtpHeader& header, const HeaderExtensions& extensions,
                                 const ExtensionMap& map, MutableByteView out) {
  if (!is_valid(header, extensions)) return Error::invalid_argument;
  const Plan plan = make_plan(extensions, map);
  const std::size_t size = plan.header_size();
  if (out.size() < size) return Error::buffer_too_small;

  ByteWriter writer(out.first(size));
  writer.u8(plan.elements == 0 ? 0x80 : 0x90);
  writer.u8(
      static_cast<std::uint8_t>((header.marker ? 0x80 : 0) | (header.payload_type.value & 0x7F)));
  writer.u16(header.sequence_number);
  writer.u32(header.timestamp.value);
  writer.u32(header.ssrc.value);
  if (plan.elements == 0) return size;

  writer.u16(plan.two_byte ? kTwoByteExtensionProfile : kOneByteExtensionProfile);
  writer.u16(static_cast<std::uint16_t>(plan.data_size() / 4));
  for (std::size_t i = 0; i < kExtensionTypes; ++i) {
    if (plan.sizes[i] == 0) continue;
    const auto type = static_cast<ExtensionType>(i);
    const std::uint8_t id = map.id(type);
    if (plan.two_byte) {
      writer.u8(id);
      writer.u8(static_cast<std::uint8_t>(plan.sizes[i]));
    } else {
      writer.u8(static_cast<std::uint8_t>(id * 16U + plan.sizes[i] - 1));
    }
    write_value(type, extensions, writer);
  }
  writer.zeros(writer.remaining());
  return size;
}

std::size_t header_size(const HeaderExtensions& extensions, const ExtensionMap& map) {
  return make_plan(extensions, map).header_size();
}

std::uint32_t to_abs_send_time(NtpTime time) {
  return static_cast<std::uint32_t>(time.value >> 14) & 0xFFFFFF;
}

}  // namespace sealroom::rtp
