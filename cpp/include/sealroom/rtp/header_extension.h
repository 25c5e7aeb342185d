#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/rtp/packet.h"

namespace sealroom::rtp {

enum class ExtensionType : std::uint8_t {
  mid,                        ///< RFC 8843, urn:ietf:params:rtp-hdrext:sdes:mid
  rid,                        ///< RFC 8852
  repaired_rid,               ///< RFC 8852
  abs_send_time,              ///< http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
  transport_sequence_number,  ///< draft-holmer-rmcat-transport-wide-cc-extensions-01
  audio_level,                ///< RFC 6464
  video_orientation,          ///< 3GPP TS 26.114 section 7.4.5, urn:3gpp:video-orientation
  dependency_descriptor,      ///< AV1 RTP specification, appendix A; see dependency_descriptor.h
};
inline constexpr std::size_t kExtensionTypes = 8;

[[nodiscard]] std::string_view extension_uri(ExtensionType type);

/// The negotiated ids of one bundle (RFC 8285 section 5): 1..14 fit the one-byte form, up to 255
/// the two-byte form.
class ExtensionMap {
 public:
  /// Id 0 removes; an id in use is invalid_argument.
  Result<void> set(ExtensionType type, std::uint8_t id);
  [[nodiscard]] std::uint8_t id(ExtensionType type) const {
    return ids_[static_cast<std::size_t>(type)];
  }
  [[nodiscard]] std::optional<ExtensionType> type(std::uint8_t id) const;

 private:
  std::array<std::uint8_t, kExtensionTypes> ids_{};
};

struct AudioLevel {
  bool voice_activity = false;
  std::uint8_t level = 127;  ///< -dBov, 0 (loudest) .. 127 (silence)
};

/// Coordination of video orientation (CVO): how the receiver is to turn the picture.
struct VideoOrientation {
  bool back_camera = false;
  bool flip = false;           ///< horizontally
  std::uint16_t rotation = 0;  ///< degrees clockwise: 0, 90, 180 or 270
};

/// Values read from or written to a packet. Text views point into the packet or the caller's
/// memory.
struct HeaderExtensions {
  std::string_view mid;  ///< empty: absent; at most 16 bytes
  std::string_view rid;
  std::string_view repaired_rid;
  std::optional<std::uint32_t> abs_send_time;  ///< 24 bit, 6.18 fixed point seconds
  std::optional<std::uint16_t> transport_sequence_number;
  std::optional<AudioLevel> audio_level;
  std::optional<VideoOrientation> video_orientation;
  ByteView dependency_descriptor;  ///< as it is on the wire; empty: absent; at most 255 bytes
};

/// One extension of a packet.
struct ExtensionElement {
  std::uint8_t id = 0;
  ByteView value;
};

/// Walks the elements of a packet's header extension, one- and two-byte form. Malformed ones end it
/// (RFC 8285 section 4.1.1), and an extension of another form has none.
class ExtensionReader {
 public:
  explicit ExtensionReader(const RtpPacketView& packet);
  bool next(ExtensionElement& element);

 private:
  ByteReader reader_;
  bool is_one_byte_ = false;
};

/// Reads what the map knows and skips what it does not, one- and two-byte form. Malformed elements
/// end the reading (RFC 8285 section 4.1.1); what was read before them stays. An element of a size
/// its type does not have is skipped.
HeaderExtensions read_extensions(const RtpPacketView& packet, const ExtensionMap& map);

/// Writes the fixed header and those extensions that have an id, in one-byte form where all fit it.
/// Returns the header's size, a multiple of 4. No CSRCs. Errors: invalid_argument for a value its
/// field cannot hold, buffer_too_small.
Result<std::size_t> write_header(const RtpHeader& header, const HeaderExtensions& extensions,
                                 const ExtensionMap& map, MutableByteView out);
/// What write_header will need.
std::size_t header_size(const HeaderExtensions& extensions, const ExtensionMap& map);

[[nodiscard]] std::uint32_t to_abs_send_time(NtpTime time);

}  // namespace sealroom::rtp
